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

import apsw
import numpy as np

from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.database import Database, fetch, unusable
from gradnorm.runs.owner_process import this_process
from gradnorm.runs.records import Evaluation, Outcome, Row, RunInfo, Snapshot, StepRecord, width
from gradnorm.runs.run_table import UnknownRunError, family, found, insert, listed

__all__ = ["CAN_GO_ON", "CannotGoOnError", "RunStore", "UnknownRunError", "default_home"]


class CannotGoOnError(ValueError):
    """The run cannot be continued as it is; the message says why and what to do."""


CAN_GO_ON = ("stopped", "interrupted", "failed")  # how a run has ended that may be continued


def default_home() -> Path:
    """Return where runs live: the environment's GRADNORM_HOME, else `runs/` in the working directory."""
    return Path(os.environ.get("GRADNORM_HOME") or "runs")


class RunStore:
    """The runs of one home directory; safe to use from several threads and processes at once.

    home: a directory, made if missing.
    Raises StoreError if it cannot be written or was written by a newer version.
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
        with self._db.write() as db:
            run = insert(db, title, spec, tasks, queued, (None, parent, forked_at))
            if parent is not None and forked_at:
                self.checkpoints.copy(parent, forked_at, run)
        return run

    def create_race(
        self, contenders: Sequence[tuple[str, Mapping[str, Any]]], tasks: Sequence[str], *, queued: bool
    ) -> list[str]:
        """Return the ids of new runs that are trained together, one for each title and spec."""
        origin = secrets.token_hex(6), None, 0
        with self._db.write() as db:
            return [insert(db, title, spec, tasks, queued, origin) for title, spec in contenders]

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
        run: str,
        records: Sequence[StepRecord],
        evaluations: Sequence[Evaluation] = (),
        seconds: float = 0.0,
    ) -> None:
        """Write records that follow those already there; once this returns they survive the process.

        seconds: spent on them, added to the run's.
        Raises ValueError if a step is missing or already there, UnknownRunError for a run that is gone.
        """
        with self._db.write() as db:
            number, last, tasks = self._position(db, run)
            if records:
                steps = [record.step for record in records]
                if steps != list(range(last + 1, last + 1 + len(steps))):
                    raise ValueError(
                        f"Records should continue at step {last + 1}, one a step. Found steps {steps[0]} … "
                        f"{steps[-1]} ({len(steps)} records). Append each record once and in order."
                    )
                rows = np.array([record.row() for record in records], dtype="<f4")
                if rows.shape[1] != width(tasks):
                    raise ValueError(
                        f"Records should be of the run's {tasks} tasks. Found {len(records[0].losses)}. "
                        "Append them to the run that they belong to."
                    )
                db.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (number, steps[0], steps[-1], rows.tobytes()))
                last = steps[-1]
            for evaluation in evaluations:
                body = json.dumps(evaluation.to_dict())
                db.execute("INSERT INTO evaluations VALUES (?, ?, ?)", (number, evaluation.step, body))
            db.execute(
                "UPDATE runs SET steps = ?, seconds = seconds + ?, heartbeat = ? WHERE number = ?",
                (last, seconds, time.time(), number),
            )

    def read(self, run: str, since: int = 0, until: int | None = None, evaluated_since: int | None = None) -> Snapshot:
        """Return the run and its records of steps since < t ≤ until.

        evaluated_since: a cursor of its own for evaluations; None takes all those from `since` on when
            `since` is given, and from step 0 on when it is 0.
        Raises UnknownRunError.
        """
        cursor = evaluated_since if evaluated_since is not None else (since or -1)
        top = 2**62 if until is None else until
        with self._db.read() as db:
            info, number = found(db, run)
            blobs = fetch(
                db,
                "SELECT rows FROM blocks WHERE number = ? AND last > ? AND first <= ? ORDER BY last",
                (number, since, top),
            )
            bodies = fetch(
                db,
                "SELECT body FROM evaluations WHERE number = ? AND step > ? AND step <= ? ORDER BY step",
                (number, cursor, top),
            )
        rows = _decode([blob for (blob,) in blobs], len(info.tasks))
        inside = (rows[:, 0] > since) & (rows[:, 0] <= top)
        evaluations = tuple(Evaluation.from_dict(json.loads(body)) for (body,) in bodies)
        return Snapshot(info, rows if inside.all() else rows[inside], evaluations)

    def info(self, run: str) -> RunInfo:
        """Return one line of the catalogue. Raises UnknownRunError."""
        with self._db.read() as db:
            return found(db, run)[0]

    def family(self, run: str) -> list[RunInfo]:
        """Return what a run is looked at with: the runs it was forked from, and its race. Raises UnknownRunError."""
        with self._db.read() as db:
            return family(db, run)

    def runs(self, limit: int = 1000) -> list[RunInfo]:
        """Return the catalogue, newest first."""
        with self._db.read() as db:
            return [info for info, _ in listed(db, "ORDER BY number DESC LIMIT ?", (limit,))]

    def start(self, run: str, device: str) -> None:
        """Note the device that a running run has got."""
        self._set(run, "device = ?", device)

    def describe(self, run: str, spec: Mapping[str, Any]) -> None:
        """Change what a recorded run says of itself. Raises UnknownRunError."""
        self._set(run, "spec = ?", json.dumps(dict(spec)))

    def set_paused(self, run: str, paused: bool) -> None:
        """Note that a run is held, or goes on. Runs that have ended stay as they are."""
        new, old = ("paused", "running") if paused else ("running", "paused")
        with self._db.write() as db:
            db.execute(
                "UPDATE runs SET state = ?, heartbeat = ? WHERE run = ? AND state = ?",
                (new, time.time(), run, old),
            )

    def beat(self, runs: Sequence[str]) -> None:
        """Note that this process still holds these runs, for processes on other hosts."""
        with self._db.write() as db:
            db.executemany("UPDATE runs SET heartbeat = ? WHERE run = ?", [(time.time(), run) for run in runs])

    def end(self, run: str, outcome: Outcome) -> None:
        """Write how a run ended. Raises UnknownRunError."""
        self._set(run, "state = ?, outcome = ?", outcome.kind, json.dumps(outcome.to_dict()))

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

    def requeue(self, run: str, *, here: bool = False) -> list[str]:
        """Put a run that was stopped, interrupted or failed into the queue again, with its race; return them.

        here: they are running in this process at once instead.
        Raises CannotGoOnError for a run that is going on or has all its steps, UnknownRunError.
        """
        me = this_process()
        owner = ("running", me.host, me.pid, me.started) if here else ("queued", None, None, None)
        with self._db.write() as db:
            info, _ = found(db, run)
            if info.recorded:
                raise CannotGoOnError("A script has recorded this run, so it can't go on here. Run the script again.")
            if info.state not in CAN_GO_ON:
                raise CannotGoOnError(
                    f"To go on, a run should have been stopped or interrupted. Found it {info.state}. Fork it instead."
                )
            group = [i.run for i, _ in listed(db, "WHERE race = ?", (info.race,)) if i.state in CAN_GO_ON] or [run]
            change = "UPDATE runs SET state = ?, host = ?, pid = ?, started = ?, heartbeat = ?, outcome = NULL"
            db.executemany(f"{change} WHERE run = ?", [(*owner, time.time(), member) for member in group])
            return group

    def rewind(self, run: str, step: int, evaluated: int) -> None:
        """Take back records of steps > `step` and evaluations > `evaluated`, which are about to be made again.

        Raises UnknownRunError.
        """
        with self._db.write() as db:
            number, _, tasks = self._position(db, run)
            late = "FROM blocks WHERE number = ? AND last > ?"
            blobs = fetch(db, f"SELECT rows {late} AND first <= ? ORDER BY last", (number, step, step))
            db.execute(f"DELETE {late}", (number, step))
            for rows in (_decode([blob], tasks) for (blob,) in blobs):
                kept = rows[rows[:, 0] <= step]
                db.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (number, int(kept[0, 0]), step, kept.tobytes()))
            db.execute("DELETE FROM evaluations WHERE number = ? AND step > ?", (number, evaluated))
            db.execute("UPDATE runs SET steps = min(steps, ?) WHERE number = ?", (step, number))

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each write of this process, on the thread that wrote; see `version` for others."""
        self._db.listen(listener)

    def version(self) -> int:
        """Return a number that changes whenever another thread or process has written; costs microseconds."""
        return self._db.version()

    def withdraw(self, run: str) -> bool:
        """End a run that still waits in the queue; False if it no longer waits."""
        outcome = Outcome("stopped", 0, "Taken out of the queue before it started.")
        with self._db.write() as db:
            db.execute(
                "UPDATE runs SET state = 'stopped', outcome = ? WHERE run = ? AND state = 'queued'",
                (json.dumps(outcome.to_dict()), run),
            )
            return db.changes() > 0

    def delete(self, run: str) -> None:
        """Remove a run that is not running, with all its records. Raises UnknownRunError, ValueError."""
        with self._db.write() as db:
            info, number = found(db, run)
            if not info.ended:
                raise ValueError(f"Only a run that has ended can be deleted. Found {info.state}. Stop it first.")
            db.execute("DELETE FROM runs WHERE number = ?", (number,))
        self.checkpoints.delete(run)

    def close(self) -> None:
        """Close this thread's connection."""
        self._db.close()

    def _set(self, run: str, assignment: str, *values: str) -> None:
        with self._db.write() as db:
            db.execute(f"UPDATE runs SET {assignment} WHERE run = ?", (*values, run))
            if not db.changes():
                raise UnknownRunError(run)

    def _position(self, db: apsw.Connection, run: str) -> tuple[int, int, int]:
        """Return a run's number, last step and number of tasks."""
        rows = fetch(db, "SELECT number, steps, json_array_length(tasks) FROM runs WHERE run = ?", (run,))
        if not rows:
            raise UnknownRunError(run)
        return rows[0]


def _decode(blobs: Sequence[bytes], tasks: int) -> Row:
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(-1, width(tasks))
