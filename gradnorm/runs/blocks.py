"""What a run recorded, in the tables of the database: blocks of rows, evaluations and events.

Each row carries a checksum. What is not as it was written is left out when it is read, and named as `Damage`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import apsw
import numpy as np

from gradnorm.runs.checksums import checksum
from gradnorm.runs.damage import Damage, gaps
from gradnorm.runs.database import UNREADABLE, fetch, gather
from gradnorm.runs.faults import DamageError
from gradnorm.runs.plain import json_safe
from gradnorm.runs.records import Evaluation, Event, Rows, StepRecord, width
from gradnorm.runs.run_table import Position, change
from gradnorm.runs.titles import retitle

# A block is found by its index and, should that be damaged, by the table alone; from either end, so that a damaged
# page hides no other.
_BLOCKS = "SELECT first, last, rows, checksum FROM blocks {} WHERE number = ? AND last > ? AND first <= ? ORDER BY {}"
_WAYS = [
    _BLOCKS.format(by, order)
    for by, order in (("", "last"), ("", "last DESC"), ("NOT INDEXED", "rowid"), ("NOT INDEXED", "rowid DESC"))
]
_EVALUATIONS = [
    f"SELECT step, CAST(body AS BLOB), checksum FROM evaluations WHERE {number} = ? AND step > ? AND step <= ? {order}"
    for number, order in (("number", "ORDER BY step"), ("number", "ORDER BY step DESC"), ("+number", ""))
]
_EVENTS = [
    "SELECT id, step, CAST(key AS BLOB), CAST(value AS BLOB), time, checksum "
    f"FROM events {by} WHERE number = ? AND step <= ? ORDER BY id {order}"
    for by, order in (("", ""), ("", "DESC"), ("NOT INDEXED", ""), ("NOT INDEXED", "DESC"))
]


class Stored(NamedTuple):
    """A block of rows as it is kept: of the steps first … last."""

    first: int
    last: int
    rows: bytes


def write_rows(db: apsw.Connection, at: Position, records: Sequence[StepRecord]) -> int:
    """Write records as one block and return their last step. Raises ValueError for a step out of turn, or other tasks.

    A run that another build began keeps its columns: what it has no column for is not kept, and a column that this
    build does not know is NaN.
    """
    steps = [int(record.step) for record in records]
    if steps != list(range(at.steps + 1, at.steps + 1 + len(steps))):
        raise ValueError(
            f"Records should continue at step {at.steps + 1}, one a step. Found steps {steps[0]} … "
            f"{steps[-1]} ({len(steps)} records). Append each record once and in order."
        )
    rows = np.array([record.row(at.quantities) for record in records], dtype="<f4")
    if rows.shape[1] != width(at.tasks, at.quantities):
        raise ValueError(
            f"Records should be of the run's {at.tasks} tasks. Found {len(records[0].losses)}. "
            "Append them to the run that they belong to."
        )
    keep(db, at, Stored(steps[0], steps[-1], rows.tobytes()))
    return steps[-1]


def keep(db: apsw.Connection, at: Position, block: Stored) -> None:
    """Write a block of rows."""
    db.execute(
        "INSERT INTO blocks (number, first, last, rows, checksum) VALUES (?, ?, ?, ?, ?)",
        (at.number, *block, checksum(at.number, *block)),
    )


def read_rows(db: apsw.Connection, at: Position, since: int, until: int) -> tuple[list[Stored], list[Damage]]:
    """Return the intact blocks that hold any of the steps since < t ≤ until, and which of these no block holds."""
    size = 4 * width(at.tasks, at.quantities)
    first, last = max(since, at.forked_at) + 1, min(until, at.steps)

    def intact(row: Any) -> bool:
        if row[3] is None and not at.checked:
            return isinstance(row[2], bytes) and len(row[2]) == (row[1] - row[0] + 1) * size
        return row[3] == checksum(at.number, *row[:3])

    def missing(found: Collection[Any]) -> list[tuple[int, int]]:
        return gaps(sorted(row[:2] for row in found), first, last)

    rows = gather(db, _WAYS, (at.number, since, until), intact, lambda found: not missing(found))
    return [Stored(*row[:3]) for row in rows], [Damage("records", *span) for span in missing(rows)]


def decode(blocks: Sequence[Stored], at: Position) -> Rows:
    """Return blocks as rows, shape [n, width(T)]."""
    return np.frombuffer(b"".join([block.rows for block in blocks]), dtype="<f4").reshape(
        -1, width(at.tasks, at.quantities)
    )


def take_back(db: apsw.Connection, at: Position, step: int, evaluated: int, changed: int) -> None:
    """Delete rows of steps > `step`, evaluations of steps > `evaluated` and events of steps > `changed`.

    Raises DamageError if a damaged block would have to be cut.
    """
    cut, damage = read_rows(db, at, step, step + 1)
    held = db.execute("SELECT 1 FROM blocks WHERE number = ? AND first <= ? AND last > ?", (at.number, step, step)).get
    if damage and held:
        raise DamageError(
            f"To go on from step {step:,}, run {at.run} should have its records as they were written. Found those "
            "around it damaged. Run `gradnorm doctor --repair` first."
        )
    db.execute("DELETE FROM blocks WHERE number = ? AND last > ?", (at.number, step))
    for block in cut:
        if block.first <= step:
            kept = block.rows[: (step - block.first + 1) * 4 * width(at.tasks, at.quantities)]
            keep(db, at, Stored(block.first, step, kept))
    gone: list[int] = []
    for table, after in (("evaluations", evaluated), ("events", changed)):
        db.execute(f"DELETE FROM {table} WHERE number = ? AND step > ?", (at.number, after))
        gone.append(db.changes())
    fewer = "steps = min(steps, ?), evaluations = evaluations - ?, events = events - ?"
    change(db, fewer, "number = ?", (step, *gone, at.number))
    if gone[1]:
        retitle(db, at.number)


def write_evaluations(db: apsw.Connection, number: int, evaluations: Sequence[Evaluation]) -> None:
    """Write evaluations, one a step."""
    for evaluation in evaluations:
        body = json.dumps(evaluation.to_dict())
        db.execute(
            "INSERT INTO evaluations (number, step, body, checksum) VALUES (?, ?, ?, ?)",
            (number, evaluation.step, body, checksum(number, int(evaluation.step), body)),
        )


def read_evaluations(
    db: apsw.Connection, at: Position, since: int, until: int
) -> tuple[tuple[Evaluation, ...], list[Damage]]:
    """Return the evaluations of steps since < t ≤ until, in their order, and where some are missing.

    Whether there are as many as were written is known where all of them are read.
    """
    expected = at.evaluations if since < 0 and until >= at.steps else 0
    damaged = set[Any]()

    def intact(row: Any) -> bool:
        if row[2] == checksum(at.number, *row[:2]) or (row[2] is None and not at.checked and _read(row[1])):
            return True
        damaged.add(row[0])
        return False

    def complete(found: Collection[Any]) -> bool:
        return not damaged and len(found) >= expected

    rows = gather(db, _EVALUATIONS, (at.number, since, until), intact, complete)
    steps = damaged - {row[0] for row in rows}
    found = [Damage("evaluations", step, step) for step in sorted(step for step in steps if isinstance(step, int))]
    if len(rows) < expected and not found:
        found = [Damage("evaluations", max(since, at.forked_at), at.steps)]
    return tuple([evaluation for _, body, _ in rows if (evaluation := _read(body))]), found


def final_loss(db: apsw.Connection, at: Position) -> float | None:
    """Return the task-normalised loss of a run's last evaluation; None if there is none, or it can't be read."""
    last = "SELECT step, CAST(body AS BLOB), checksum FROM evaluations WHERE number = ? ORDER BY step DESC LIMIT 1"
    with suppress(*UNREADABLE):
        for step, body, sealed in fetch(db, last, (at.number,)):
            sound = sealed == checksum(at.number, step, body) or (sealed is None and not at.checked)
            if sound and (evaluation := _read(body)):
                return evaluation.task_normalized_loss
    return None


def _read(body: bytes) -> Evaluation | None:
    """Return an evaluation from its stored form; None if it is none."""
    try:
        return Evaluation.from_dict(json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def write_events(db: apsw.Connection, number: int, events: Sequence[Event]) -> None:
    """Write events in the order in which they happened."""
    for event in events:
        value = json.dumps(json_safe(event.value), allow_nan=False)
        stored = (number, int(event.step), event.key, value, float(event.when))
        db.execute(
            "INSERT INTO events (number, step, key, value, time, checksum) VALUES (?, ?, ?, ?, ?, ?)",
            (*stored, checksum(*stored)),
        )
    if any(event.key == "alpha" for event in events):
        retitle(db, number)


def read_events(db: apsw.Connection, at: Position, known: int, until: int) -> tuple[tuple[Event, ...], list[Damage]]:
    """Return the events of steps ≤ `until` after the first `known` ones, in the order in which they happened.

    Whether there are as many as were written is known where all of them are read.
    """
    # A change may wait for the step after the last one.
    expected = at.events if until > at.steps else 0

    def intact(row: Any) -> bool:
        return row[5] == checksum(at.number, *row[1:5]) or (row[5] is None and not at.checked and _is_change(row))

    rows = gather(db, _EVENTS, (at.number, until), intact, lambda found: len(found) >= expected)
    missing = [Damage("changes", at.forked_at, at.steps)] if len(rows) < expected else []
    events = [Event(step, key.decode(), json.loads(value), when) for _, step, key, value, when, _ in rows]
    return tuple(events[known:]), missing


def _is_change(row: Any) -> bool:
    """Whether a row without a checksum can be read as an event."""
    try:
        row[2].decode()
        json.loads(row[3])
    except (ValueError, TypeError, AttributeError):
        return False
    return isinstance(row[1], int)
