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
    read_evaluations,
    read_events,
    read_rows,
    take_back,
    write_evaluations,
    write_events,
    write_rows,
)
from gradnorm.runs.catalogue import Catalogue
from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.damage import undescribed
from gradnorm.runs.database import Database
from gradnorm.runs.faults import gone, read_only, unusable
from gradnorm.runs.leases import Leases
from gradnorm.runs.ownership import check_owned, owned
from gradnorm.runs.queue import CAN_GO_ON, CannotGoOnError, interrupt, put_back, take_next, take_out
from gradnorm.runs.records import Evaluation, Event, Outcome, RunInfo, Snapshot, StepRecord
from gradnorm.runs.run_table import (
    UnknownRunError,
    change,
    damaged_rows,
    family,
    find,
    insert,
    new_id,
    newest,
    position,
)
from gradnorm.runs.studies import Studies
from gradnorm.runs.wishes import Wishes

__all__ = ["CAN_GO_ON", "CannotGoOnError", "RunStore", "UnknownRunError", "default_home"]


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
    checkpoints: the files with the states that a run can go on from.  wishes: what pages ask of scripts that record.
    studies: named groups of runs.  leases: runs trained elsewhere.  catalogue: the list with names, tags and the trash.
    read_only: whether nothing can be recorded.
    A home that can't be written can be read; what writes raises ReadOnlyHomeError there.
    Raises StoreError if the home cannot be used or was written by a newer version, DamageError if it is damaged.

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
        self.read_only = self._db.read_only
        self.checkpoints = Checkpoints(self.home / "checkpoints")
        self.wishes = Wishes(self._db)
        self.studies = Studies(self._db)
        self.leases = Leases(self._db)
        self.catalogue = Catalogue(self._db, self.checkpoints)

    @property
    def trouble(self) -> str | None:
        """Why nothing can be recorded now, as a sentence: a home that is read-only, or gone; None if neither."""
        if self.read_only:
            return str(read_only(self.home))
        return str(gone(self.home)) if self._db.gone else None

    def check(self) -> None:
        """Raise HomeGoneError or DamageError if nothing can be read."""
        with self._db.read():
            pass

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

    def claim(self, engine: str = "local") -> list[RunInfo]:
        """Take the first run of the queue that `engine` trains for this process, with its race; empty if none waits."""
        with self._db.write() as db:
            taken = take_next(db, engine)
        return [self.info(run) for run in taken]

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
            more = "steps = ?, seconds = seconds + ?, heartbeat = ?, evaluations = evaluations + ?, events = events + ?"
            values = (last, seconds, time.time(), len(evaluations), len(events), at.number)
            change(db, more, "number = ?", values)

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
        What is damaged is left out, and named in the snapshot's `damage`.
        Raises UnknownRunError, and DamageError where nothing of the run can be read.
        """
        cursor = evaluated_since if evaluated_since is not None else (since or -1)
        top = 2**62 if until is None else until
        with self._db.read() as db:
            info, at = find(db, run_id)
            blocks, lost = read_rows(db, at, since, top)
            evaluations, unread = read_evaluations(db, at, cursor, top)
            events, untold = read_events(db, at, known_events, top)
        rows = decode(blocks, at)
        inside = (rows[:, 0] > since) & (rows[:, 0] <= top)
        damage = (*lost, *unread, *untold)
        return Snapshot(info, rows if inside.all() else rows[inside], evaluations, events, damage)

    def info(self, run_id: str) -> RunInfo:
        """Return one line of the catalogue. Raises UnknownRunError."""
        with self._db.read() as db:
            return find(db, run_id)[0]

    def family(self, run_id: str) -> list[RunInfo]:
        """Return what a run is looked at with: the runs it was forked from, and its race. Raises UnknownRunError."""
        with self._db.read() as db:
            return family(db, run_id)

    def runs(self, limit: int = 1000) -> list[RunInfo]:
        """Return the newest runs, newest first, without those in the trash and those that `damage` names."""
        with self._db.read() as db:
            return [info for info, _ in newest(db, limit, "WHERE trashed IS NULL")]

    def damage(self) -> str:
        """Return a sentence on the runs of which the catalogue has no sound description; "" if there is none."""
        with self._db.read() as db:
            return undescribed(damaged_rows(db))

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
            if owned(db, run_id):
                change(db, "state = ?, heartbeat = ?", "run = ? AND state = ?", (new, time.time(), run_id, old))

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
            return interrupt(db)

    def requeue(self, run_id: str, *, here: bool = False) -> list[str]:
        """Put a run that was stopped, interrupted or failed into the queue again, with its race; return them.

        here: they are running in this process at once instead.
        Raises CannotGoOnError for a run that is going on or has all its steps, or that was changed while it ran and has
        no checkpoint: its records could not be made again. Raises UnknownRunError.
        """
        with self._db.write() as db:
            return put_back(db, run_id, self.checkpoints, here=here)

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
        with self._db.write() as db:
            return take_out(db, run_id)

    def delete(self, run_id: str) -> None:
        """Remove a run that is not running, with all its records. Raises UnknownRunError, ValueError."""
        self.catalogue.delete([run_id])

    def close(self) -> None:
        """Close this thread's connection."""
        self._db.close()

    def _set(self, run_id: str, assignment: str, *values: str, mine: bool = False) -> None:
        with self._db.write() as db:
            if mine:
                check_owned(db, run_id)
            if not change(db, assignment, "run = ?", (*values, run_id)):
                find(db, run_id)  # which says what is wrong
