"""What is wrong with a home: a look at the database, each record, each checkpoint and each run's process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import apsw

from gradnorm.runs.blocks import read_evaluations, read_events, read_rows
from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.damage import found
from gradnorm.runs.database import UNREADABLE, Database, fetch
from gradnorm.runs.faults import DamageError, StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.run_table import Position, damaged_rows, find, newest

ALL = 2**62


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a home.

    kind: "database" and "records" are mended by a rebuilt database, "checkpoint" and "orphan" by moving files aside,
        and "process" by marking the run as interrupted. "lost" is what no repair brings back.
    run: whose it is; None for the home itself.  sentence: what is wrong.
    """

    kind: Literal["database", "records", "checkpoint", "orphan", "process", "lost"]
    run: str | None
    sentence: str


def examine(home: Path) -> list[Finding]:
    """Return what is wrong with a home, in order of weight; nothing is changed but the schema of an older home.

    Raises StoreError for a home that is none, or of a newer version.
    """
    path = home / "gradnorm.db"
    if not path.is_file():
        raise StoreError(
            f"A home should hold a file gradnorm.db. Found none in {home}. "
            "Name the directory of the runs with --home, or put the file back from a copy."
        )
    try:
        database = Database(path)
    except DamageError as error:
        return [Finding("database", None, str(error))]
    try:
        return [*_in_database(database, path), *_in_checkpoints(database, Checkpoints(home / "checkpoints"))]
    finally:
        database.close()


def _in_database(database: Database, path: Path) -> Iterator[Finding]:
    try:
        with database.read() as db:
            yield from _in_pages(db, path)
            for name in damaged_rows(db):
                told = f"The description of {name} should be as it was written. Found it damaged."
                yield Finding("records", name, told)
            for info, _ in newest(db, ALL):
                yield from _in_run(db, info)
    except DamageError as error:
        yield Finding("database", None, str(error))


def _in_pages(db: apsw.Connection, path: Path) -> Iterator[Finding]:
    """Yield what SQLite itself finds."""
    try:
        faults = [str(fault) for (fault,) in fetch(db, "PRAGMA integrity_check(20)") if fault != "ok"]
        faults += [f"a row of {table} belongs to no run" for table, *_ in fetch(db, "PRAGMA foreign_key_check")][:20]
    except UNREADABLE as error:
        faults = [str(error)]
    for fault in faults:
        yield Finding("database", None, f"The pages of {path} should be in order. Found: {' '.join(fault.split())}.")


def _in_run(db: apsw.Connection, info: RunInfo) -> Iterator[Finding]:
    """Yield what is wrong with a run whose description is sound."""
    _, at = find(db, info.run)
    blocks, lost = read_rows(db, at, -1, ALL)
    evaluations, unread = read_evaluations(db, at, -1, ALL)
    events, untold = read_events(db, at, 0, ALL)
    damage = [*lost, *unread, *untold]
    kept = {"blocks": len(blocks), "evaluations": len(evaluations), "events": len(events)}
    if any(_stored(db, at, table) != count for table, count in kept.items()):
        told = found(info.run, damage) or f"The records of run {info.run} should be in order. Found rows that are not."
        yield Finding("records", info.run, told)
    elif damage:
        yield Finding("lost", info.run, f"{found(info.run, damage)} They are lost; the rest can be read.")
    state = fetch(db, "SELECT state FROM runs WHERE number = ?", (at.number,))
    if info.state == "interrupted" and state != [("interrupted",)]:
        told = f"Run {info.run} should have a process, or an end. Found its process gone at step {info.steps:,}."
        yield Finding("process", info.run, told)


def _stored(db: apsw.Connection, at: Position, table: str) -> int:
    """Return how many rows a table has of a run, sound or not; −1 if they cannot be counted."""
    try:
        return fetch(db, f"SELECT count(*) FROM {table} WHERE number = ?", (at.number,))[0][0]
    except UNREADABLE:
        return -1


def _in_checkpoints(database: Database, checkpoints: Checkpoints) -> Iterator[Finding]:
    try:
        with database.read() as db:
            known = {info.run for info, _ in newest(db, ALL)} | set(damaged_rows(db))
    except DamageError:
        return
    for run in checkpoints.runs():
        if run not in known:
            told = f"The checkpoints in {checkpoints.folder(run)} should be of a run. Found no run of that name."
            yield Finding("orphan", run, told)
            continue
        for fault in checkpoints.faults(run).values():
            yield Finding("checkpoint", run, fault)
