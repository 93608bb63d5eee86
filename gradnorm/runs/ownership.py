"""Only the process that a run belongs to writes it: one that was taken for dead must not spoil what others make."""

from __future__ import annotations

import apsw

from gradnorm.runs.database import fetch
from gradnorm.runs.owner_process import Owner, this_process


class TakenOverError(RuntimeError):
    """The run belongs to another process by now. owner: None while it waits in the queue."""

    def __init__(self, run_id: str, owner: Owner | None, steps: int) -> None:
        super().__init__(run_id, owner, steps)
        self.run, self.owner, self.steps = run_id, owner, steps

    def __str__(self) -> str:
        whom = f"{self.owner.host.partition(' ')[0]} (process {self.owner.pid})" if self.owner else "the queue"
        return f"Run {self.run} was taken over by {whom} at step {self.steps:,}. This process stops training it."


def owned(db: apsw.Connection, run_id: str) -> bool:
    """Whether a run is there and belongs to this process."""
    return any(owner == this_process() for owner, _ in _owner(db, run_id))


def check_owned(db: apsw.Connection, run_id: str) -> None:
    """Raise TakenOverError if a run belongs to another process, or to none."""
    for owner, steps in _owner(db, run_id):
        if owner != this_process():
            raise TakenOverError(run_id, owner, steps)


def _owner(db: apsw.Connection, run_id: str) -> list[tuple[Owner | None, int]]:
    """Return whom a run belongs to, and its steps; nothing if there is no such run."""
    rows = fetch(db, "SELECT host, pid, started, steps FROM runs WHERE run = ?", (run_id,))
    return [(None if host is None else Owner(host, pid, started), steps) for host, pid, started, steps in rows]
