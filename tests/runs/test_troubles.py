"""Which tasks the user hears of, from runs written out by hand."""

from dataclasses import replace

import pytest

from gradnorm.config.spec import preset
from gradnorm.runs.records import Event, Outcome
from gradnorm.runs.troubles import troubles
from tests.factories import step_records


def run_of(store, *losses, changes=None, events=(), outcome=None):
    """Return the troubles of a run of toy-2 with these losses; those of the first step are L(0)."""
    spec = preset("toy-2", changes)
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    rows = [
        replace(row, losses=now, loss_ratios=tuple(a / b for a, b in zip(now, losses[0], strict=True)))
        for row, now in zip(step_records(1, len(losses)), losses, strict=True)
    ]
    store.append(run, rows, events=events)
    if outcome is not None:
        store.end(run, Outcome(outcome, len(losses)))
    return troubles(store, run)


SMALL = [(1.0, 1e-6), *[(0.5, 0.01)] * 50]


def test_a_first_loss_near_0_is_told(store):
    (trouble,) = run_of(store, *SMALL)
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
    assert run_of(store, *SMALL, **run) == []


@pytest.mark.parametrize(
    "losses",
    [
        pytest.param([(1.0, 0.1), *[(0.5, 0.9)] * 60], id="a little above the first"),
        pytest.param([(1.0, 0.1), *[(0.5, 0.1)] * 60, *[(0.5, 9.0)] * 49], id="for a moment"),
        pytest.param([(1.0, 0.1), *[(0.5, 9.0)] * 60, (0.5, 0.1)], id="no longer"),
        pytest.param([(1.0, 0.1), *[(20.0, 9.0)] * 60], id="all tasks"),
        pytest.param([(1.0, 0.1)], id="one step"),
    ],
)
def test_losses_that_rise_otherwise_are_no_trouble(store, losses):
    assert run_of(store, *losses) == []


def test_a_run_that_has_not_begun_has_none(store):
    spec = preset("toy-2")
    assert troubles(store, store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=True)) == []
