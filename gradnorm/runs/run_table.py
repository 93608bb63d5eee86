"""A row of the table of runs, and what it says: `RunInfo`."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import apsw

from gradnorm.common.texts import filled
from gradnorm.runs.checksums import run_checksum
from gradnorm.runs.database import UNREADABLE, fetch, gather
from gradnorm.runs.faults import DamageError
from gradnorm.runs.labels import Labels
from gradnorm.runs.owner_process import Owner, this_process
from gradnorm.runs.records import QUANTITIES, Outcome, Quantity, RunInfo, RunState

_NUMBERS = frozenset(
    {"number", "steps", "created", "seconds", "pid", "started", "forked_at", "keeps_events", "checked"}
    | {"evaluations", "events", "pinned", "trashed"}
)
# What a row's checksum is of: all but the heartbeat, which says nothing of the run.
COLUMNS = (
    *("number", "run", "title", "spec", "tasks", "state", "steps", "created", "seconds", "device", "outcome"),
    *("host", "pid", "started", "race", "parent", "forked_at", "columns", "keeps_events"),
    *("checked", "evaluations", "events"),
    *("name", "notes", "tags", "pinned", "trashed"),
)
# Text as it is in the file, which damage may have left without meaning.
_SEALED = ", ".join(name if name in _NUMBERS else f"CAST({name} AS BLOB)" for name in COLUMNS)
LIST = f"SELECT {_SEALED}, heartbeat, checksum FROM runs"
INTACT = f"checksum IS run_checksum({_SEALED})"


class UnknownRunError(KeyError):
    """There is no run of this id."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run = run_id

    def __str__(self) -> str:
        return f"The run should be one of this home's. Found no run {self.run!r}. List them: gradnorm runs."


@dataclass(frozen=True)
class Position:
    """Where the records of a run are, and where the next one goes.

    number: of its row in `runs`.  forked_at, steps: its own records are of the steps forked_at < t ≤ steps.  tasks: T.
    checked: whether each of its records carries a checksum.  evaluations, events: how many it has.
    """

    run: str
    number: int
    forked_at: int
    steps: int
    tasks: int
    quantities: tuple[Quantity, ...]
    checked: bool
    evaluations: int
    events: int


def new_id() -> str:
    """Return an id that no run has: the time, and something random."""
    return time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)


def is_id(text: str) -> bool:
    """Whether a text could be what `new_id` gave."""
    return re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", text, re.ASCII) is not None


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
        "checked": 1,
    }
    db.execute(f"INSERT INTO runs ({', '.join(values)}) VALUES ({', '.join(f':{name}' for name in values)})", values)
    _seal(db, [db.last_insert_rowid()])
    return run_id


def change(db: apsw.Connection, assignment: str, where: str, values: Sequence[Any]) -> list[int]:
    """Change the rows that an SQL condition chooses and return their numbers. Damaged rows stay as they are."""
    rows = fetch(db, f"UPDATE runs SET {assignment} WHERE ({where}) AND {INTACT} RETURNING number", values)
    _seal(db, [number for (number,) in rows])
    return sorted(number for (number,) in rows)


def _seal(db: apsw.Connection, numbers: Sequence[int]) -> None:
    for number in numbers:
        db.execute(f"UPDATE runs SET checksum = run_checksum({_SEALED}) WHERE number = ?", (number,))


def listed(db: apsw.Connection, where: str, values: Sequence[Any] = ()) -> list[tuple[RunInfo, int]]:
    """Return the runs, with their row numbers, that an SQL condition chooses (from WHERE or ORDER BY on).

    Damaged rows are left out; `damaged_rows` names them.
    """
    return _infos(db, [row for row in fetch(db, f"{LIST} {where}", values) if is_intact(row)])


def newest(db: apsw.Connection, limit: int, where: str = "") -> list[tuple[RunInfo, int]]:
    """Return the newest runs, with their row numbers, as far as the table can be read. where: a condition in SQL."""
    ways = [f"{LIST} {where} ORDER BY number {way} LIMIT ?" for way in ("DESC", "ASC")]
    return _infos(db, gather(db, ways, (limit,), is_intact)[::-1][:limit])


def find(db: apsw.Connection, run_id: str) -> tuple[RunInfo, Position]:
    """Return one run, and where its records are. Raises UnknownRunError, and DamageError if its row is damaged."""
    row = _row(db, run_id)
    return _infos(db, [row])[0][0], _position(row)


