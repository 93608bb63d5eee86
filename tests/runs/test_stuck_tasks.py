"""The rule for tasks that cannot improve, on made-up and on real runs."""

from dataclasses import replace

import pytest

from gradnorm.config.spec import preset
from gradnorm.runs.records import Evaluation
from gradnorm.runs.stuck_tasks import stuck
from gradnorm.training.engine import train


def course(*tasks, steps=2000, every=100):
    """Return evaluations; each task gives its loss in units of the constant answer's, as a function of t/steps."""
    evaluations = []
    for step in range(0, steps + 1, every):
        losses = tuple(task(step / steps) for task in tasks)
        ratios = tuple(loss / task(0) for loss, task in zip(losses, tasks, strict=True))
        metrics = tuple({"r2": 1 - loss} for loss in losses)
        evaluations.append(Evaluation(step, losses, ratios, sum(ratios), metrics, (1.0,) * len(tasks)))
    return evaluations


def learns(t):
    return 1.2 - t


def noise(t):
    return 1.02 - 0.01 * t


def test_a_task_that_stays_at_the_constant_answer_is_stuck():
    (named,) = stuck(course(learns, noise))
    assert (named.task, named.step, named.constant) == (1, 2000, 1.0)
    assert named.sentence("task 2").startswith("task 2 cannot improve, it seems: after 2,000 steps")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda t: 1.1 - 0.2 * t, id="still falls"),
        pytest.param(lambda t: 3.0 - 0.001 * t, id="far above the constant answer: starved, not stuck"),
        pytest.param(lambda t: 0.95, id="has learnt something"),
        pytest.param(lambda t: 4.0 if t < 0.6 else 1.0, id="only just arrived"),
        pytest.param(lambda t: 1.0 if t > 0 else 50.0, id="its ratio is below the mean: its weight falls"),
    ],
)
def test_other_tasks_are_not(other):
    assert stuck(course(learns, other)) == []


# The test loss of `weather` at steps 0, 100 … 900 of the preset bikes, seed 4, over a constant answer's. It goes on to
# 0.89.
WEATHER = (2.220, 1.241, 1.160, 1.108, 1.037, 1.039, 1.026, 0.999, 0.990, 1.033)


def test_a_task_that_falls_by_fits_and_starts_is_not_stuck():
    assert stuck(course(learns, lambda t: WEATHER[round(9 * t)], steps=900)) == []


def test_nothing_is_said_too_early_or_of_a_network_that_learns_nothing():
    assert stuck(course(learns, noise, steps=400)) == []
    assert stuck(course(learns, noise)[:9]) == []
    assert stuck(course(noise, noise)) == []
    assert stuck([]) == []


def test_evaluations_of_older_runs_say_nothing():
    old = [
        Evaluation(e.step, e.losses, e.loss_ratios, e.task_normalized_loss, e.metrics) for e in course(learns, noise)
    ]
    assert stuck(old) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expected"), [("noise", {2}), ("toy-2", set())])
def test_the_rule_on_real_runs(name, expected):
    evaluations, named = [], set()
    for item in train(preset(name, {"seed": 1, "steps": 2000, "checkpoint_every": 0})):
        if isinstance(item, Evaluation):
            evaluations.append(item)
            named |= {each.task for each in stuck(evaluations)}
    assert named == expected


def test_where_a_constant_answer_is_right_nothing_is_stuck():
    evaluations = [replace(each, constant_losses=(1.0, 0.0)) for each in course(learns, noise)]
    assert stuck(evaluations) == []
