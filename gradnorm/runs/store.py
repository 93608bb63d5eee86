"""Durable runs in one SQLite file: append and read(since), a catalogue, and a queue.

Write-ahead logging: a reader never blocks the writer. What `append` returned from survives the process.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradnorm.runs.blocks import (
    decode,
    position,
    read_evaluations,
    read_events,
    read_rows,
    take_back,
    write_evaluations,
    write_events,
    write_rows,
)
from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.database import Database, fetch, unusable
from gradnorm.runs.owner_process import this_process
from gradnorm.runs.ownership import check_owned, owned
from gradnorm.runs.records import Evaluation, Event, Outcome, RunInfo, Snapshot, StepRecord
from gradnorm.runs.run_table import UnknownRunError, family, find, insert, listed, new_id

__all__ = ["CAN_GO_ON", "CannotGoOnError", "RunStore", "UnknownRunError", "default_home"]


class CannotGoOnError(ValueError):
    """The run cannot be continued as it is; the message says why and what to do."""


CAN_GO_ON = ("stopped", "interrupted", "failed")  # how a run has ended that may be continued


def default_home() -> Path:
    """Return where runs live: the environment's GRADNORM_HOME, else `runs/` in the working directory."""
    return Path(os.environ.get("GRADNORM_HOME") or "runs")


