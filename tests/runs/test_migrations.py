"""Homes that earlier builds wrote: they open, are drawn, exported and continued."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import apsw
import numpy as np
import pytest

from gradnorm.export import tables
from gradnorm.lab.lab import Lab
from gradnorm.runs.checksums import checksum
from gradnorm.runs.database import Database
from gradnorm.runs.migrations import FIRST_COLUMNS, MIGRATIONS, SCHEMA_VERSION
from gradnorm.runs.query import Query
from gradnorm.runs.records import QUANTITIES, Quantity, columns
from gradnorm.runs.run_table import change
from gradnorm.runs.store import RunStore
from gradnorm.ui.live import wire
from tests.factories import SPEC, rows_of, step_record, step_records, wait_for

HOMES = Path(__file__).parent / "homes"
# Their runs: finished after 40 steps by each build, and stopped at step 30 of 60, with α 1.5 moved to 0.7 at step 11.
FINISHED = {
    1: "20261127-063759-3b961e",
    2: "20261127-063808-143ab2",
    3: "20261127-112932-0625e6",
    4: "20261127-125602-e2069f",
    5: "20261127-151609-3a0132",
    6: "20261127-174029-5e79e9",
}
STOPPED = "20261127-063812-51163e"


# How rows of runs were sealed in schemas 4 and 5.
FORMER_SEAL = """
    UPDATE runs SET checksum = checksum(
        number, CAST(run AS BLOB), CAST(title AS BLOB), CAST(spec AS BLOB), CAST(tasks AS BLOB), CAST(state AS BLOB),
        steps, created, seconds, CAST(device AS BLOB), CAST(outcome AS BLOB), CAST(host AS BLOB), pid, started,
        CAST(race AS BLOB), CAST(parent AS BLOB), forked_at, CAST(columns AS BLOB), keeps_events,
        checked, evaluations, events
    )
