"""A script that listens: what is asked of it from elsewhere reaches it, and only what it has declared."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import numpy as np
import pytest

from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.faults import ReadOnlyHomeError
from gradnorm.runs.knobs import Knob, Steering
from gradnorm.runs.listener import StoppedError
from gradnorm.runs.recorder import Recorder
from gradnorm.runs.store import RunStore, UnknownRunError
from tests.factories import SPEC, start_python, wait_for

TASKS = ("depth", "normals")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


@pytest.fixture
def elsewhere():
    """A thread for what somebody does while the script trains."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def recorder(store: RunStore, **options) -> Recorder:
    return Recorder("my network", TASKS, home=store.home, **options)


def log(ours: Recorder, alpha: float | None = None) -> None:
    ours.log(losses=[1.0, 2.0], alpha=alpha)
    time.sleep(0.002)


def test_values_come_back_in_the_kind_that_was_declared(store):
    with recorder(store) as ours:
        now = ours.knobs(alpha=0.12, batch=32, augment=True, priorities=[1.0, 2.0], rate=Knob(1e-3, 1e-5, 1e-1))
        kinds = [type(value) for value in vars(now).values()]
        assert kinds == [float, int, bool, tuple, float]
        ours.flush()
        asked = {"alpha": 1, "batch": 64.0, "augment": False, "priorities": [2, 0.5], "rate": 0.1}
        for key, value in asked.items():
            store.wishes.ask(ours.run, key, value)
        now = wait_for(lambda: (now := ours.knobs()).rate == 0.1 and now)
        assert vars(now) == {"alpha": 1.0, "batch": 64, "augment": False, "priorities": (2.0, 0.5), "rate": 0.1}
        assert [type(value) for value in vars(now).values()] == kinds
        log(ours)
    events = store.read(ours.run).events
    assert {(event.step, event.key) for event in events} == {(1, key) for key in asked}


def test_an_event_names_the_first_step_that_used_the_value(store, elsewhere):
    with recorder(store, steps=10_000) as ours:
        asked = None
        while not ours.stopped:
            log(ours, ours.knobs(alpha=0.12).alpha)
            if ours.step == 5:
                ours.flush()
                asked = elsewhere.submit(store.wishes.ask, ours.run, "alpha", 0.75)
            if ours.step > 5 and ours.knobs().alpha == 0.75 and store.wishes.newest(ours.run).get("stopped") is None:
                store.wishes.ask(ours.run, "stopped", True)
        assert asked is not None
        asked.result()
    snapshot = store.read(ours.run)
    (event,) = snapshot.events
    np.testing.assert_array_equal(snapshot.scalar("alpha") == 0.75, snapshot.scalar("step") >= event.step)
    assert event.step > 5
    assert (snapshot.info.state, event.label) == ("stopped", "α 0.75")
    assert snapshot.info.outcome.message == f"Stopped from a page after {ours.step:,} steps."


def test_a_pause_holds_the_script_and_is_none_of_its_time(store, elsewhere):
    def ask(run: str) -> int:
        wait_for(lambda: store.info(run).steps > 5)
        store.wishes.ask(run, "paused", True)
        wait_for(lambda: store.info(run).state == "paused")
        held = store.info(run).steps
        time.sleep(1.5)
        assert store.info(run).steps == held
        store.wishes.ask(run, "checkpoint", True)
        wait_for(lambda: store.checkpoints.steps(run) == [held])
        store.wishes.ask(run, "paused", False)
        wait_for(lambda: store.info(run).steps > held and store.info(run).state == "running")
        store.wishes.ask(run, "stopped", True)
        return held

    with recorder(store, checkpoint=lambda: b"its network") as ours:
        began = time.monotonic()
        asked = elsewhere.submit(ask, ours.run)
        while not ours.stopped:
            log(ours)
        took = time.monotonic() - began
    held = asked.result()
    assert store.checkpoints.read(ours.run, held).payload == b"its network"
    assert [event.label for event in store.read(ours.run).events] == ["paused", "checkpoint", "resumed"]
    assert store.info(ours.run).seconds < took - 1.4