def position(db: apsw.Connection, run_id: str) -> Position:
    """Return where a run stands. Raises UnknownRunError, DamageError."""
    return _position(_row(db, run_id))


def _position(row: Sequence[Any]) -> Position:
    named = dict(zip(COLUMNS, row, strict=False))
    return Position(
        run=named["run"].decode(),
        number=named["number"],
        forked_at=named["forked_at"],
        steps=named["steps"],
        tasks=len(json.loads(named["tasks"])),
        quantities=quantities_from(named["columns"].decode()),
        checked=bool(named["checked"]),
        evaluations=named["evaluations"],
        events=named["events"],
    )


def _row(db: apsw.Connection, run_id: str) -> Any:
    """Return the row of a run as `LIST` reads it. Raises UnknownRunError, DamageError."""
    # An index may be damaged where the table is not.
    ways = [f"{LIST} {by} WHERE run = ?" for by in ("", "NOT INDEXED")]
    rows = gather(db, ways, (run_id,), is_intact, lambda found: len(found) > 0)
    if rows:
        return rows[0]
    damaged = damaged_rows(db)
    if damaged:
        raise DamageError(
            f"The description of run {run_id} should be as it was written. Found it missing, and damaged the "
            f"description of {', '.join(damaged)}. Its records may be whole: run `gradnorm doctor`."
        )
    raise UnknownRunError(run_id)


def damaged_rows(db: apsw.Connection) -> list[str]:
    """Return what the damaged rows of the table are called; "a run" for one whose name cannot be read."""
    for way in ("ASC", "DESC"):
        with suppress(*UNREADABLE):
            names = fetch(db, f"SELECT CAST(run AS BLOB) FROM runs WHERE NOT ({INTACT}) ORDER BY number {way}")
            return [bytes(name or b"a run").decode("utf-8", "replace") for (name,) in names]
    return ["runs whose rows cannot be read"]


def family(db: apsw.Connection, run_id: str) -> list[RunInfo]:
    """Return the runs to be looked at together: those that a run was forked from, and its race."""
    info, _ = find(db, run_id)
    members = [i for i, _ in listed(db, "WHERE race = ? ORDER BY number", (info.race,))] if info.race else [info]
    if info.parent is None:
        return members
    try:
        return [*family(db, info.parent), *members]
    except (UnknownRunError, DamageError):  # deleted since, or no longer readable
        return members


@lru_cache(maxsize=64)
def quantities_from(columns: str) -> tuple[Quantity, ...]:
    """Return what a run records, from its `columns`: a JSON list of [name, shape]."""
    return tuple(Quantity(name, shape) for name, shape in json.loads(columns))


def is_intact(row: Sequence[Any]) -> bool:
    """Whether a row that `LIST` has read is as it was written."""
    return row[-1] == run_checksum(*row[:-2])


def _infos(db: apsw.Connection, rows: Sequence[Any]) -> list[tuple[RunInfo, int]]:
    rows = [_as_text(row) for row in rows]
    waits = any(row[5] == "queued" for row in rows)
    queue = fetch(db, "SELECT run FROM runs WHERE state = 'queued' ORDER BY number") if waits else []
    return [(_info(row, [run for (run,) in queue]), row[0]) for row in rows]


def _as_text(row: Sequence[Any]) -> list[Any]:
    return [value.decode() if isinstance(value, bytes) else value for value in row[:-1]]


def _info(row: Sequence[Any], queue: Sequence[str]) -> RunInfo:
    run, title, spec, tasks, state, steps, created, seconds, device, outcome = row[1:11]
    host, pid, started, race, parent, forked_at, columns, keeps_events, _, _, _ = row[11:22]
    name, notes, tags, pinned, trashed, beat = row[22:]
    ending = Outcome.from_dict(json.loads(outcome)) if outcome else None
    owner = Owner(host, pid, started) if host is not None else None
    mine = owner == this_process()
    if state in ("running", "paused") and not mine and (owner is None or not owner.alive(beat)):
        state = "interrupted"
        message = filled("Its process ended at step {step:,}. All records are kept.", step=steps)
        ending = Outcome("interrupted", steps, message)
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
        labels=Labels(name, notes, tuple(json.loads(tags)), bool(pinned), trashed),
    )
