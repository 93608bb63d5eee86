"""Mending a home: a damaged database is built anew from what can be read, and damaged files are moved aside.

Nothing is deleted: what was there before is kept beside it.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import apsw

from gradnorm.common.texts import filled
from gradnorm.runs.blocks import keep, read_evaluations, read_events, read_rows, write_evaluations, write_events
from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.checksums import run_checksum
from gradnorm.runs.damage import found
from gradnorm.runs.database import UNREADABLE, Database, fetch
from gradnorm.runs.doctor import ALL, Finding, examine
from gradnorm.runs.faults import StoreError, read_only
from gradnorm.runs.owner_process import Owner, this_process
from gradnorm.runs.records import Outcome
from gradnorm.runs.run_table import COLUMNS, INTACT, LIST, change, is_id, is_intact, new_id, position, quantities_from
from gradnorm.runs.store import RunStore

# Bytes of a page of the database.
PAGE = 4096
_COUNTS = ("number", "steps", "forked_at", "keeps_events", "checked", "evaluations", "events", "pinned")
_TIMES = ("created", "seconds", "trashed")
_TEXTS = ("run", "title", "spec", "tasks", "state", "columns", "name", "notes", "tags")


def repair(home: Path, findings: Sequence[Finding]) -> list[str]:
    """Mend what can be mended of `examine`'s findings, and return sentences on what was done.

    Raises StoreError for a home that cannot be written, in which a run is going on, or of which nothing can be read.
    """
    if not os.access(home, os.W_OK):
        raise read_only(home)
    kinds = {finding.kind for finding in findings}
    done: list[str] = []
    if kinds & {"database", "records"}:
        done += rebuild(home / "gradnorm.db")
        findings = examine(home)
    checkpoints = Checkpoints(home / "checkpoints")
    for run in dict.fromkeys(finding.run for finding in findings if finding.kind == "checkpoint"):
        done += [f"Moved a damaged checkpoint to {path}." for path in checkpoints.set_aside(str(run))]
    for finding in findings:
        if finding.kind == "orphan":
            done.append(_set_orphan_aside(home, checkpoints.folder(str(finding.run))))
    store = RunStore(home)
    done += [f"Marked run {run} as interrupted." for run in store.reap()]
    store.close()
    return done


def rebuild(path: Path) -> list[str]:
    """Build a database anew from the rows that are as they were written; return sentences on what was done.

    The damaged file is kept beside it. Raises StoreError if a run is going on, or if no table can be read.
    """
    aside = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    fresh, lent = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.lent")
    for left in (fresh, lent):
        left.unlink(missing_ok=True)
    try:
        database = Database(fresh)
        database.close()  # its pages are in the file itself from now on
        with closing(_opened(path, fresh, lent)) as old, database.write() as new:
            rows, done = _described(old, path)
            done += [told for row in rows for told in _bring_over(old, new, row)]
            done += _bring_studies(old, new)
        database.close()
        _swap(path, fresh, aside)
    finally:
        for left in (fresh, lent):
            left.unlink(missing_ok=True)
    return [f"Built {path} anew from {len(rows):,} runs that could be read. The damaged file is kept: {aside}.", *done]


def _opened(path: Path, fresh: Path, lent: Path) -> apsw.Connection:
    """Return a connection to a damaged database; if its first page is beyond reading, to a copy with a new one's.

    The first page has the schema, and says where each table begins: in a new database where it does in most. Should it
    not, no row has the checksum that it should have.
    """
    old = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    old.create_scalar_function("run_checksum", run_checksum, deterministic=True)
    with suppress(*UNREADABLE):
        if fetch(old, f"SELECT count(*) FROM runs WHERE {INTACT}")[0][0]:
            return old
    shutil.copyfile(path, lent)
    page = bytearray(fresh.read_bytes()[:PAGE])
    page[28:32] = (path.stat().st_size // PAGE).to_bytes(4, "big")  # how many pages there are
    page[32:40] = bytes(8)  # of which none is said to be free
    with lent.open("r+b") as file:
        file.write(page)
    other = apsw.Connection(str(lent), flags=apsw.SQLITE_OPEN_READWRITE)
    other.create_scalar_function("run_checksum", run_checksum, deterministic=True)
    with suppress(*UNREADABLE):
        if fetch(other, f"SELECT count(*) FROM runs WHERE {INTACT}")[0][0]:
            old.close()
            return other
    other.close()
    return old


def _described(old: apsw.Connection, path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows of runs, by column, damaged ones too if they still make sense; and sentences on the others.

    Raises StoreError.
    """
    broken: list[Exception] = []
    rows: dict[Any, Any] = {}
    for way in ("ASC", "DESC"):
        try:
            for row in old.execute(f"{LIST} ORDER BY number {way}"):
                rows[row[0]] = row
            break
        except UNREADABLE as error:
            broken.append(error)
    if not rows and broken:
        raise StoreError(
            f"The database {path} should have a table of runs to be mended. Found none that can be read ({broken[0]}). "
            "Put the file back from a copy, or move it away to begin a new home."
        )
    described: list[dict[str, Any]] = []
    left_out: list[str] = []
    for _, row in sorted(rows.items()):
        named = dict(zip(COLUMNS, row, strict=False)) | {"heartbeat": row[-2], "intact": is_intact(row)}
        if named["intact"] or _makes_sense(named):
            described.append({k: value.decode() if isinstance(value, bytes) else value for k, value in named.items()})
        else:
            name = bytes(named["run"] or b"").decode("utf-8", "replace")
            left_out.append(f"Left out run {name}, whose description cannot be read; the damaged file has it.")
    return described, left_out