"""


@pytest.fixture
def old_home(tmp_path):
    """Return a function that unpacks the home of a schema and returns where."""

    def unpack(schema: int) -> Path:
        with tarfile.open(HOMES / f"schema-{schema}.tar.gz") as archive:
            archive.extractall(tmp_path, filter="data")
        return tmp_path

    return unpack


def schema_of(path):
    """Return the tables and indices of a database, and their columns, as SQLite lists them."""
    db = apsw.Connection(str(path))
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")]
    described = {name: sorted(map(str, db.execute(f"PRAGMA table_info({name})"))) for name in names}
    version = db.execute("PRAGMA user_version").get
    db.close()
    return version, described


@pytest.mark.parametrize("schema", FINISHED)
def test_a_home_of_each_schema_is_kept_and_becomes_what_a_new_home_is(schema, old_home, tmp_path):
    home = old_home(schema)
    assert schema_of(home / "gradnorm.db")[0] == schema
    RunStore(home).close()
    RunStore(tmp_path / "new").close()
    assert schema_of(home / "gradnorm.db") == schema_of(tmp_path / "new" / "gradnorm.db")


def test_each_schema_but_todays_has_its_home():
    assert [f"schema-{k}.tar.gz" for k in range(1, SCHEMA_VERSION)] == sorted(path.name for path in HOMES.iterdir())


@pytest.mark.parametrize("schema", FINISHED)
def test_an_old_run_opens_is_drawn_and_exported(schema, old_home):
    store = RunStore(old_home(schema))
    snapshot = store.read(FINISHED[schema])
    assert (snapshot.info.state, snapshot.info.steps, snapshot.info.tasks) == ("finished", 40, ("task 1", "task 2"))
    assert snapshot.info.quantities == tuple(Quantity(*column) for column in FIRST_COLUMNS)
    assert snapshot.scalar("step").tolist() == list(range(1, 41))
    np.testing.assert_array_equal(snapshot.scalar("alpha"), np.full(40, 1.5, np.float32))
    np.testing.assert_allclose(snapshot.vector("weights").sum(1), 2, rtol=1e-6)
    np.testing.assert_array_equal(snapshot.vector("loss_ratios")[0], [1, 1])
    first_losses = snapshot.vector("losses") / snapshot.vector("loss_ratios")
    np.testing.assert_allclose(first_losses, np.tile(first_losses[0], (40, 1)), rtol=1e-5)
    assert [each.step for each in snapshot.evaluations] == [0, 20, 40]
    assert (snapshot.events, snapshot.info.keeps_events, snapshot.damage) == ((), schema >= 3, ())
    hello = json.loads(wire.hello(snapshot.info))
    assert hello["columns"] == snapshot.columns
    sink = io.BytesIO()
    tables.write(store, snapshot.info.run, "json", sink)
    exported = json.loads(sink.getvalue())
    assert [step["weights.task 2"] for step in exported["steps"]] == snapshot.vector("weights")[:, 1].tolist()
    store.close()


def test_a_run_of_the_build_before_goes_on_as_it_would_have_there(old_home):
    store = RunStore(old_home(2))
    before = store.read(STOPPED)
    assert (before.info.state, before.info.steps) == ("stopped", 30)
    lab = Lab(store, workers=1)
    lab.go_on(STOPPED)
    wait_for(lambda: store.info(STOPPED).ended)
    after = store.read(STOPPED)
    assert (after.info.state, after.info.steps) == ("finished", 60)
    np.testing.assert_array_equal(after.rows[:30], before.rows)
    # α was moved before the checkpoint; weights and losses are those that the build before came to.
    assert set(after.scalar("alpha")[30:].tolist()) == {np.float32(0.7)}
    np.testing.assert_allclose(after.vector("weights")[-1], [1.0099996328353882, 0.9900003671646118], rtol=1e-5)
    np.testing.assert_allclose(after.vector("losses")[-1], [3.5429534912109375, 6.098101615905762], rtol=1e-5)
    lab.close()
    store.close()


def test_a_damaged_home_is_migrated_and_what_was_damaged_is_still_said_to_be(old_home):
    path = old_home(5) / "gradnorm.db"
    title = b"toy-2 \xc2\xb7 GradNorm"
    content = path.read_bytes()
    assert title in content
    path.write_bytes(content.replace(title, b"toy-3" + title[5:]))
    store = RunStore(path.parent)
    assert store.runs() == []
    assert FINISHED[5] in store.damage()
    store.close()


def test_a_home_with_a_damaged_page_is_migrated_as_far_as_it_can_be_read(tmp_path, monkeypatch):
    path = tmp_path / "gradnorm.db"
    monkeypatch.setattr("gradnorm.runs.database.MIGRATIONS", MIGRATIONS[:5])
    monkeypatch.setattr("gradnorm.runs.database.SCHEMA_VERSION", 5)
    database = Database(path)
    monkeypatch.undo()
    spec = json.dumps({"x": "-" * 400})
    with database.write() as db:
        for i in range(60):
            db.execute(
                "INSERT INTO runs (run, title, spec, tasks, state, created, columns) "
                "VALUES (?, 'a run', ?, '[]', 'finished', 1.0, '[]')",
                (f"run {i}", spec),
            )
        db.execute(FORMER_SEAL)
    database.close()
    db = apsw.Connection(str(path))
    page = db.execute("SELECT pageno FROM dbstat WHERE name = 'runs' AND pagetype = 'leaf' LIMIT 1 OFFSET 3").get
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    store = RunStore(tmp_path)
    assert 40 <= len(store.runs()) < 60
    assert store.damage()
    assert store.catalogue.find(Query(sort="name")).count == len(store.runs())
    store.close()


def test_a_failed_migration_leaves_the_home_as_it_was(old_home, monkeypatch):
    def breaks(db):
        db.execute("CREATE TABLE half_done (number INTEGER)")
        raise apsw.FullError("no space left")

    path = old_home(1) / "gradnorm.db"
    monkeypatch.setattr("gradnorm.runs.database.MIGRATIONS", (*MIGRATIONS[:2], breaks))
    with pytest.raises(RuntimeError, match="no space left"):
        Database(path)
    version, described = schema_of(path)
    assert version == 2
    assert "half_done" not in described
    monkeypatch.undo()
    Database(path).close()
    assert schema_of(path)[0] == SCHEMA_VERSION


@pytest.fixture
def with_other_columns(tmp_path):
    """Return a function that makes a home with a run of steps 1 … 6 recorded with other quantities than today's."""

    def make(quantities: tuple[Quantity, ...]) -> tuple[RunStore, str]:
        store = RunStore(tmp_path)
        run = store.create("a run", SPEC, ["a", "b"], queued=False)
        size = len(columns(2, quantities))
        rows = np.arange(6 * size, dtype="<f4").reshape(6, size)
        rows[:, 0] = range(1, 7)
        block = (1, 6, rows.tobytes())
        with Database(tmp_path / "gradnorm.db").write() as db:
            change(db, "columns = ?, steps = 6", "run = ?", (json.dumps(quantities), run))
            db.execute("INSERT INTO blocks VALUES (1, ?, ?, ?, ?)", (*block, checksum(1, *block)))
        return store, run

    return make


