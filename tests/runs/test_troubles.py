"""Which tasks the user hears of, from runs written out by hand."""

import pytest

from gradnorm.config.spec import preset
from gradnorm.runs.records import Evaluation, Event, Outcome
from gradnorm.runs.troubles import troubles


def run_of(store, *losses, changes=None, events=(), outcome=None):
    """Return the snapshot of a run of toy-2 whose tests, every 100 steps, gave these losses."""
    spec = preset("toy-2", changes)
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    first = losses[0]
    tests = [
        Evaluation(100 * i, at, tuple(a / b for a, b in zip(at, first, strict=True)), 1.0, ({}, {}))
        for i, at in enumerate(losses)
    ]
    store.append(run, [], tests, events=events)
    if outcome is not None:
        store.end(run, Outcome(outcome, 100))
    return store.read(run)


SMALL = [(1.0, 1e-6), (0.5, 0.01)]


def test_a_first_loss_near_0_is_told(store):
    (trouble,) = troubles(run_of(store, *SMALL))
    assert trouble.task == 1
    assert trouble.sentence.startswith(
        "task 2 began with a loss near 0, it seems: 1e-06 at first, 0.01 now, 10,000 times as much. "
    )


@pytest.mark.parametrize(
    "run",
    [
        pytest.param({"changes": {"alpha": 0}}, id="ratios have no part"),
        pytest.param({"changes": {"method": "equal"}}, id="no targets"),
        pytest.param({"changes": {"hold": [2]}}, id="held"),
        pytest.param({"events": [Event(1, "hold", [2], 0.0)]}, id="held since"),
        pytest.param({"outcome": "diverged"}, id="diverged"),
    ],
)
def test_nothing_is_told_where_no_rate_raises_its_weight(store, run):
    assert troubles(run_of(store, *SMALL, **run)) == []


def test_losses_that_rise_a_little_are_no_trouble(store):
    assert troubles(run_of(store, (1.0, 0.1), (0.5, 5.0))) == []
    assert troubles(run_of(store, (1.0, 0.1))) == []