def _makes_sense(named: dict[str, Any]) -> bool:
    """Whether a damaged description can still be read, though perhaps not as it was written."""
    counts = [named[name] for name in _COUNTS]
    times = [*[named[name] for name in ("created", "seconds", "heartbeat")], named["trashed"] or 0]
    others = [named[name] for name in COLUMNS if name not in (*_COUNTS, *_TIMES, "pid", "started")]
    try:
        texts = {name: named[name].decode() for name in _TEXTS}
        spec, *lists = [json.loads(texts[name]) for name in ("spec", "tasks", "tags")]
        shapes = {shape for _, shape in quantities_from(texts["columns"])}
        kinds = [isinstance(text, bytes) and text.decode() for text in others if text is not None]
    except (ValueError, TypeError, AttributeError):
        return False
    return (
        all(isinstance(count, int) and 0 <= count < 2**40 for count in counts)
        and all(isinstance(each, int | float) for each in times)
        and False not in kinds
        and isinstance(spec, dict)
        and all(isinstance(each, list) for each in lists)
        and shapes <= {"scalar", "task"}
    )


def _bring_over(old: apsw.Connection, new: apsw.Connection, row: dict[str, Any]) -> Iterator[str]:
    """Write a run with all its sound records into the new database, and yield what became of it."""
    intact = row.pop("intact")
    if not intact:
        message = filled(
            "The description of this run was damaged, and the run was repaired: settings, title and times may differ "
            "from what they were. Its records are as they were written."
        )
        if not is_id(row["run"]):
            row["run"] = new_id()
        row |= {
            "trashed": None,
            "state": "failed",
            "outcome": json.dumps(Outcome("failed", row["steps"], message).to_dict()),
        }
        yield f"Kept run {row['run']}, whose description was damaged and may be wrong; its outcome says so."
    elif row["state"] in ("running", "paused") and _alive(row):
        raise StoreError(
            f"No run should be going on in a home that is repaired. Found run {row['run']} running. Stop it first."
        )
    row["checksum"] = run_checksum(*[row[name] for name in COLUMNS])
    try:
        new.execute(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", row)
    except apsw.ConstraintError:  # damaged into the name of another run
        yield f"Left out the run that is now called {row['run']}, as another is; the damaged file has it."
        return
    at = position(new, row["run"])
    blocks, lost = read_rows(old, at, -1, ALL)
    evaluations, unread = read_evaluations(old, at, -1, ALL)
    events, untold = read_events(old, at, 0, ALL)
    for block in blocks:
        keep(new, at, block)
    write_evaluations(new, at.number, evaluations)
    write_events(new, at.number, events)
    if not intact:
        counted = (max([at.forked_at, *[block.last for block in blocks]]), len(evaluations), len(events), at.number)
        change(new, "steps = ?, evaluations = ?, events = ?", "number = ?", counted)
    elif damage := [*lost, *unread, *untold]:
        yield f"{found(at.run, damage)} All others were kept."


def _bring_studies(old: apsw.Connection, new: apsw.Connection) -> list[str]:
    """Write the studies into the new database, and return a sentence if they could not be read."""
    try:
        for table, width in (("studies", 7), ("study_runs", 5), ("leases", 3)):
            rows = fetch(old, f"SELECT * FROM {table}")
            new.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)
    except (*UNREADABLE, apsw.ConstraintError) as error:
        return [f"Left out studies that cannot be read ({error}); the damaged file has them. Their runs were kept."]
    return []


def _alive(row: dict[str, Any]) -> bool:
    owner = Owner(row["host"], row["pid"], row["started"])
    return owner != this_process() and owner.alive(row["heartbeat"])


def _swap(path: Path, fresh: Path, aside: Path) -> None:
    """Put the new database in the place of the damaged one, which gets another name first, with its log."""
    os.link(path, aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    fresh.replace(path)


def _set_orphan_aside(home: Path, folder: Path) -> str:
    aside = home / f"checkpoints.orphaned-{time.strftime('%Y%m%d-%H%M%S')}"
    aside.mkdir(exist_ok=True)
    return f"Moved checkpoints of no run to {folder.rename(aside / folder.name)}."
