"""A row of the table of runs, and what it says: `RunInfo`."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import apsw

from gradnorm.runs.database import fetch
from gradnorm.runs.owner_process import Owner, this_process
from gradnorm.runs.records import QUANTITIES, Outcome, Quantity, RunInfo, RunState

LIST = (
    "SELECT run, title, spec, tasks, state, steps, created, seconds, device, outcome, "
    "host, pid, started, heartbeat, race, parent, forked_at, columns, keeps_events, number FROM runs"
)


class UnknownRunError(KeyError):
    """There is no run of this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run = run_id

    def __str__(self) -> str:
        return f"The run should be one of this home's. Found no run {self.run!r}. List them: gradnorm runs."


def new_id() -> str:
    """Return an id that no run has: the time, and something random."""
    return time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)


def insert(
    db: apsw.Connection,
    run_id: str,
    title: str,
    spec: Mapping[str, Any],
    tasks: Sequence[str],
    queued: bool,
    *,
    race: str | None = None,
    parent: str | None = None,
    forked_at: int = 0,
) -> str:
    """Add a run, queued or running in this process, and return its id. It records `QUANTITIES`."""
    me, now = this_process(), time.time()
    owner = (None, None, None) if queued else (me.host, me.pid, me.started)
    values = {
        "run": run_id,
        "title": title,
        "spec": json.dumps(dict(spec)),
        "tasks": json.dumps(list(tasks)),
        "state": "queued" if queued else "running",
        "created": now,
        **dict(zip(("host", "pid", "started"), owner, strict=True)),
        "heartbeat": now,
        "race": race,
        "parent": parent,
        "forked_at": forked_at,
        "steps": forked_at,
        "columns": json.dumps(QUANTITIES),
        "keeps_events": 1,
    }
    db.execute(f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})", values)
    return run_id


def listed(db: apsw.Connection, where: str, values: Sequence[Any] = ()) -> list[tuple[RunInfo, int]]:
    """Return the runs, with their row numbers, that an SQL condition chooses (from WHERE or ORDER BY on)."""
    rows = fetch(db, f"{LIST} {where}", values)
    waits = any(row[4] == "queued" for row in rows)
    queue = fetch(db, "SELECT run FROM runs WHERE state = 'queued' ORDER BY number") if waits else []
    return [(_info(row, [run for (run,) in queue]), row[-1]) for row in rows]


def find(db: apsw.Connection, run_id: str) -> tuple[RunInfo, int]:
    """Return one run and its row number. Raises UnknownRunError."""
    rows = listed(db, "WHERE run = ?", (run_id,))
    if not rows:
        raise UnknownRunError(run_id)
    return rows[0]


def family(db: apsw.Connection, run_id: str) -> list[RunInfo]:
    """Return the runs to be looked at together: those that a run was forked from, and its race."""
    info, _ = find(db, run_id)
    members = [i for i, _ in listed(db, "WHERE race = ? ORDER BY number", (info.race,))] if info.race else [info]
    if info.parent is None:
        return members
    try:
        return [*family(db, info.parent), *members]
    except UnknownRunError:  # deleted since
        return members


@lru_cache(maxsize=64)
def quantities_from(columns: str) -> tuple[Quantity, ...]:
    """Return what a run records, from its `columns`: a JSON list of [name, shape]."""
    return tuple(Quantity(name, shape) for name, shape in json.loads(columns))


def _info(row: Sequence[Any], queue: Sequence[str]) -> RunInfo:
    run, title, spec, tasks, state, steps, created, seconds, device, outcome = row[:10]
    host, pid, started, beat, race, parent, forked_at, columns, keeps_events, _ = row[10:]
    ending = Outcome.from_dict(json.loads(outcome)) if outcome else None
    owner = Owner(host, pid, started) if host is not None else None
    mine = owner == this_process()
    if state in ("running", "paused") and not mine and (owner is None or not owner.alive(beat)):
        state = "interrupted"
        ending = Outcome("interrupted", steps, f"Its process ended at step {steps:,}. All records are kept.")
    here = mine and state in ("running", "paused")
    checked: RunState = state
    return RunInfo(
        run=run,
        title=title,
        spec=json.loads(spec),
        tasks=tuple(json.loads(tasks)),
        state=checked,
        steps=steps,
        created=created,
        seconds=seconds,
        device=device,
        outcome=ending,
        place=queue.index(run) + 1 if run in queue else None,
        here=here,
        race=race,
        parent=parent,
        forked_at=forked_at,
        quantities=quantities_from(columns),
        keeps_events=bool(keeps_events),
    )
