"""From an iterator of records to the store: blocks, endings and pauses."""

from __future__ import annotations

import time
from threading import Event, Thread

import apsw
import pytest

from gradnorm.lab.run_writer import BLOCK_SECONDS, BLOCK_STEPS, failed, record, record_group
from gradnorm.runs.records import Checkpoint, Outcome, StepRecord
from gradnorm.training.control import Control
from tests.factories import SPEC, evaluation, finished, step_record, step_records, wait_for


@pytest.fixture
def run(store):
    return store.create("a run", SPEC, ("a", "b"), queued=False)


def blocks(store):
    db = apsw.Connection(str(store.home / "gradnorm.db"))
    found = db.execute("SELECT first, last FROM blocks ORDER BY first").fetchall()
    db.close()
    return found


class Endless:
    """Records for as long as somebody pulls them; counts the pulls."""

    def __init__(self, control, seconds=0.0005):
        self.control, self.seconds, self.pulled = control, seconds, 0

    def __iter__(self):
        return self

    def __next__(self):
        if self.control.stopping:
            return Outcome("stopped", self.pulled)
        time.sleep(self.seconds)
        self.pulled += 1
        return step_record(self.pulled)


class Recording:
    """A thread that records an `Endless`; it is stopped at the end."""

    def __init__(self, store, run):
        self.control = Control()
        self.source = Endless(self.control)
        self.thread = Thread(target=self._work, args=(store, run))

    def _work(self, store, run):
        for item in record(store, run, self.source, self.control):
            if isinstance(item, Outcome):
                break
        store.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.control.stop()
        self.thread.join(30)


