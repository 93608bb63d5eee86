"""Leases in the database: runs that are trained elsewhere, and how far what comes of them has been taken in.

A lease is trained by one attempt at a time. How many segments of it have been taken is noted in the transaction that
writes their records: so whatever is sent twice, or by an attempt that was given up, is recorded exactly once.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import apsw

from gradnorm.runs.blocks import Stored, keep, write_evaluations, write_events
from gradnorm.runs.database import Database, fetch
from gradnorm.runs.ownership import TakenOverError, check_owned
from gradnorm.runs.records import RunInfo, width
from gradnorm.runs.run_table import UnknownRunError, change, position
from gradnorm.runs.segments import Piece, Segment


class LateError(RuntimeError):
    """A segment is of an attempt that another one has taken the place of; the message says so."""


@dataclass(frozen=True)
class Standing:
    """Where a lease stands. attempt: the present one, from 1.  taken: how many of its segments are recorded."""

    attempt: int
    taken: int


def lease_of(info: RunInfo) -> str:
    """Return the lease of a run: its race, or itself."""
    return info.race or info.run


class Leases:
    """The leases of a home."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def standing(self, lease: str) -> Standing | None:
        """Return where a lease stands; None before its first attempt."""
        with self._db.read() as db:
            return _standing(db, lease)

    def begin(self, lease: str) -> int:
        """Return the number of a new attempt, which all earlier ones of the lease are late for from now on."""
        with self._db.write() as db:
            db.execute(
                "INSERT INTO leases (lease, attempt) VALUES (?, 1) "
                "ON CONFLICT (lease) DO UPDATE SET attempt = attempt + 1, taken = 0",
                (lease,),
            )
            found = _standing(db, lease)
        assert found is not None
        return found.attempt

    def supersede(self, lease: str) -> None:
        """Make all attempts of a lease late, if there are any: its runs are trained in this process from now on."""
        with self._db.write() as db:
            db.execute("UPDATE leases SET attempt = attempt + 1, taken = 0 WHERE lease = ?", (lease,))

    def take(self, segment: Segment) -> dict[str, Exception]:
        """Write the records of a segment; once this returns they survive the process. One taken already is left.

        Return the runs whose records are no longer wanted, each with why: UnknownRunError where it was deleted,
        TakenOverError where it belongs to another process.
        Raises LateError for a segment of another attempt, ValueError for one out of turn or with steps out of turn.
        """
        refused: dict[str, Exception] = {}
        with self._db.write() as db:
            now = _standing(db, segment.lease)
            if now is None or now.attempt != segment.attempt:
                raise LateError(
                    f"Records should be of attempt {now.attempt if now else 'none'} of lease {segment.lease}. "
                    f"Found attempt {segment.attempt}. They are made again."
                )
            if segment.number <= now.taken:
                return {}
            if segment.number != now.taken + 1:
                raise ValueError(
                    f"The next segment of lease {segment.lease} should be number {now.taken + 1}. "
                    f"Found {segment.number}. Take each in order."
                )
            for piece in segment.pieces:
                try:
                    check_owned(db, piece.run)
                    _write(db, piece)
                except (UnknownRunError, TakenOverError) as error:
                    refused[piece.run] = error
            db.execute("UPDATE leases SET taken = ? WHERE lease = ?", (segment.number, segment.lease))
        return refused


def _standing(db: apsw.Connection, lease: str) -> Standing | None:
    rows = fetch(db, "SELECT attempt, taken FROM leases WHERE lease = ?", (lease,))
    return Standing(*rows[0]) if rows else None


def _write(db: apsw.Connection, piece: Piece) -> None:
    """Write a piece of a run's records. Raises UnknownRunError, ValueError for steps out of turn."""
    at = position(db, piece.run)
    size = 4 * width(at.tasks, at.quantities)
    if piece.first != at.steps + 1 or len(piece.rows) != piece.steps * size:
        raise ValueError(
            f"Rows of run {piece.run} should go on at step {at.steps + 1}, with {size} bytes each. Found {piece.steps} "
            f"from step {piece.first} on, of {len(piece.rows)} bytes. Take each piece once and in order."
        )
    last = at.steps + piece.steps
    if piece.steps:
        keep(db, at, Stored(piece.first, last, piece.rows))
    write_evaluations(db, at.number, piece.evaluations)
    write_events(db, at.number, piece.events)
    more = "steps = ?, seconds = seconds + ?, heartbeat = ?, evaluations = evaluations + ?, events = events + ?"
    values: list[Any] = [last, piece.seconds, time.time(), len(piece.evaluations), len(piece.events)]
    if piece.device is not None:
        more, values = f"{more}, device = ?", [*values, piece.device]
    if piece.outcome is not None:
        more = f"{more}, state = ?, outcome = ?"
        values += [piece.outcome.kind, json.dumps(piece.outcome.to_dict())]
    change(db, more, "number = ?", [*values, at.number])
