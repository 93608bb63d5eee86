"""A home with thousands of small runs, put into the database directly."""

from __future__ import annotations

import json
from pathlib import Path

from gradnorm.config.spec import RunSpec
from gradnorm.runs.blocks import write_evaluations, write_rows
from gradnorm.runs.database import Database
from gradnorm.runs.run_table import change, insert, position
from gradnorm.runs.store import RunStore
from tests.factories import TINY, evaluation, finished, step_records

METHODS = ("gradnorm", "equal", "dwa", "uncertainty")
STATES = ("finished", "finished", "stopped", "diverged")
ALPHAS = (0.0, 0.12, 0.5, 1.5)
TAGS = ("keep", "paper", "Übung")


def seed(home: Path, count: int) -> list[str]:
    """Fill a home with runs that have ended, of a few steps each, and return their ids, oldest first.

    Each 10 runs from the first on are a race of two and eight on their own; each 25th has a name, notes and tags.
    """
    RunStore(home).close()
    database = Database(home / "gradnorm.db")
    runs: list[str] = []
    specs = {
        (method, alpha): RunSpec.parse(
            {**TINY, "method": method, "alpha": alpha} if method == "gradnorm" else {**TINY, "method": method}
        )
        for method in METHODS
        for alpha in ALPHAS
    }
    records = step_records(1, 8)
    with database.write() as db:
        for i in range(count):
            spec = specs[METHODS[i % 4], ALPHAS[i // 4 % 4]]
            flat = {**spec.flat(), "seed": i}
            race = f"{i // 10:012x}" if i % 10 < 2 else None
            run = insert(
                db, f"20260101-{i:06}-{i:06x}", f"{spec.title} {i}", flat, ["task 1", "task 2"], False, race=race
            )
            at = position(db, run)
            steps = write_rows(db, at, records[: 2 + i % 7])
            write_evaluations(db, at.number, [evaluation(i % 97)])
            state = STATES[i // 3 % 4]
            labels = (f"Name {i}", f"note number {i}", json.dumps([TAGS[i // 25 % 3]]), int(i % 1000 == 0))
            values = (state, json.dumps(finished(2).to_dict() | {"kind": state}), steps, i % 89 / 8, i * 10.0)
            change(
                db,
                "state = ?, outcome = ?, steps = ?, seconds = ?, created = ?, evaluations = 1, host = NULL, "
                "name = ?, notes = ?, tags = ?, pinned = ?",
                "number = ?",
                (*values, *(labels if i % 25 == 0 else ("", "", "[]", 0)), at.number),
            )
            runs.append(run)
    database.close()
    return runs
