"""One SQLite file in write-ahead mode: migrated on opening, a connection a thread, two kinds of transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import local
from typing import Any

import apsw

from gradnorm.runs.migrations import MIGRATIONS, SCHEMA_VERSION

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
    OSError,
)


class StoreError(RuntimeError):
    """The store cannot be used as it is; the message says why and what to do."""


def unusable(home: Path, error: Exception) -> StoreError:
    """Return the error for a home that cannot be used."""
    return StoreError(
        f"The home of the runs should be a directory that can be written. Found {home} ({error}). "
        "Set GRADNORM_HOME or --home to another one."
    )


class Database:
    """A file that several threads and processes read and write at once.

    Raises StoreError if it cannot be written or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = local()
        self._listeners: list[Callable[[], None]] = []
        try:
            self._prepare()
        except apsw.Error as error:
            raise unusable(path.parent, error) from None

    @contextmanager
    def write(self) -> Generator[apsw.Connection]:
        """Give a connection inside a transaction that is written when the block ends, or not at all."""
        db = self._connection()
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
        db = self._connection()
        db.execute("BEGIN")
        try:
            yield db
        finally:
            db.execute("COMMIT")

    def version(self) -> int:
        """Return a number that changes when another connection has written."""
        return fetch(self._connection(), "PRAGMA data_version")[0][0]

    def close(self) -> None:
        """Close this thread's connection."""
        db: apsw.Connection | None = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    def _connection(self) -> apsw.Connection:
        db: apsw.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = apsw.Connection(str(self._path))
            db.set_busy_timeout(int(PATIENCE * 1000))
            # NORMAL: a commit survives the process at once, and power loss from the next checkpoint on.
            _use_wal(db)
            for pragma in ("synchronous = NORMAL", "foreign_keys = ON"):
                fetch(db, f"PRAGMA {pragma}")
            self._local.db = db
        return db

    def _prepare(self) -> None:
        """Bring the file to today's schema, each migration in a transaction of its own."""
        while self._migrate_once() < SCHEMA_VERSION:
            pass

    def _migrate_once(self) -> int:
        """Take the file one schema further, if it is behind, and return its schema. Raises StoreError."""
        with self.write() as db:
            version: int = fetch(db, "PRAGMA user_version")[0][0]
            if version < SCHEMA_VERSION:
                # Another process may be migrating the same file: the version is read inside the transaction.
                MIGRATIONS[version](db)
                version += 1
                db.execute(f"PRAGMA user_version = {version}")
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"The runs in {self._path.parent} should be of schema {SCHEMA_VERSION} or older. Found {version}, "
                "written by a newer gradnorm. Update gradnorm, or set GRADNORM_HOME to another directory."
            )
        return version


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
