"""What a run recorded, in the tables of the database: blocks of rows, evaluations and events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import numpy as np

from gradnorm.runs.database import fetch
from gradnorm.runs.plain import json_safe
from gradnorm.runs.records import Evaluation, Event, Quantity, Rows, StepRecord, width
from gradnorm.runs.run_table import UnknownRunError, quantities_from


@dataclass(frozen=True)
class Position:
    """Where the next record of a run goes. number: of its row in `runs`.  steps: the last step written.  tasks: T."""

    number: int
    steps: int
    tasks: int
    quantities: tuple[Quantity, ...]


def position(db: apsw.Connection, run_id: str) -> Position:
    """Return where a run stands. Raises UnknownRunError."""
    rows = fetch(db, "SELECT number, steps, json_array_length(tasks), columns FROM runs WHERE run = ?", (run_id,))
    if not rows:
        raise UnknownRunError(run_id)
    number, steps, tasks, columns = rows[0]
    return Position(number, steps, tasks, quantities_from(columns))


def write_rows(db: apsw.Connection, at: Position, records: Sequence[StepRecord]) -> int:
    """Write records as one block and return their last step. Raises ValueError for a step out of turn, or other tasks.

    A run that another build began keeps its columns: what it has no column for is not kept, and a column that this
    build does not know is NaN.
    """
    steps = [record.step for record in records]
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
    db.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (at.number, steps[0], steps[-1], rows.tobytes()))
    return steps[-1]


def read_rows(db: apsw.Connection, number: int, since: int, until: int) -> list[bytes]:
    """Return the blocks that hold any of the steps since < t ≤ until."""
    chosen = "WHERE number = ? AND last > ? AND first <= ? ORDER BY last"
    return [blob for (blob,) in fetch(db, f"SELECT rows FROM blocks {chosen}", (number, since, until))]


def decode(blobs: Sequence[bytes], tasks: int, quantities: Sequence[Quantity]) -> Rows:
    """Return blocks as rows, shape [n, width(T)]."""
    return np.frombuffer(b"".join(blobs), dtype="<f4").reshape(-1, width(tasks, quantities))


def take_back(db: apsw.Connection, at: Position, step: int, evaluated: int, changed: int) -> None:
    """Delete rows of steps > `step`, evaluations of steps > `evaluated` and events of steps > `changed`."""
    cut = [decode([blob], at.tasks, at.quantities) for blob in read_rows(db, at.number, step, step)]
    db.execute("DELETE FROM blocks WHERE number = ? AND last > ?", (at.number, step))
    for rows in cut:
        kept = rows[rows[:, 0] <= step]
        db.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (at.number, int(kept[0, 0]), step, kept.tobytes()))
    db.execute("DELETE FROM evaluations WHERE number = ? AND step > ?", (at.number, evaluated))
    db.execute("DELETE FROM events WHERE number = ? AND step > ?", (at.number, changed))
    db.execute("UPDATE runs SET steps = min(steps, ?) WHERE number = ?", (step, at.number))


def write_evaluations(db: apsw.Connection, number: int, evaluations: Sequence[Evaluation]) -> None:
    """Write evaluations, one a step."""
    for evaluation in evaluations:
        body = json.dumps(evaluation.to_dict())
        db.execute("INSERT INTO evaluations VALUES (?, ?, ?)", (number, evaluation.step, body))


def read_evaluations(db: apsw.Connection, number: int, since: int, until: int) -> tuple[Evaluation, ...]:
    """Return the evaluations of steps since < t ≤ until, in their order."""
    chosen = "WHERE number = ? AND step > ? AND step <= ? ORDER BY step"
    bodies = fetch(db, f"SELECT body FROM evaluations {chosen}", (number, since, until))
    return tuple(Evaluation.from_dict(json.loads(body)) for (body,) in bodies)


def write_events(db: apsw.Connection, number: int, events: Sequence[Event]) -> None:
    """Write events in the order in which they happened."""
    for event in events:
        value = json.dumps(json_safe(event.value), allow_nan=False)
        db.execute(
            "INSERT INTO events (number, step, key, value, time) VALUES (?, ?, ?, ?, ?)",
            (number, event.step, event.key, value, event.when),
        )


def read_events(db: apsw.Connection, number: int, known: int, until: int) -> tuple[Event, ...]:
    """Return the events of steps ≤ `until` after the first `known` ones, in the order in which they happened."""
    rows = fetch(
        db,
        "SELECT step, key, value, time FROM events WHERE number = ? AND step <= ? ORDER BY id LIMIT -1 OFFSET ?",
        (number, until, known),
    )
    return tuple(Event(step, key, json.loads(value), when) for step, key, value, when in rows)
