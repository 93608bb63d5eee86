"""The rule for tasks that are as good as solved and in the others' way, on made-up and on real runs."""

from dataclasses import replace

import numpy as np
import pytest

from gradnorm.config.spec import preset
from gradnorm.runs.records import Evaluation, Outcome, StepRecord
from gradnorm.runs.solved_tasks import solved
from gradnorm.runs.troubles import troubles
from gradnorm.training.engine import train
from tests.factories import step_records

# Of the weighted sum the second task has a two-hundredth, and of the norms half.
WEIGHTED, NORMS = np.array([[199.0, 1.0]] * 3), np.array([[5.0, 5.0]] * 3)


def course(*tasks, steps=2000, every=100):
    """Return evaluations; each task gives its loss ratio as a function of t/steps."""
    ratios = [tuple(task(step / steps) for task in tasks) for step in range(0, steps + 1, every)]
    return [Evaluation(every * k, each, each, sum(each), ()) for k, each in enumerate(ratios)]


def still(t):
    return 1 - 0.05 * t


def learns(t):
    return 1 - 0.5 * t


def test_a_task_with_nothing_to_gain_is_named_where_the_others_stand_still():
    (named,) = solved(course(still, learns), WEIGHTED, NORMS)
    assert (named.task, named.step, named.share) == (1, 2000, pytest.approx(0.005))
    assert named.sentence("boundary").startswith("boundary is as good as solved, it seems")
    assert "0.5 % of the weighted sum" in named.sentence("boundary")


@pytest.mark.parametrize(
    ("evaluations", "weighted", "norms"),
    [
        pytest.param(course(learns, still), WEIGHTED, NORMS, id="another task learns"),
        pytest.param(course(still, still), WEIGHTED, [[20.0, 5.0]] * 3, id="it has little of the gradient"),
        pytest.param(course(still, still), [[90.0, 10.0]] * 3, NORMS, id="it has a part of the loss"),
        pytest.param(course(still, still, steps=400), WEIGHTED, NORMS, id="too early"),
        pytest.param(course(still, still)[:8], WEIGHTED, NORMS, id="too few evaluations"),
        pytest.param(course(still), [[1.0]], [[1.0]], id="one task"),
        pytest.param(course(still, still), WEIGHTED, NORMS * np.nan, id="nothing measured"),
        pytest.param([], np.empty((0, 2)), np.empty((0, 2)), id="no step"),
    ],
)
def test_other_tasks_are_not(evaluations, weighted, norms):
    assert solved(evaluations, np.array(weighted), np.array(norms)) == []


def test_units_of_the_losses_and_steps_without_a_measurement_make_no_difference():
    unmeasured = np.vstack([NORMS, [[np.nan, np.nan]]])
    (named,) = solved(course(still, still), np.vstack([WEIGHTED, [[1.0, 1e9]]]) * 1e-6, unmeasured * 1e6)
    assert (named.task, named.share) == (1, pytest.approx(0.005))


@pytest.mark.parametrize("alpha", [0.0, 1.5])
def test_a_run_is_told_of_it_with_another_remedy_than_to_hold(store, alpha):
    spec = preset("toy-2", {"alpha": alpha})
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    rows = [
        replace(row, weights=(0.01, 1.99), losses=(100.0, 1e-4), loss_ratios=(1.0, 1.0), gradient_norms=(1.0, 1.0))
        for row in step_records(1, 2000)
    ]
    store.append(run, rows, course(still, still))
    store.end(run, Outcome("finished", 2000))
    (trouble,) = troubles(store, run)
    assert (trouble.task, trouble.hold) == (1, False)
    assert "A priority below 1" in trouble.sentence


@pytest.mark.slow
def test_the_boundary_of_helmholtz_is_named_under_the_paper_s_way_of_moving_weights():
    changes = {"update": "log", "alpha": 1.5, "steps": 1000, "eval_every": 50, "checkpoint_every": 0}
    evaluations, steps, named = [], [], []
    for item in train(preset("helmholtz", changes)):
        if isinstance(item, StepRecord):
            steps.append(item)
        elif isinstance(item, Evaluation):
            evaluations.append(item)
            last = steps[-50:]
            weighted = np.array([np.multiply(each.weights, each.losses) for each in last]).reshape(-1, 2)
            norms = np.array([each.gradient_norms for each in last]).reshape(-1, 2)
            named += solved(evaluations, weighted, norms)
    assert {each.task for each in named} == {1}
