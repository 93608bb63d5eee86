"""A store that cannot be written for a while: nothing is lost, and the lab goes on by itself."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from threading import Event
from threading import enumerate as enumerate_threads

import apsw
import pytest

from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.datasets.readers.folders import DataError
from gradnorm.lab import run_writer
from gradnorm.lab.lab import Lab
from gradnorm.runs import database
from gradnorm.runs.records import Checkpoint, Outcome
from gradnorm.runs.store import CannotGoOnError, RunStore
from tests.factories import SPEC, TINY, start_python, step_records, wait_for

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow


@contextmanager
def locked(store):
    """Hold the database, as a backup or a hanging process would."""
    db = apsw.Connection(str(store.home / "gradnorm.db"))
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    monkeypatch.setattr(run_writer, "RETRY_SECONDS", 0.05)


@pytest.fixture
def lab(impatient, home):
    lab = Lab(RunStore(home), 1)
    yield lab
    lab.close(30)
    lab.store.close()


def steps_of(store, run):
    return store.read(run).rows[:, 0].tolist()


def test_records_of_a_locked_store_are_kept_and_written_later(lab):
    store = lab.store
    run = lab.launch(RunSpec.parse({**TINY, "steps": 400, "pace": 400, "eval_every": 50, "checkpoint_every": 50}))
    wait_for(lambda: store.info(run).steps > 20)
    with locked(store):
        trouble = wait_for(lambda: lab.trouble)
        assert "database is locked" in trouble
        assert "nothing is lost" in trouble
    wait_for(lambda: store.info(run).ended)
    assert store.info(run).state == "finished"
    assert steps_of(store, run) == list(range(1, 401))
    assert lab.trouble is None


def test_a_pause_in_a_locked_store_takes_effect_and_ends(lab):
    store = lab.store
    run = lab.launch(RunSpec.parse({**TINY, "steps": 1_000_000, "eval_every": 1_000_000}))
    wait_for(lambda: store.info(run).steps > 20)
    with locked(store):
        lab.pause(run)
        wait_for(lambda: lab.trouble)
    wait_for(lambda: store.info(run).state == "paused")
    lab.stop(run)
    wait_for(lambda: store.info(run).ended)
    assert store.info(run).state == "stopped"
    assert [event.value for event in store.read(run).events if event.key == "paused"][:1] == [True]


def test_the_next_run_starts_after_an_end_that_could_not_be_written(lab, monkeypatch):
    """The run itself fails, and so does the first attempt to say so."""
    store, real, failures = lab.store, lab.store.end, []

    def end(run, outcome):
        if not failures:
            failures.append(run)
            raise apsw.FullError("database or disk is full")
        real(run, outcome)

    def broken(*_):
        raise RuntimeError("broken")
        yield

    monkeypatch.setattr("gradnorm.lab.this_machine.record_group", broken)
    monkeypatch.setattr(store, "end", end)
    first = lab.launch(RunSpec.parse(TINY))
    wait_for(lambda: failures)
    monkeypatch.undo()
    second = lab.launch(RunSpec.parse(TINY))
    wait_for(lambda: store.info(second).ended)
    assert store.info(second).state == "finished"
    assert store.info(first).state == "failed"
    assert lab.trouble is None


def test_a_queue_that_cannot_be_read_is_told_in_one_line(lab, caplog):
    lab.warm()
    with locked(lab.store):
        assert "The queue cannot be read now (database is locked)" in wait_for(lambda: lab.trouble)
        time.sleep(2.5)
    wait_for(lambda: lab.trouble is None)
    told = [record for record in caplog.records if record.name.startswith("gradnorm.lab")]
    assert [(record.levelname, record.exc_info) for record in told] == [("WARNING", None)]


def test_an_end_that_is_owed_is_told_until_it_is_written(lab, monkeypatch):
    """The store is locked while the run fails."""
    store, failing = lab.store, Event()

    def broken(*_):
        failing.wait(60)
        raise RuntimeError("broken")
        yield

    monkeypatch.setattr("gradnorm.lab.this_machine.record_group", broken)
    run = lab.launch(RunSpec.parse(TINY))
    wait_for(lambda: store.info(run).state == "running")
    with locked(store):
        failing.set()
        trouble = wait_for(lambda: lab.trouble)
        assert f"How run {run} ended cannot be written now" in trouble
        assert "database is locked" in trouble
    wait_for(lambda: store.info(run).ended)
    assert store.info(run).outcome.message == "RuntimeError: broken"
    wait_for(lambda: lab.trouble is None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_is_gone_is_told_and_replaced(lab, monkeypatch):
    def gone(engine):
        raise SystemExit

    monkeypatch.setattr(lab.store, "claim", gone)
    lab.warm()
    assert "No worker is left" in wait_for(lambda: lab.trouble)
    monkeypatch.undo()
    run = lab.launch(RunSpec.parse(TINY))
    wait_for(lambda: lab.store.info(run).ended)
    assert lab.trouble is None


FULL = """
import json, os, resource, sys, threading, time
from pathlib import Path
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.datasets.readers.folders import DataError
from gradnorm.lab import run_writer
from gradnorm.lab.lab import Lab
from gradnorm.runs.store import RunStore