def test_a_block_that_never_asks_ends_when_it_is_stopped_and_the_script_goes_on(store, elsewhere):
    with recorder(store) as ours:
        ours.knobs(alpha=0.12)
        ours.flush()
        elsewhere.submit(store.wishes.ask, ours.run, "stopped", True)
        while True:
            log(ours)
    info = store.info(ours.run)
    assert (info.state, info.steps) == ("stopped", ours.step)
    assert ours.stopped


def test_without_a_block_the_end_is_an_error_with_a_sentence(store):
    ours = recorder(store)
    ours.knobs(alpha=0.12)
    ours.flush()
    store.wishes.ask(ours.run, "stopped", True)
    with pytest.raises(StoppedError, match=r"Train in a `with Recorder\(…\)` block"):
        wait_for(lambda: log(ours))
    ours.end()
    assert store.info(ours.run).state == "stopped"


@pytest.mark.parametrize("given", ["a text", RuntimeError("no memory")])
def test_a_checkpoint_that_fails_leaves_the_training_alone(store, given, caplog):
    def state():
        if isinstance(given, Exception):
            raise given
        return given

    with recorder(store, checkpoint=state) as ours:
        ours.flush()
        store.wishes.ask(ours.run, "checkpoint", True)
        wait_for(lambda: log(ours) or caplog.records)
    snapshot = store.read(ours.run)
    assert [event.label for event in snapshot.events] == ["no checkpoint"]
    assert snapshot.info.state == "finished"
    assert "should return bytes. Found str" in caplog.text if given == "a text" else "no memory" in caplog.text
    assert store.checkpoints.steps(ours.run) == []


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("alpha", 3.5, r"alpha should be a number in \[0, 3\]. Found 3.5"),
        ("alpha", float("nan"), "Found nan"),
        ("alpha", "1", "Found '1'"),
        ("alpha", True, "Found True"),
        ("alpha", [1.0], r"Found \[1.0\]"),
        ("batch", 2.5, "batch should be a whole number in"),
        ("augment", 1, "augment should be on or off. Found 1"),
        ("priorities", [1.0], "priorities should be 2 numbers in"),
        ("beta", 1.0, r"one of the script's \(alpha, batch, augment, priorities\). Found 'beta'"),
        ("paused", "yes", r"paused should be one of \[True, False\]"),
        ("stopped", False, r"stopped should be one of \[True\]"),
        ("checkpoint", True, "Give it checkpoint=…"),
    ],
)
def test_a_wrong_wish_is_refused_in_a_sentence_and_never_reaches_the_script(store, key, value, says):
    with recorder(store) as ours:
        ours.knobs(alpha=Knob(0.12, 0, 3), batch=32, augment=True, priorities=[1.0, 2.0])
        ours.flush()
        with pytest.raises(ValueError, match=says):
            store.wishes.ask(ours.run, key, value)
    assert store.wishes.newest(ours.run) == {}


def test_a_run_that_does_not_listen_or_has_ended_takes_no_wishes(store):
    with recorder(store) as ours:
        with pytest.raises(ValueError, match=r"should listen to the dashboard. Found that it does not"):
            store.wishes.ask(ours.run, "stopped", True)
        ours.knobs(alpha=0.12)
    with pytest.raises(ValueError, match="Found that the run is finished"):
        store.wishes.ask(ours.run, "alpha", 0.5)
    trained = store.create("trained", SPEC, TASKS, queued=False)
    with pytest.raises(ValueError, match="Found that it does not"):
        store.wishes.ask(trained, "paused", True)
    with pytest.raises(UnknownRunError):
        store.wishes.ask("none", "paused", True)


def test_a_home_that_can_only_be_read_takes_no_wishes(store, monkeypatch):
    with recorder(store) as ours:
        ours.knobs(alpha=0.12)
        ours.flush()
        monkeypatch.setattr(store._db, "read_only", True)
        with pytest.raises(ReadOnlyHomeError):
            store.wishes.ask(ours.run, "alpha", 0.5)


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"alpha": "much"}, "Declare it like alpha=0.12"),
        ({"alpha": []}, "several numbers"),
        ({"alpha": float("inf")}, "finite"),
        ({"paused": 1.0}, "a name of its own"),
    ],
)
def test_what_is_no_knob_is_told(store, declared, says):
    with recorder(store) as ours, pytest.raises(ValueError, match=says):
        ours.knobs(**declared)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [(0.12, 0.0, 1.2), (0.0, 0.0, 1.0), (-2.0, -20.0, 0.0), (32, 0.0, 320.0), ([1.0, 3.0], 0.0, 30.0), (True, 0, 10)],
)
def test_a_range_that_is_left_out_holds_the_value(value, low, high):
    assert Knob(value).range == pytest.approx((low, high))