class RunStore:
    """All runs of one home directory: their records, where each stands, and a queue of those to be trained.

    A run is created, queued or already running, and named by an id. Whoever trains it appends its records, a block at
    a time, and ends it with an `Outcome`. Anybody reads it meanwhile, from a cursor on: a reader never holds up a
    writer. Threads and processes may use one home at once, and several may open it at the same moment.

    home: the directory, made if missing; None takes GRADNORM_HOME, else `runs/`. Homes of earlier versions are brought
        to today's schema when they are opened.
    checkpoints: the files with the states that a run can go on from.
    Raises StoreError if the home cannot be written or was written by a newer version.

    >>> from tempfile import mkdtemp
    >>> from gradnorm.runs.records import StepRecord
    >>> from gradnorm.runs.store import RunStore
    >>> store = RunStore(mkdtemp())
    >>> run_id = store.create("toy", {"steps": 2}, ["a", "b"], queued=False)
    >>> two = (1.0, 1.0)
    >>> step = StepRecord(step=1, losses=(3.0, 2.0), weights=(1.25, 0.75), loss_ratios=two, relative_rates=two)
    >>> store.append(run_id, [step])
    >>> store.read(run_id).vector("weights").tolist()
    [[1.25, 0.75]]
    >>> store.close()
    """

    def __init__(self, home: Path | str | None = None) -> None:
        self.home = Path(home) if home is not None else default_home()
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unusable(self.home, error) from None
        self._db = Database(self.home / "gradnorm.db")
        self.checkpoints = Checkpoints(self.home / "checkpoints")

    def create(
        self,
        title: str,
        spec: Mapping[str, Any],
        tasks: Sequence[str],
        *,
        queued: bool,
        parent: str | None = None,
        forked_at: int = 0,
    ) -> str:
        """Return the id of a new run, at the end of the queue or already running in this process.

        parent, forked_at: the run that it comes from, and the step whose checkpoint it gets a copy of (0: none).
        Raises CheckpointError if there is no such checkpoint.
        """
        run_id = new_id()
        if parent is not None and forked_at:
            # Before the transaction: a checkpoint may be large, and nobody else writes meanwhile.
            self.checkpoints.copy(parent, forked_at, run_id)
        try:
            with self._db.write() as db:
                return insert(db, run_id, title, spec, tasks, queued, parent=parent, forked_at=forked_at)
        except BaseException:
            self.checkpoints.delete(run_id)
            raise

    def create_race(
        self, contenders: Sequence[tuple[str, Mapping[str, Any]]], tasks: Sequence[str], *, queued: bool
    ) -> list[str]:
        """Return the ids of new runs that are trained together, one for each title and spec."""
        race = secrets.token_hex(6)
        with self._db.write() as db:
            return [insert(db, new_id(), title, spec, tasks, queued, race=race) for title, spec in contenders]

    def claim(self) -> list[RunInfo]:
        """Take the first run of the queue for this process, with its race; empty if the queue is."""
        me = this_process()
        with self._db.write() as db:
            rows = fetch(
                db,
                "WITH next AS (SELECT number, race FROM runs WHERE state = 'queued' ORDER BY number LIMIT 1) "
                "UPDATE runs SET state = 'running', host = ?, pid = ?, started = ?, heartbeat = ? "
                "WHERE state = 'queued' AND (number = (SELECT number FROM next) OR race = (SELECT race FROM next)) "
                "RETURNING number",
                (me.host, me.pid, me.started, time.time()),
            )
        with self._db.read() as db:
            return [listed(db, "WHERE number = ?", row)[0][0] for row in sorted(rows)]

    def append(
        self,
        run_id: str,
        records: Sequence[StepRecord],
        evaluations: Sequence[Evaluation] = (),
        seconds: float = 0.0,
        events: Sequence[Event] = (),
    ) -> None:
        """Write records that follow those already there; once this returns they survive the process.

        seconds: spent on them, added to the run's.
        Raises ValueError if a step is missing or already there, UnknownRunError for a run that is gone, TakenOverError
        for one that belongs to another process.
        """
        with self._db.write() as db:
            check_owned(db, run_id)
            at = position(db, run_id)
            last = write_rows(db, at, records) if records else at.steps
            write_evaluations(db, at.number, evaluations)
            write_events(db, at.number, events)
            db.execute(
                "UPDATE runs SET steps = ?, seconds = seconds + ?, heartbeat = ? WHERE number = ?",
                (last, seconds, time.time(), at.number),
            )

    def read(
        self,
        run_id: str,
        since: int = 0,
        until: int | None = None,
        evaluated_since: int | None = None,
        known_events: int = 0,
    ) -> Snapshot:
        """Return the run and its records of steps since < t ≤ until.

        evaluated_since: a cursor of its own for evaluations; None takes all those from `since` on when
            `since` is given, and from step 0 on when it is 0.
        known_events: how many events the caller has had, which are left out. All others up to `until` are returned.
        Raises UnknownRunError.
        """
        cursor = evaluated_since if evaluated_since is not None else (since or -1)
        top = 2**62 if until is None else until
        with self._db.read() as db:
            info, number = find(db, run_id)
            blobs = read_rows(db, number, since, top)
            evaluations = read_evaluations(db, number, cursor, top)
            events = read_events(db, number, known_events, top)
        rows = decode(blobs, len(info.tasks), info.quantities)
        inside = (rows[:, 0] > since) & (rows[:, 0] <= top)
        return Snapshot(info, rows if inside.all() else rows[inside], evaluations, events)

    def info(self, run_id: str) -> RunInfo:
        """Return one line of the catalogue. Raises UnknownRunError."""
        with self._db.read() as db:
            return find(db, run_id)[0]

    def family(self, run_id: str) -> list[RunInfo]:
        """Return what a run is looked at with: the runs it was forked from, and its race. Raises UnknownRunError."""
        with self._db.read() as db:
            return family(db, run_id)

    def runs(self, limit: int = 1000) -> list[RunInfo]:
        """Return the catalogue, newest first."""
        with self._db.read() as db:
            return [info for info, _ in listed(db, "ORDER BY number DESC LIMIT ?", (limit,))]

    def start(self, run_id: str, device: str) -> None:
        """Note the device that a running run has got."""
        self._set(run_id, "device = ?", device)

    def describe(self, run_id: str, spec: Mapping[str, Any]) -> None:
        """Change what a recorded run says of itself. Raises UnknownRunError."""
        self._set(run_id, "spec = ?", json.dumps(dict(spec)))

    def set_paused(self, run_id: str, paused: bool) -> None:
        """Note that a run of this process is held, or goes on. Runs that have ended stay as they are."""
        new, old = ("paused", "running") if paused else ("running", "paused")
        with self._db.write() as db:
            if not owned(db, run_id):
                return
            db.execute(
                "UPDATE runs SET state = ?, heartbeat = ? WHERE run = ? AND state = ?",
                (new, time.time(), run_id, old),
            )

    def beat(self, runs: Sequence[str]) -> None:
        """Note that this process still holds these runs, for processes on other hosts."""
        with self._db.write() as db:
            mine = [(time.time(), run_id) for run_id in runs if owned(db, run_id)]
            db.executemany("UPDATE runs SET heartbeat = ? WHERE run = ?", mine)

    def end(self, run_id: str, outcome: Outcome) -> None:
        """Write how a run ended. Raises UnknownRunError, TakenOverError for a run of another process."""
        self._set(run_id, "state = ?, outcome = ?", outcome.kind, json.dumps(outcome.to_dict()), mine=True)

    def reap(self) -> list[str]:
        """Write down as interrupted the runs whose process is gone; return their ids."""
        with self._db.write() as db:
            held = listed(db, "WHERE state IN ('running', 'paused')")
            gone = [info for info, _ in held if info.state == "interrupted"]
            for info in gone:
                assert info.outcome is not None
                db.execute(
                    "UPDATE runs SET state = 'interrupted', outcome = ? WHERE run = ?",
                    (json.dumps(info.outcome.to_dict()), info.run),
                )
        return [info.run for info in gone]

    def requeue(self, run_id: str, *, here: bool = False) -> list[str]:
        """Put a run that was stopped, interrupted or failed into the queue again, with its race; return them.

        here: they are running in this process at once instead.
        Raises CannotGoOnError for a run that is going on or has all its steps, or that was changed while it ran and has
        no checkpoint: its records could not be made again. Raises UnknownRunError.
        """
        me = this_process()
        owner = ("running", me.host, me.pid, me.started) if here else ("queued", None, None, None)
        with self._db.write() as db:
            info, number = find(db, run_id)
            if info.recorded:
                raise CannotGoOnError("A script has recorded this run, so it can't go on here. Run the script again.")
            if info.state not in CAN_GO_ON:
                raise CannotGoOnError(
                    f"To go on, a run should have been stopped or interrupted. Found it {info.state}. Fork it instead."
                )
            race = [(i, n) for i, n in listed(db, "WHERE race = ?", (info.race,)) if i.state in CAN_GO_ON]
            members = race or [(info, number)]
            for member, place in members:
                self._check_can_be_remade(member, read_events(db, place, 0, member.steps))
            group = [member.run for member, _ in members]
            change = "UPDATE runs SET state = ?, host = ?, pid = ?, started = ?, heartbeat = ?, outcome = NULL"
            db.executemany(f"{change} WHERE run = ?", [(*owner, time.time(), member) for member in group])
            return group

    def rewind(self, run_id: str, step: int, evaluated: int, changed: int | None = None) -> None:
        """Take back records of steps > `step` and evaluations > `evaluated`, which are about to be made again.

        changed: events of later steps are taken back, too; None is `step`. A checkpoint after step t may hold a change
            that step t + 1 was to be the first to use.
        Raises UnknownRunError, TakenOverError for a run of another process.
        """
        with self._db.write() as db:
            check_owned(db, run_id)
            take_back(db, position(db, run_id), step, evaluated, step if changed is None else changed)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each write of this process, on the thread that wrote; see `version` for others."""
        self._db.listen(listener)

    def version(self) -> int:
        """Return a number that changes whenever another thread or process has written; costs microseconds."""
        return self._db.version()

    def withdraw(self, run_id: str) -> bool:
        """End a run that still waits in the queue; False if it no longer waits."""
        outcome = Outcome("stopped", 0, "Taken out of the queue before it started.")
        with self._db.write() as db:
            db.execute(
                "UPDATE runs SET state = 'stopped', outcome = ? WHERE run = ? AND state = 'queued'",
                (json.dumps(outcome.to_dict()), run_id),
            )
            return db.changes() > 0

    def delete(self, run_id: str) -> None:
        """Remove a run that is not running, with all its records. Raises UnknownRunError, ValueError."""
        with self._db.write() as db:
            info, number = find(db, run_id)
            if not info.ended:
                raise ValueError(f"Only a run that has ended can be deleted. Found {info.state}. Stop it first.")
            db.execute("DELETE FROM runs WHERE number = ?", (number,))
        self.checkpoints.delete(run_id)

    def close(self) -> None:
        """Close this thread's connection."""
        self._db.close()

    def _check_can_be_remade(self, info: RunInfo, events: Sequence[Event]) -> None:
        """Raise CannotGoOnError if a run would begin again from its start, without the changes that it was given."""
        changed = [event for event in events if event.key != "paused"]
        if changed and not any(step <= info.steps for step in self.checkpoints.steps(info.run)):
            raise CannotGoOnError(
                "To go on, a run that was changed while it ran should have a checkpoint. Found none of run "
                f"{info.run}, whose {changed[0].key} was changed at step {changed[0].step:,}. Its records are kept. "
                "Start it again as a new run, or set Checkpoint every."
            )

    def _set(self, run_id: str, assignment: str, *values: str, mine: bool = False) -> None:
        with self._db.write() as db:
            if mine:
                check_owned(db, run_id)
            db.execute(f"UPDATE runs SET {assignment} WHERE run = ?", (*values, run_id))
            if not db.changes():
                raise UnknownRunError(run_id)