run_writer.RETRY_SECONDS = 0.1
store = RunStore()
lab = Lab(store, 1)
lab.warm()
time.sleep(0.1)
run = lab.launch(RunSpec.parse(json.loads(sys.argv[1])))
while store.info(run).steps < 50:
    time.sleep(0.01)
# No file of this process may grow any more, as if the disk were full.
largest = max(path.stat().st_size for path in Path(os.environ["GRADNORM_HOME"]).iterdir() if path.is_file())
limit = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (largest, limit[1]))
while lab.trouble is None:
    time.sleep(0.01)
told = lab.trouble
time.sleep(0.5)
resource.setrlimit(resource.RLIMIT_FSIZE, limit)
while not store.info(run).ended:
    time.sleep(0.01)
steps = store.read(run).rows[:, 0].tolist()
print(json.dumps([told, store.info(run).state, steps == list(range(1, len(steps) + 1)), len(steps)]))
lab.close()
store.close()
"""


def test_a_run_on_a_full_disk_waits_and_ends_whole(home):
    spec = {**TINY, "steps": 3000, "eval_every": 200, "checkpoint_every": 200}
    process = start_python(home, "-c", FULL, json.dumps(spec))
    out, err = process.communicate(timeout=120)
    told, state, whole, count = json.loads(out)
    assert "cannot be written now" in told, err
    assert (state, whole, count) == ("finished", True, 3000)


def test_a_fork_copies_its_checkpoint_while_others_write(impatient, store, monkeypatch):
    parent = store.create("parent", SPEC, ("a", "b"), queued=False)
    store.append(parent, step_records(1, 3))
    store.checkpoints.write(parent, Checkpoint(3, b"state"))
    copy, written = store.checkpoints.copy, []

    def slowly(*arguments):
        other = RunStore(store.home)
        other.append(parent, step_records(4, 4))  # raises after `PATIENCE` if the fork holds the database
        other.close()
        written.append(True)
        copy(*arguments)

    monkeypatch.setattr(store.checkpoints, "copy", slowly)
    child = store.create("child", SPEC, ("a", "b"), queued=False, parent=parent, forked_at=3)
    assert written
    assert store.checkpoints.read(child, 3).payload == b"state"


def test_a_run_that_was_changed_and_has_no_checkpoint_keeps_its_records(lab):
    store = lab.store
    spec = {**TINY, "method": "gradnorm", "alpha": 0.5, "steps": 1_000_000, "eval_every": 1_000_000}
    run = lab.launch(RunSpec.parse({**spec, "checkpoint_every": 0}))
    wait_for(lambda: store.info(run).steps > 20)
    lab.retune(run, alpha=2.0)
    wait_for(lambda: store.read(run).events)
    lab.stop(run)
    wait_for(lambda: store.info(run).ended)
    before = steps_of(store, run)
    with pytest.raises(CannotGoOnError, match="alpha was changed at step"):
        lab.go_on(run)
    assert store.info(run).state == "stopped"
    assert steps_of(store, run) == before


def test_a_run_without_changes_begins_again_without_a_checkpoint(store):
    run = store.create("a run", SPEC, ("a", "b"), queued=False)
    store.append(run, step_records(1, 5))
    store.end(run, Outcome("interrupted", 5, ""))
    assert store.requeue(run) == [run]


def test_a_paused_run_lets_others_train_and_goes_on_after_them(lab):
    store = lab.store
    spec = RunSpec.parse({**TINY, "steps": 1_000_000, "eval_every": 1_000_000})
    first = lab.launch(spec, paused=True)
    lab.step(first)
    wait_for(lambda: store.info(first).state == "paused" and store.info(first).steps == 1)
    second = lab.launch(spec)
    wait_for(lambda: store.info(second).steps > 20)
    # Steps wait for nobody; going on does.
    lab.step(first)
    wait_for(lambda: store.info(first).steps == 2)
    lab.resume(first)
    time.sleep(0.3)
    assert store.info(first).steps == 2
    lab.stop(second)
    wait_for(lambda: store.info(first).steps > 20)
    lab.stop(first)
    wait_for(lambda: store.info(first).ended)
    assert lab.trouble is None


def test_single_steps_of_a_paused_run_make_no_more_workers(lab):
    store = lab.store
    run = lab.launch(RunSpec.parse({**TINY, "steps": 1000}), paused=True)
    wait_for(lambda: store.info(run).state == "paused")
    # One for the paused run, one for the next of the queue.
    wait_for(lambda: len(workers()) == 2)
    for step in range(1, 6):
        lab.step(run)
        wait_for(lambda step=step: store.info(run).steps == step)
        wait_for(lambda: store.info(run).state == "paused")
    assert len(workers()) == 2
    lab.stop(run)
    wait_for(lambda: store.info(run).ended)


def workers():
    return [thread for thread in enumerate_threads() if thread.name.startswith("gradnorm-worker")]


def test_a_run_that_waits_for_a_worker_can_be_stopped(lab):
    store = lab.store
    spec = RunSpec.parse({**TINY, "steps": 1_000_000, "eval_every": 1_000_000})
    first = lab.launch(spec, paused=True)
    wait_for(lambda: store.info(first).state == "paused")
    second = lab.launch(spec)
    wait_for(lambda: store.info(second).steps > 20)
    lab.resume(first)
    lab.stop(first)
    wait_for(lambda: store.info(first).ended, timeout=10)
    assert store.info(second).state == "running"


def test_stop_ends_the_wait_of_a_slow_pace(lab):
    store = lab.store
    run = lab.launch(RunSpec.parse({**TINY, "pace": 0.0005}))
    wait_for(lambda: store.info(run).device)
    time.sleep(0.5)
    lab.stop(run)
    wait_for(lambda: store.info(run).ended, timeout=5)


def test_a_network_beyond_the_memory_is_not_taken_in(lab, monkeypatch):
    monkeypatch.setattr("gradnorm.config.memory.free", lambda: 1_000_000_000)
    with pytest.raises(SpecError, match="should fit into memory"):
        lab.launch(RunSpec.parse({**TINY, "width": 4096, "depth": 32}))
    with pytest.raises(SpecError, match="should fit into memory"):
        lab.race([RunSpec.parse({**TINY, "width": 2048, "depth": 8})] * 8)
    assert lab.store.runs() == []


def test_batches_beyond_the_memory_end_their_run_alone(lab, monkeypatch):
    """The size of an example is known once the data are there."""
    store = lab.store
    monkeypatch.setattr("gradnorm.config.memory.free", lambda: 50_000_000)
    run = lab.launch(RunSpec.parse({**TINY, "batch_size": 65_536}))
    wait_for(lambda: store.info(run).ended)
    assert store.info(run).state == "failed"
    assert "should fit into memory" in store.info(run).outcome.message
    other = lab.launch(RunSpec.parse(TINY))
    wait_for(lambda: store.info(other).ended)
    assert store.info(other).state == "finished"


def test_a_run_is_alive_for_other_hosts_while_its_data_load(lab, store, monkeypatch):
    monkeypatch.setattr("gradnorm.lab.workers.BEAT_SECONDS", 0.05)
    loading, go_on = Event(), Event()

    def load(self, seed):
        loading.set()
        go_on.wait(60)
        raise DataError("Enough.")

    monkeypatch.setattr("gradnorm.datasets.builtin.toy.Toy.load", load)
    run = lab.launch(RunSpec.parse(TINY))
    wait_for(loading.is_set)
    db = apsw.Connection(str(store.home / "gradnorm.db"))
    db.execute("UPDATE runs SET heartbeat = 0 WHERE run = ?", (run,))
    wait_for(lambda: db.execute("SELECT heartbeat FROM runs WHERE run = ?", (run,)).fetchone()[0] > 0)
    db.close()
    go_on.set()
    wait_for(lambda: store.info(run).ended)
