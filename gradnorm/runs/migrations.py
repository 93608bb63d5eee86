"""The schema of the database, as the numbered changes that led to it.

`MIGRATIONS[k]` brings a file of schema k to k + 1; a new file is of schema 0 and takes them all. One that has been
released is never edited: a change of the schema is one more function, and one more home under `tests/runs/homes/`.
"""

from __future__ import annotations

import json

import apsw

# What each row of a run held while the schema was 1 or 2 and did not say so.
FIRST_COLUMNS = (
    ("step", "scalar"),
    ("alpha", "scalar"),
    ("imbalance", "scalar"),
    ("weights", "task"),
    ("gradient_norms", "task"),
    ("targets", "task"),
    ("losses", "task"),
    ("loss_ratios", "task"),
    ("relative_rates", "task"),
)


def _runs_blocks_evaluations(db: apsw.Connection) -> None:
    """0 → 1: runs, their rows in blocks, and their evaluations."""
    db.execute("""
    CREATE TABLE runs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        run TEXT NOT NULL UNIQUE,
        title TEXT NOT NULL,
        spec TEXT NOT NULL,
        tasks TEXT NOT NULL,
        state TEXT NOT NULL,
        steps INTEGER NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        seconds REAL NOT NULL DEFAULT 0,
        device TEXT,
        outcome TEXT,
        host TEXT, pid INTEGER, started REAL, heartbeat REAL
    );
    CREATE INDEX runs_by_state ON runs (state);
    CREATE TABLE blocks (
        number INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        rows BLOB NOT NULL
    );
    CREATE UNIQUE INDEX blocks_by_last ON blocks (number, last);
    CREATE TABLE evaluations (
        number INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        step INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (number, step)
    ) WITHOUT ROWID;
    """)


def _races_and_forks(db: apsw.Connection) -> None:
    """1 → 2: runs that are trained together, and runs that go on from another's checkpoint."""
    db.execute("""
    ALTER TABLE runs ADD COLUMN race TEXT;
    ALTER TABLE runs ADD COLUMN parent TEXT;
    ALTER TABLE runs ADD COLUMN forked_at INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX runs_by_race ON runs (race);
    """)


def _columns_and_events(db: apsw.Connection) -> None:
    """2 → 3: each run names the columns of its rows (a list of [name, shape]), and keeps its live changes.

    keeps_events: whether its live changes were kept from its first step on; those of older runs were not.
    """
    db.execute("ALTER TABLE runs ADD COLUMN columns TEXT NOT NULL DEFAULT '[]'")
    db.execute("ALTER TABLE runs ADD COLUMN keeps_events INTEGER NOT NULL DEFAULT 0")
    db.execute("UPDATE runs SET columns = ?", (json.dumps(FIRST_COLUMNS),))
    db.execute("""
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        number INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        step INTEGER NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        time REAL NOT NULL
    );
    CREATE INDEX events_of_run ON events (number, id);
    """)


def _checksums(db: apsw.Connection) -> None:
    """3 → 4: each row carries a checksum, and a run says how many evaluations and events it has.

    checked: whether all records of the run carry one. Those of older runs stay without: to read a large home for them
    would hold up whoever opens it.
    """
    for table in ("runs", "blocks", "evaluations", "events"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN checksum BLOB")
    for name in ("checked", "evaluations", "events"):
        db.execute(f"ALTER TABLE runs ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
    db.execute("""
    UPDATE runs SET
        evaluations = (SELECT count(*) FROM evaluations WHERE evaluations.number = runs.number),
        events = (SELECT count(*) FROM events WHERE events.number = runs.number);
    UPDATE runs SET checksum = checksum(
        number, CAST(run AS BLOB), CAST(title AS BLOB), CAST(spec AS BLOB), CAST(tasks AS BLOB), CAST(state AS BLOB),
        steps, created, seconds, CAST(device AS BLOB), CAST(outcome AS BLOB), CAST(host AS BLOB), pid, started,
        CAST(race AS BLOB), CAST(parent AS BLOB), forked_at, CAST(columns AS BLOB), keeps_events,
        checked, evaluations, events
    );
    """)


def _wishes(db: apsw.Connection) -> None:
    """4 → 5: what pages ask of the scripts that record runs."""
    db.execute("""
    CREATE TABLE wishes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        number INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        time REAL NOT NULL,
        checksum BLOB
    );
    CREATE INDEX wishes_of_run ON wishes (number, id);
    """)


def _labels(db: apsw.Connection) -> None:
    """What users say of a run: name, notes, tags, pins, and since when it is in the trash.

    No row is read or written, so that a damaged home can be opened: one without labels keeps its checksum. See
    `run_checksum`.
    """
    db.execute("""
    ALTER TABLE runs ADD COLUMN name TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN tags TEXT NOT NULL DEFAULT '[]';
    ALTER TABLE runs ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN trashed REAL;
    """)


def _studies(db: apsw.Connection) -> None:
    """Studies, their runs by key, and what each of these came to."""
    db.execute("""
    CREATE TABLE studies (
        study TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        spec TEXT NOT NULL,
        state TEXT NOT NULL,
        created REAL NOT NULL
    );
    CREATE TABLE study_runs (
        study TEXT NOT NULL REFERENCES studies ON DELETE CASCADE,
        place INTEGER NOT NULL,
        key TEXT NOT NULL,
        run TEXT NOT NULL,
        result TEXT,
        PRIMARY KEY (study, key)
    );
    CREATE INDEX studies_of_run ON study_runs (run);
    """)


def _labels_and_studies(db: apsw.Connection) -> None:
    """5 → 6: what users say of their runs, and studies."""
    _labels(db)
    _studies(db)


def _engines_and_leases(db: apsw.Connection) -> None:
    """6 → 7: what trains the runs of each study, and how far what each lease sent has been taken in."""
    db.execute("""
    ALTER TABLE studies ADD COLUMN engine TEXT NOT NULL DEFAULT 'local';
    CREATE TABLE leases (
        lease TEXT PRIMARY KEY,
        attempt INTEGER NOT NULL,
        taken INTEGER NOT NULL DEFAULT 0
    );
    """)


MIGRATIONS = (
    _runs_blocks_evaluations,
    _races_and_forks,
    _columns_and_events,
    _checksums,
    _wishes,
    _labels_and_studies,
    _engines_and_leases,
)
SCHEMA_VERSION = len(MIGRATIONS)
