"""One SQLite file in write-ahead mode: migrated on opening, a connection a thread, two kinds of transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import local
from typing import Any, cast
from urllib.parse import quote

import apsw

from gradnorm.runs.checksums import checksum, run_checksum
from gradnorm.runs.faults import HomeGoneError, StoreError, damaged, gone, read_only, unusable
from gradnorm.runs.migrations import MIGRATIONS, SCHEMA_VERSION
from gradnorm.runs.query import folded, meets

# Seconds to wait for another writer.
PATIENCE = 10.0

# Why a write may fail that can be tried again: a full disk, a file that others hold or that cannot be reached now.
PASSING = (
    apsw.FullError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    HomeGoneError,
    OSError,
)
# What SQLite makes of a file that is not as it was written: its pages, its schema, or the text in it.
UNREADABLE = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.SQLError,
    apsw.FormatError,
    apsw.TooBigError,
    apsw.NoMemError,
    apsw.MismatchError,
    UnicodeDecodeError,
)


class Database:
    """A file that several threads and processes read and write at once.

    read_only: whether it can be read alone, since file or directory cannot be written.
    Raises StoreError if it cannot be used, was written by a newer version, or is no database of runs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = local()
        self._listeners: list[Callable[[], None]] = []
        self._identity: tuple[int, int] | None = None
        self.read_only = path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
        try:
            self._check_schema() if self.read_only else self._prepare()
        except apsw.Error as error:
            self.close()
            raise unusable(path.parent, error) from None
        except StoreError:
            self.close()
            raise
        self._identity = _identity(path)

    @property
    def gone(self) -> bool:
        """Whether the file that was opened is no longer there: deleted, or replaced by another."""
        return self._identity is not None and _identity(self._path) != self._identity

    @contextmanager
    def write(self) -> Generator[apsw.Connection]:
        """Give a connection inside a transaction that is written when the block ends, or not at all."""
        if self.read_only:
            raise read_only(self._path.parent)
        with self._told() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction already, or have failed the commit alone.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each write of this process, on the thread that wrote; it must be quick."""
        self._listeners.append(listener)

    @contextmanager
    def read(self) -> Generator[apsw.Connection]:
        """Give a connection that sees one state of the file throughout the block."""
        with self._told() as db:
            db.execute("BEGIN")
            try:
                yield db
            finally:
                # Nothing was written; and SQLite commits nothing any more where it has met a damaged page.
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def version(self) -> int:
        """Return a number that changes when another connection has written."""
        with self._told() as db:
            return fetch(db, "PRAGMA data_version")[0][0]

    def close(self) -> None:
        """Close this thread's connection."""
        db: apsw.Connection | None = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    @contextmanager
    def _told(self) -> Generator[apsw.Connection]:
        """Give this thread's connection; what cannot be read is raised as DamageError."""
        if self.gone:  # what is written into a file without a name is lost, and opening would make an empty one
            raise gone(self._path.parent)
        try:
            yield self._connection()
        except UNREADABLE as error:
            raise damaged(self._path, error) from error

    def _connection(self) -> apsw.Connection:
        db: apsw.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = self._open_to_read() if self.read_only else self._open_to_write()
            for function in (checksum, run_checksum):
                db.create_scalar_function(function.__name__, function, deterministic=True)
            db.create_scalar_function("folded", cast("Any", folded), 1, deterministic=True)
            db.create_scalar_function("meets", cast("Any", meets), 3, deterministic=True)
            self._local.db = db
        return db

    def _open_to_write(self) -> apsw.Connection:
        db = apsw.Connection(str(self._path))
        try:
            db.set_busy_timeout(int(PATIENCE * 1000))
            # NORMAL: a commit survives the process at once, and power loss from the next checkpoint on.
            _use_wal(db)
            for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
                fetch(db, f"PRAGMA {pragma}")
        except BaseException:
            db.close()
            raise
        return db

    def _open_to_read(self) -> apsw.Connection:
        log = self._path.with_name(self._path.name + "-wal")
        # SQLite wants to write beside a file in write-ahead mode, unless it is told that nobody changes it.
        still = "" if log.exists() and log.stat().st_size else "&immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return apsw.Connection(f"file:{quote(str(self._path.absolute()))}?mode=ro{still}", flags=flags)

    def _prepare(self) -> None:
        """Bring the file to today's schema, each migration in a transaction of its own."""
        while self._migrate_once() < SCHEMA_VERSION:
            pass

    def _migrate_once(self) -> int:
        """Take the file one schema further, if it is behind, and return its schema. Raises StoreError."""
        with self.write() as db:
            version: int = fetch(db, "PRAGMA user_version")[0][0]
            if 0 <= version < SCHEMA_VERSION:
                # Another process may be migrating the same file: the version is read inside the transaction.
                MIGRATIONS[version](db)
                version += 1
                db.execute(f"PRAGMA user_version = {version}")
        self._check_known(version)
        return version

    def _check_schema(self) -> None:
        """Raise StoreError for a file that can only be read and is not of today's schema."""
        with self.read() as db:
            version: int = fetch(db, "PRAGMA user_version")[0][0]
        self._check_known(version)
        if version < SCHEMA_VERSION:
            raise StoreError(
                f"A home that can only be read should be of schema {SCHEMA_VERSION}. Found {self._path.parent} of "
                f"schema {version}, written by an older gradnorm. Open a copy of it that can be written."
            )

    def _check_known(self, version: int) -> None:
        if version < 0:
            raise damaged(self._path, ValueError(f"its schema is {version}"))
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"The runs in {self._path.parent} should be of schema {SCHEMA_VERSION} or older. Found {version}, "
                "written by a newer gradnorm. Update gradnorm, or set GRADNORM_HOME to another directory."
            )


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of its name; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _use_wal(db: apsw.Connection) -> None:
    """Switch to write-ahead mode. SQLite's own patience does not cover a file that others are switching too."""
    deadline = time.monotonic() + PATIENCE
    while fetch(db, "PRAGMA journal_mode")[0][0] != "wal":
        try:
            fetch(db, "PRAGMA journal_mode = WAL")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def fetch(db: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """Return all rows of a query as tuples."""
    return list(db.execute(sql, values))


def gather(
    db: apsw.Connection,
    queries: Iterable[str],
    values: Sequence[Any],
    intact: Callable[[Any], bool],
    complete: Callable[[Collection[Any]], bool] = lambda found: True,
) -> list[Any]:
    """Return the intact rows of a query, in the order of their first column, as far as the file can be read.

    queries: the same rows from the start, from the end, by an index or past it; the next one is tried where a damaged
        page ends the one before, or where `complete` says of the rows so far that some are missing.
    """
    found: dict[Any, Any] = {}
    for query in queries:
        try:
            for row in db.execute(query, values):
                if intact(row):
                    found[row[0]] = row
        except UNREADABLE:
            continue
        if complete(found.values()):
            break
    return [found[key] for key in sorted(found)]