def test_everything_is_handed_on_in_order_and_written(store, run):
    given = [evaluation(0), *step_records(1, 5), evaluation(5), finished(5)]
    assert list(record(store, run, iter(given), Control())) == given
    snapshot = store.read(run)
    assert snapshot.rows[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert snapshot.evaluations == (evaluation(0), evaluation(5))
    assert (snapshot.info.state, snapshot.info.outcome) == ("finished", finished(5))


def test_records_are_there_before_the_outcome_is(store, run):
    for item in record(store, run, iter([*step_records(1, 3), finished(3)]), Control()):
        if isinstance(item, Outcome):
            assert (store.info(run).steps, store.info(run).state) == (3, "finished")


def test_fast_steps_are_written_in_blocks(store, run):
    steps = 10 * BLOCK_STEPS + 7
    assert len(list(record(store, run, iter(step_records(1, steps)), Control()))) == steps
    found = blocks(store)
    assert 11 <= len(found) < steps / 4
    assert max(last - first + 1 for first, last in found) <= BLOCK_STEPS
    assert store.info(run).steps == steps


def test_slow_steps_are_written_one_by_one(store, run):
    def slow():
        for item in step_records(1, 4):
            time.sleep(2 * BLOCK_SECONDS)
            yield item

    for item in record(store, run, slow(), Control()):
        assert store.info(run).steps == item.step
    assert blocks(store) == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_what_came_before_an_error_is_written(store, run):
    def broken():
        yield evaluation(0)
        yield from step_records(1, 3)
        raise ZeroDivisionError("no good")

    ending = Outcome("failed", 3, "ZeroDivisionError: no good")
    assert list(record(store, run, broken(), Control()))[-1] == ending
    snapshot = store.read(run)
    assert (len(snapshot.rows), snapshot.evaluations) == (3, (evaluation(0),))
    assert (snapshot.info.state, snapshot.info.outcome) == ("failed", ending)


def test_what_was_pulled_is_written_when_the_consumer_leaves(store, run):
    recorded = record(store, run, iter(step_records(1, 9)), Control())
    for item in recorded:
        if item.step == 4:
            break
    recorded.close()
    assert store.info(run).steps == 4


def test_a_run_deleted_on_the_way_ends_the_recording(store, run):
    recorded = record(store, run, iter(step_records(1, 9 * BLOCK_STEPS)), Control())
    next(recorded)
    store.end(run, finished(1))
    store.delete(run)
    assert len(list(recorded)) <= BLOCK_STEPS


def test_training_time_is_counted_without_pauses(store, run):
    with Recording(store, run) as recording:
        wait_for(lambda: store.info(run).steps > 50)
        recording.control.pause()
        wait_for(lambda: store.info(run).state == "paused")
        before = store.info(run).seconds
        time.sleep(0.5)
        recording.control.step()
        wait_for(recording.control.must_wait)
        recording.control.stop()
        recording.thread.join(30)
    assert before > 0.02
    assert store.info(run).seconds - before < 0.4


def test_a_pause_holds_the_run_and_writes_everything(store, run):
    with Recording(store, run) as recording:
        wait_for(lambda: store.info(run).steps > 10)
        recording.control.pause()
        wait_for(lambda: store.info(run).state == "paused")
        held = recording.source.pulled
        assert store.info(run).steps == held
        time.sleep(0.2)
        assert recording.source.pulled == held
        recording.control.resume()
        wait_for(lambda: store.info(run).state == "running")
        wait_for(lambda: store.info(run).steps > held + 10)


def test_a_single_step_is_one_step(store, run):
    with Recording(store, run) as recording:
        wait_for(lambda: store.info(run).steps > 10)
        recording.control.pause()
        wait_for(lambda: store.info(run).state == "paused")
        for _ in range(3):
            held = recording.source.pulled
            recording.control.step()
            wait_for(lambda held=held: store.info(run).steps == held + 1)
            time.sleep(0.05)
            assert recording.source.pulled == held + 1
            assert store.info(run).state == "paused"


@pytest.mark.parametrize("paused", [False, True])
def test_a_stop_ends_the_run_with_its_outcome(store, run, paused):
    with Recording(store, run) as recording:
        wait_for(lambda: store.info(run).steps > 10)
        if paused:
            recording.control.pause()
            wait_for(lambda: store.info(run).state == "paused")
        recording.control.stop()
        recording.thread.join(30)
        assert not recording.thread.is_alive()
    info = store.info(run)
    assert (info.state, info.outcome.step, info.steps) == ("stopped", recording.source.pulled, recording.source.pulled)


def test_a_single_step_after_an_evaluation_is_still_one_training_step(store, run):
    control = Control()
    control.pause()
    control.step()
    given = iter([evaluation(0), step_record(1), step_record(2)])
    taken, arrived = [], Event()

    def work():
        for item in record(store, run, given, control):
            taken.append(item)
            arrived.set()
        store.close()

    thread = Thread(target=work)
    thread.start()
    wait_for(lambda: store.info(run).steps == 1)
    assert taken == [evaluation(0), step_record(1)]
    control.resume()
    thread.join(30)
    assert len(taken) == 3


def test_a_pause_asked_for_during_an_evaluation_holds_at_once(store, run):
    control = Control()

    def source():
        yield step_record(1)
        control.pause()  # as somebody does while the test set is gone through
        yield evaluation(1)
        yield step_record(2)

    taken = []

    def work():
        taken.extend(record(store, run, source(), control))
        store.close()

    thread = Thread(target=work)
    thread.start()
    wait_for(lambda: store.info(run).state == "paused")
    try:
        assert store.info(run).steps == 1
    finally:
        control.resume()
        thread.join(30)
    assert len(taken) == 3


def test_a_resume_during_the_evaluation_of_a_single_step_is_not_lost(store, run):
    control = Control()
    control.step()

    def source():
        control.resume()  # as somebody does while the test set is gone through
        yield evaluation(0)
        yield from step_records(1, 5)

    thread = Thread(target=lambda: (list(record(store, run, source(), control)), store.close()))
    thread.start()
    try:
        wait_for(lambda: store.info(run).steps == 5 or store.info(run).state == "paused")
        assert (store.info(run).steps, control.paused) == (5, False)
    finally:
        control.stop()
        thread.join(30)


def test_a_failure_is_named_by_its_type_and_message():
    assert failed(7, ZeroDivisionError("no good")) == Outcome("failed", 7, "ZeroDivisionError: no good")


def in_lock_step(sources):
    """Yield what `train_group` would: a training step of each source in turn, with what else comes before it."""
    going = dict(enumerate(sources))
    while going:
        for index, source in list(going.items()):
            try:
                for item in source:
                    yield index, item
                    if isinstance(item, StepRecord):
                        break
                else:
                    del going[index]
            except Exception as error:
                del going[index]
                yield index, error


def record_race(store, sources, controls=None):
    controls = controls or [Control() for _ in sources]
    return record_group(store, list(sources), in_lock_step(sources.values()), controls)


@pytest.fixture
def race(store):
    return store.create_race([("one", SPEC), ("two", SPEC), ("three", SPEC)], ("a", "b"), queued=False)


def test_a_race_goes_in_lock_step(store, race):
    sources = {run: iter([evaluation(0), *step_records(1, 5), finished(5)]) for run in race}
    taken = list(record_race(store, sources))
    steps = [(run, item.step) for run, item in taken if isinstance(item, StepRecord)]
    assert steps == [(run, step) for step in range(1, 6) for run in race]
    assert [item.step for run, item in taken if run == race[1]] == [0, 1, 2, 3, 4, 5, 5]
    assert [store.info(run).state for run in race] == ["finished"] * 3


def test_extra_items_of_one_do_not_put_a_race_out_of_step(store, race):
    def chatty():
        for own in step_records(1, 5):
            yield from (evaluation(own.step - 1), Checkpoint(own.step - 1, b"state"), own)

    sources = {
        race[0]: chatty(),
        race[1]: iter(step_records(1, 5)),
        race[2]: iter([evaluation(0), *step_records(1, 5)]),
    }
    steps = [(run, i.step) for run, i in record_race(store, sources) if isinstance(i, StepRecord)]
    assert steps == [(run, step) for step in range(1, 6) for run in race]


def test_a_round_counts_for_each_of_its_runs(store, race):
    def slow():
        for own in step_records(1, 5):
            time.sleep(0.02)
            yield own

    sources = {race[0]: slow(), race[1]: iter(step_records(1, 5)), race[2]: iter(step_records(1, 5))}
    list(record_race(store, sources))
    spent = [store.info(run).seconds for run in race]
    assert all(seconds > 0.06 for seconds in spent)
    assert max(spent) < 1.5 * min(spent)


def test_a_race_goes_on_without_those_that_fail_or_are_deleted(store, race):
    def broken():
        yield from step_records(1, 2)
        raise ZeroDivisionError("no good")

    fails, goes, vanishes = race
    steps = 3 * BLOCK_STEPS
    sources = {
        fails: broken(),
        goes: iter([*step_records(1, steps), finished(steps)]),
        vanishes: iter(step_records(1, steps)),
    }
    for run, item in record_race(store, sources):
        if (run, item.step) == (vanishes, 1):
            store.end(vanishes, finished(1))
            store.delete(vanishes)
    assert (store.info(fails).state, store.info(fails).steps) == ("failed", 2)
    assert (store.info(goes).state, store.info(goes).steps) == ("finished", steps)
    assert {info.run for info in store.runs()} == {fails, goes}


def test_a_single_step_of_a_race_is_a_step_of_each(store, race):
    controls = [Control() for _ in race]
    for control in controls:
        control.pause()
        control.step()
    sources = {run: iter([evaluation(0), *step_records(1, 5)]) for run in race}
    thread = Thread(target=lambda: (list(record_race(store, sources, controls)), store.close()))
    thread.start()
    try:
        wait_for(lambda: [store.info(run).state for run in race] == ["paused"] * 3)
        assert [store.info(run).steps for run in race] == [1, 1, 1]
    finally:
        for control in controls:
            control.resume()
        thread.join(30)
    assert [store.info(run).steps for run in race] == [5, 5, 5]


def test_a_checkpoint_is_kept_after_the_records_that_led_to_it(store, run):
    for item in record(store, run, iter([*step_records(1, 3), Checkpoint(3, b"state")]), Control()):
        if isinstance(item, Checkpoint):
            assert store.info(run).steps == 3
    assert store.checkpoints.read(run, 3) == Checkpoint(3, b"state")
