"""Homes that are read-only, or deleted while they are in use."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from gradnorm.cli import main
from gradnorm.config.spec import RunSpec
from gradnorm.export import tables
from gradnorm.lab.lab import Lab
from gradnorm.runs.faults import HomeGoneError, ReadOnlyHomeError, StoreError
from gradnorm.runs.migrations import SCHEMA_VERSION
from gradnorm.runs.store import RunStore
from tests.factories import SPEC, TINY, evaluation, finished, start_python, step_records, wait_for

RUN = f"store.create('a run', {SPEC!r}, ['a', 'b'], queued=False)"


def fill(home: Path) -> str:
    """Put a run of five steps into a home."""
    store = RunStore(home)
    run = store.create("a run", SPEC, ["a", "b"], queued=False)
    store.append(run, step_records(1, 5), [evaluation(5)])
    store.end(run, finished(5))
    store.close()
    return run


@pytest.fixture
def mounted(tmp_path):
    """Return a function that mounts a directory read-only at another place and returns where."""
    places: list[Path] = []

    def mount(home: Path) -> Path:
        place = tmp_path / "read only"
        place.mkdir()
        for options in (["--bind", str(home), str(place)], ["-o", "remount,ro,bind", str(place)]):
            done = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"A read-only mount should be possible here. Found: {done.stderr.strip()}")
            if not places:
                places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", str(place)], check=True)


def check_it_can_be_read_alone(home: Path, run: str, capsys) -> None:
    store = RunStore(home)
    assert store.read_only
    assert [info.run for info in store.runs()] == [run]
    assert len(store.read(run).rows) == 5
    sink = io.BytesIO()
    tables.write(store, run, "csv", sink)
    assert len(sink.getvalue().splitlines()) == 6
    with pytest.raises(ReadOnlyHomeError, match=r"Found .* read-only: its runs can be looked at and exported"):
        store.create("another", SPEC, ["a", "b"], queued=True)
    lab = Lab(store, workers=1)
    assert "read-only" in str(lab.trouble)
    with pytest.raises(StoreError, match="read-only"):
        lab.launch(RunSpec.parse(TINY))
    lab.close()
    store.close()
    assert main(["runs", "--home", str(home)]) == 0
    assert main(["doctor", "--home", str(home)]) in (0, 1)
    capsys.readouterr()
    assert main(["train", "--steps", "1", "--home", str(home)]) == 2
    assert "read-only" in capsys.readouterr().err


def test_a_read_only_home_can_be_read_and_exported(tmp_path, mounted, capsys):
    run = fill(tmp_path / "home")
    check_it_can_be_read_alone(mounted(tmp_path / "home"), run, capsys)


def test_a_read_only_home_whose_writer_was_killed_can_be_read(tmp_path, mounted, capsys):
    home = tmp_path / "home"
    RunStore(home).close()
    script = f"""
import time
from gradnorm.runs.store import RunStore
from tests.factories import step_records
store = RunStore()
run = {RUN}
store.append(run, step_records(1, 5))
print(run, flush=True)
time.sleep(600)
"""
    with start_python(home, "-c", script) as process:
        run = process.stdout.readline().strip()
        process.kill()
    assert (home / "gradnorm.db-wal").stat().st_size
    check_it_can_be_read_alone(mounted(home), run, capsys)


def test_a_read_only_home_of_an_older_schema_is_said_to_be_one(tmp_path, mounted):
    archive = Path(__file__).parent / "homes" / "schema-2.tar.gz"
    (tmp_path / "home").mkdir()
    shutil.unpack_archive(archive, tmp_path / "home", filter="data")
    with pytest.raises(StoreError, match=f"should be of schema {SCHEMA_VERSION}. Found .* of schema 2"):
        RunStore(mounted(tmp_path / "home"))


def test_a_home_that_is_deleted_is_neither_written_nor_made_again(home):
    run = fill(home)
    store = RunStore(home)
    assert store.trouble is None
    shutil.rmtree(home)
    for use in (lambda: store.append(run, step_records(6, 6)), lambda: store.read(run), store.check):
        with pytest.raises(HomeGoneError, match=r"Found .* deleted or replaced"):
            use()
    assert "deleted or replaced" in str(store.trouble)
    store.close()
    with pytest.raises(HomeGoneError):
        store.runs()
    assert not home.exists()


@pytest.mark.slow
def test_a_run_waits_when_its_home_is_deleted_and_goes_on_when_it_is_put_back(home, tmp_path):
    store = RunStore(home)
    lab = Lab(store, workers=1)
    run = lab.launch(RunSpec.parse({**TINY, "steps": 100_000, "pace": 100}))
    wait_for(lambda: store.info(run).steps > 20)
    home.rename(tmp_path / "away")
    assert "deleted or replaced" in wait_for(lambda: lab.trouble, 5)
    assert not home.exists()
    (tmp_path / "away").rename(home)
    wait_for(lambda: lab.trouble is None)
    steps = store.info(run).steps
    wait_for(lambda: store.info(run).steps > steps)
    lab.close()
    snapshot = store.read(run)
    assert snapshot.damage == ()
    assert snapshot.scalar("step").tolist() == list(range(1, snapshot.info.steps + 1))
    store.close()