# Between those of today, so that a reader by position would take one for another.
MORE = (*QUANTITIES[:3], Quantity("entropy", "scalar"), Quantity("angles", "task"), *QUANTITIES[3:])
LESS = tuple(quantity for quantity in QUANTITIES if quantity.name not in ("imbalance", "targets"))


def test_a_run_with_quantities_of_a_later_build_is_read_drawn_and_exported(with_other_columns):
    store, run = with_other_columns(MORE)
    snapshot = store.read(run)
    names = columns(["a", "b"], MORE)
    width = len(names)
    assert snapshot.rows.shape == (6, width)
    assert snapshot.scalar("entropy")[0] == names.index("entropy")
    assert snapshot.vector("angles")[0].tolist() == [names.index("angles.a"), names.index("angles.b")]
    assert snapshot.vector("relative_rates")[1].tolist() == [width + names.index(f"relative_rates.{i}") for i in "ab"]
    assert json.loads(wire.hello(snapshot.info))["columns"] == columns(2, MORE)
    for file_format in ("csv", "parquet", "json"):
        sink = io.BytesIO()
        tables.write(store, run, file_format, sink)
        assert b"angles.b" in sink.getvalue()
    store.close()


def test_a_run_with_quantities_of_a_later_build_is_continued_in_its_own_columns(with_other_columns):
    store, run = with_other_columns(MORE)
    store.append(run, step_records(7, 9))
    snapshot = store.read(run)
    assert snapshot.scalar("step").tolist() == list(range(1, 10))
    assert np.isnan(snapshot.scalar("entropy")).tolist() == 6 * [False] + 3 * [True]
    assert np.isnan(snapshot.vector("angles")[6:]).all()
    for name in ("weights", "relative_rates"):
        expected = [getattr(record, name) for record in step_records(7, 9)]
        np.testing.assert_array_equal(snapshot.vector(name)[6:], np.array(expected, np.float32))
    store.rewind(run, 3, 3)
    assert store.read(run).rows.shape == (3, len(columns(2, MORE)))
    store.close()


def test_a_quantity_that_a_run_lacks_is_nan_and_its_run_goes_on_without(with_other_columns):
    store, run = with_other_columns(LESS)
    store.append(run, [step_record(7)])
    snapshot = store.read(run)
    assert snapshot.rows.shape == (7, len(columns(2, LESS)))
    np.testing.assert_array_equal(snapshot.scalar("imbalance"), np.full(7, np.nan))
    np.testing.assert_array_equal(snapshot.vector("targets"), np.full((7, 2), np.nan))
    assert tuple(snapshot.vector("losses")[-1].tolist()) == step_record(7).losses
    with pytest.raises(ValueError, match=r"A task quantity should be one of \['weights', .*Found 'imbalance'"):
        snapshot.vector("imbalance")
    store.close()


def test_a_new_run_records_todays_quantities(tmp_path):
    store = RunStore(tmp_path)
    run = store.create("a run", SPEC, ["a", "b"], queued=False)
    store.append(run, step_records(1, 3))
    assert (store.info(run).quantities, store.info(run).keeps_events) == (QUANTITIES, True)
    np.testing.assert_array_equal(store.read(run).rows, rows_of(step_records(1, 3)))
    store.close()