def test_a_range_is_one():
    with pytest.raises(ValueError, match=r"low < high. Found 3 and 1"):
        Knob(2.0, 3, 1)
    with pytest.raises(ValueError, match=r"a number in \[0, 1\]. Found 2.0"):
        Knob(2.0, 0, 1)


def test_a_page_reads_the_knobs_as_they_were_declared(store):
    with recorder(store, checkpoint=bytes) as ours:
        ours.knobs(alpha=Knob(0.12, 0, 3))
        ours.knobs(alpha=5.0, priorities=[1.0, 2.0])
        ours.flush()
        steering = Steering.of(store.info(ours.run))
    assert steering == Steering({"alpha": Knob(0.12, 0, 3), "priorities": Knob((1.0, 2.0))}, True)


def test_a_damaged_wish_is_left_out(store):
    with recorder(store) as ours:
        ours.knobs(alpha=0.12)
        ours.flush()
        for value in (0.5, 0.7):
            store.wishes.ask(ours.run, "alpha", value)
        db = apsw.Connection(str(store.home / "gradnorm.db"))
        db.execute("UPDATE wishes SET value = '0.9' WHERE value = '0.7'")
        db.close()
        assert store.wishes.newest(ours.run) == {"alpha": 0.5}


def test_wishes_go_with_their_run(store):
    with recorder(store) as ours:
        ours.knobs(alpha=0.12)
        ours.flush()
        store.wishes.ask(ours.run, "alpha", 0.5)
    store.delete(ours.run)
    assert store.wishes.since(ours.run) == []
    with store._db.read() as db:
        assert db.execute("SELECT count(*) FROM wishes").get == 0


def test_a_fork_goes_on_from_a_checkpoint_and_its_ratios_are_to_the_same_losses(store):
    with recorder(store, checkpoint=lambda: b"its network") as ours:
        ours.log(losses=[4.0, 8.0])
        ours.log(losses=[2.0, 6.0])
        ours.flush()
        store.wishes.ask(ours.run, "checkpoint", True)
        wait_for(lambda: ours.knobs() and store.checkpoints.steps(ours.run))
    with recorder(store, fork=(ours.run, 2)) as fork:
        assert (fork.restored, fork.step) == (b"its network", 2)
        fork.log(losses=[1.0, 2.0], step=3)
    snapshot = store.read(fork.run)
    assert (snapshot.info.parent, snapshot.info.forked_at, snapshot.info.steps) == (ours.run, 2, 3)
    assert snapshot.vector("loss_ratios").tolist() == [[0.25, 0.25]]
    with pytest.raises(CheckpointError, match=r"one with a checkpoint \(2\). Found 7"):
        recorder(store, fork=(ours.run, 7))
    assert recorder(store).restored is None


def test_listening_costs_little(store):
    with recorder(store) as ours:
        ours.knobs(alpha=0.12)
        began = time.perf_counter()
        for _ in range(20_000):
            ours.knobs(alpha=0.12)
        each = (time.perf_counter() - began) / 20_000
    assert each < 1e-4


SCRIPT = """
import time
from gradnorm import Recorder
recorder = Recorder("killed", ["depth", "normals"])
while True:
    recorder.log(losses=[1.0, 2.0], alpha=recorder.knobs(alpha=0.12).alpha)
    time.sleep(0.005)
"""


def test_a_paused_script_that_is_killed_leaves_an_interrupted_run(store):
    with start_python(store.home, "-c", SCRIPT, stderr=subprocess.DEVNULL) as process:
        try:
            run = wait_for(lambda: next((info.run for info in store.runs() if info.steps > 3), None))
            store.wishes.ask(run, "alpha", 0.5)
            store.wishes.ask(run, "paused", True)
            wait_for(lambda: store.info(run).state == "paused")
        finally:
            process.kill()
        process.wait(30)
    snapshot = store.read(run)
    assert snapshot.info.state == "interrupted"
    # The change and the pause were written before the script was held.
    assert [event.key for event in snapshot.events] == ["alpha", "paused"]
