"""The runs of a home as a list that is searched, sorted and labelled, a page at a time; and its trash."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import apsw

from gradnorm.runs.blocks import final_loss
from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.database import Database, fetch
from gradnorm.runs.faults import DamageError
from gradnorm.runs.groups import Group, Groups
from gradnorm.runs.labels import TRASH_DAYS, LabelError, checked_name, checked_notes, checked_tags
from gradnorm.runs.query import Query
from gradnorm.runs.records import RunInfo
from gradnorm.runs.run_table import change, find, listed, newest, position
from gradnorm.runs.selection import condition, order

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Entry:
    """A run in the list.

    loss: the task-normalised test loss of its last evaluation; None without one.  group: what it belongs to, if any.
    """

    info: RunInfo
    loss: float | None
    group: Group | None


@dataclass(frozen=True)
class Page:
    """A part of the list. count: how many runs match in all.  number, pages: this page and how many there are."""

    entries: tuple[Entry, ...]
    count: int
    number: int
    pages: int


@dataclass(frozen=True)
class Choices:
    """What runs can be filtered by: the names that any of them has. trashed: how many are in the trash."""

    datasets: tuple[str, ...]
    methods: tuple[str, ...]
    tags: tuple[str, ...]
    trashed: int


class Catalogue:
    """The list of a home's runs.

    Any process may label any run. A run in the trash is not listed elsewhere, but its address goes on working. It is
    deleted by `empty`, or after 30 days by `expire`.
    """

    def __init__(self, database: Database, checkpoints: Checkpoints) -> None:
        self._db, self._checkpoints = database, checkpoints

    def find(self, query: Query, size: int = 50) -> Page:
        """Return a page of the runs that match, pinned ones first; the last page where there are fewer.

        size: runs a page, > 0. Damaged runs are left out: see `RunStore.damage`.
        """

        def ask(db: apsw.Connection) -> Page:
            found = _matching(db, query, "number")  # all of them, since they are counted, too
            pages = max(1, -(-len(found) // size))
            number = min(query.page, pages)
            chosen = found[(number - 1) * size : number * size]
            infos = {row: info for info, row in listed(db, f"WHERE number IN ({', '.join(map(str, chosen))})")}
            groups, sound = Groups(db), [infos[row] for row in chosen if row in infos]
            entries = [Entry(info, final_loss(db, position(db, info.run)), groups.of(info)) for info in sound]
            return Page(tuple(entries), len(found), number, pages)

        return self._look(ask)

    def ids(self, query: Query) -> list[str]:
        """Return the ids of all runs that match, on whatever page, in their order."""

        return self._look(lambda db: _matching(db, query, "run"))

    def infos(self, runs: Sequence[str]) -> list[RunInfo]:
        """Return the runs with these ids, in their order, without those that are not there or damaged."""
        with self._db.read() as db:
            found = listed(db, "WHERE run IN (SELECT value FROM json_each(?))", (json.dumps(runs),))
        infos = {info.run: info for info, _ in found}
        return [infos[run] for run in runs if run in infos]

    def choices(self) -> Choices:
        """Return what runs can be filtered by."""

        def ask(db: apsw.Connection) -> Choices:
            kinds = fetch(db, "SELECT DISTINCT spec ->> '$.dataset', spec ->> '$.method' FROM runs")
            tags = fetch(db, "SELECT DISTINCT value FROM runs, json_each(tags) WHERE tags != '[]' ORDER BY value")
            trashed: int = fetch(db, "SELECT count(*) FROM runs WHERE trashed IS NOT NULL")[0][0]
            datasets, methods = [tuple(sorted({str(kind[i]) for kind in kinds if kind[i]})) for i in (0, 1)]
            return Choices(datasets, methods, tuple([tag for (tag,) in tags]), trashed)

        return self._look(ask)

    def rename(self, run: str, name: str) -> None:
        """Give a run a name in place of its title; "" takes it away. Raises LabelError, UnknownRunError."""
        self._set([run], "name = ?", checked_name(name))

    def note(self, run: str, notes: str) -> None:
        """Give a run notes in place of those it has. Raises LabelError, UnknownRunError."""
        self._set([run], "notes = ?", checked_notes(notes))

    def pin(self, runs: Iterable[str], pinned: bool = True) -> None:
        """Keep runs on top of the list, or no longer. Raises UnknownRunError; then none is changed."""
        self._set(runs, "pinned = ?", int(pinned))

    def tag(self, runs: Iterable[str], add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Add tags to runs and take others away. Raises LabelError, UnknownRunError; then none is changed."""
        more, fewer = set(checked_tags(add)), set(remove)
        with self._db.write() as db:
            for run in runs:
                tags = checked_tags((set(find(db, run)[0].labels.tags) - fewer) | more)
                change(db, "tags = ?", "run = ?", (json.dumps(tags), run))

    def trash(self, runs: Iterable[str]) -> None:
        """Put runs into the trash. Raises LabelError for one that has not ended, UnknownRunError; then none is."""
        with self._db.write() as db:
            for run in runs:
                _check_ended(db, run, "go into the trash")
                change(db, "trashed = ?", "run = ?", (time.time(), run))

    def restore(self, runs: Iterable[str]) -> None:
        """Take runs out of the trash. Raises UnknownRunError; then none is."""
        self._set(runs, "trashed = ?", None)

    def empty(self, until: float | None = None) -> int:
        """Delete the runs in the trash with all their records, and return how many. until: those put there by then."""
        with self._db.write() as db:
            found = listed(db, "WHERE trashed <= ?", (time.time() if until is None else until,))
            gone = [info.run for info, _ in found if info.ended]
            _remove(db, gone)
        self._forget(gone)
        return len(gone)

    def delete(self, runs: Sequence[str]) -> None:
        """Delete runs with all their records. Raises LabelError for one that has not ended, UnknownRunError."""
        with self._db.write() as db:
            _remove(db, runs)
        self._forget(runs)

    def expire(self) -> int:
        """Delete the runs that have been in the trash for 30 days, and return how many there were."""
        until = time.time() - TRASH_DAYS * 86_400
        with self._db.read() as db:
            due = not self._db.read_only and fetch(db, "SELECT 1 FROM runs WHERE trashed <= ? LIMIT 1", (until,))
        return self.empty(until) if due else 0

    def _forget(self, gone: Sequence[str]) -> None:
        for run in gone:
            self._checkpoints.delete(run)

    def _set(self, runs: Iterable[str], assignment: str, value: Any) -> None:
        with self._db.write() as db:
            for run in runs:
                find(db, run)  # which says what is wrong
                change(db, assignment, "run = ?", (value, run))

    def _look(self, ask: Callable[[apsw.Connection], Answer]) -> Answer:
        """Ask the database; where a part of it can't be read, ask a copy of the rows that are sound."""
        with suppress(DamageError), self._db.read() as db:
            return ask(db)
        with self._db.read() as db:
            sound = [number for _, number in newest(db, 2**62)]
        # SQLite goes on with no transaction that has met a damaged page, hence another one.
        with self._db.read() as db:
            db.execute("CREATE TEMP TABLE runs AS SELECT * FROM main.runs WHERE 0")
            db.executemany("INSERT INTO temp.runs SELECT * FROM main.runs WHERE number = ?", [(n,) for n in sound])
            answer = ask(db)
            db.execute("DROP TABLE temp.runs")
            return answer


def _matching(db: apsw.Connection, query: Query, column: str) -> list[Any]:
    """Return a column of all rows that match, in their order."""
    where, values = condition(db, query)
    return [value for (value,) in fetch(db, f"SELECT {column} FROM runs {where} ORDER BY {order(query)}", values)]


def _remove(db: apsw.Connection, runs: Sequence[str]) -> None:
    for run in runs:
        _check_ended(db, run, "be deleted")
        db.execute("DELETE FROM runs WHERE run = ?", (run,))


def _check_ended(db: apsw.Connection, run: str, what: str) -> None:
    """Raise LabelError for a run that is going on, UnknownRunError. what: it can do once it has ended."""
    info, _ = find(db, run)
    if not info.ended:
        raise LabelError(f"Only a run that has ended can {what}. Found {info.state}: {run}. Stop it first.")
