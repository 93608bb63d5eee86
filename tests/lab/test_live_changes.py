"""Live changes of a run, from the engine to the store and back."""

from contextlib import closing

import numpy as np
import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.export.script import script
from gradnorm.lab.run_writer import record
from gradnorm.runs.records import Event, StepRecord
from gradnorm.training.control import Control
from gradnorm.training.engine import train
from tests.factories import going_on

# Whole runs, servers and commands: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

SPEC = RunSpec.parse(
    {"dataset": "toy", "tasks": 2, "width": 8, "depth": 2, "batch_size": 4, "steps": 20, "device": "cpu", "alpha": 0.5}
)


@pytest.fixture
def run(store):
    return store.create(SPEC.title, SPEC.flat(), ("a", "b"), queued=False)


def changes_of(store, run):
    return [(event.step, event.key, event.value) for event in store.read(run).events]


def test_the_engine_yields_a_change_before_the_step_that_uses_it():
    control, items = Control(), []
    for item in train(SPEC, control):
        items.append(item)
        if isinstance(item, StepRecord) and item.step == 5:
            control.retune(alpha=2.0, hold=(2,))
    place = next(i for i, item in enumerate(items) if isinstance(item, StepRecord) and item.step == 6)
    changed = [(item.step, item.key, item.value) for item in items[:place] if isinstance(item, Event)]
    assert changed == [(6, "alpha", 2.0), (6, "hold", [2])]
    assert not any(isinstance(item, Event) for item in items[place:])
    assert [item.alpha for item in items if isinstance(item, StepRecord)] == [0.5] * 5 + [2.0] * 15


def interrupted(store, run, last, **changes):
    """Train, move α after step 5, and leave after the first record of which `last` is true; then go on to the end.

    changes: what is moved in place of α.
    """
    control = Control()
    with closing(record(store, run, going_on(store, run, control), control)) as recorded:
        for item in recorded:
            if isinstance(item, StepRecord) and item.step == 5:
                control.retune(**(changes or {"alpha": 2.0}))
            if last(item):
                break
    list(record(store, run, going_on(store, run, Control()), Control()))


@pytest.mark.parametrize("step", [6, 9])
def test_a_change_survives_an_interruption_and_is_kept_once(store, run, step):
    interrupted(store, run, lambda item: isinstance(item, StepRecord) and item.step == step)
    assert changes_of(store, run) == [(6, "alpha", 2.0)]
    assert store.read(run).scalar("alpha").tolist() == [0.5] * 5 + [2.0] * 15
    assert "6: " in script(store, run)


def test_priorities_survive_an_interruption_bit_for_bit(store, run):
    interrupted(store, run, lambda item: isinstance(item, StepRecord) and item.step == 9, priorities=(4, 1))
    assert changes_of(store, run) == [(6, "priorities", [4, 1])]
    whole = store.create(SPEC.title, SPEC.flat(), ("a", "b"), queued=False)
    interrupted(store, whole, lambda item: False, priorities=(4, 1))
    np.testing.assert_array_equal(store.read(run).rows, store.read(whole).rows)
    assert "6: {'priorities': (4.0, 1.0)}" in script(store, run)


def test_a_change_that_no_checkpoint_holds_is_taken_back_with_its_event(store, run):
    interrupted(store, run, lambda item: isinstance(item, Event))
    assert changes_of(store, run) == []
    assert store.read(run).scalar("alpha").tolist() == [0.5] * 20


def test_a_pause_and_its_end_are_kept(store, run):
    class Impatient(Control):
        """Held after step 4, and let go on by whoever looks at the clock."""

        def wait(self, timeout=None):
            self.resume()
            return True

    control = Impatient()
    for item in record(store, run, train(SPEC, control), control):
        if isinstance(item, StepRecord) and item.step == 4:
            control.pause()
    assert changes_of(store, run) == [(5, "paused", True), (5, "paused", False)]
    assert (store.info(run).state, store.info(run).steps) == ("finished", 20)
