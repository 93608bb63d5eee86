"""What came of a run; who leads at what, and Δm, from results written out by hand."""

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.lab.summary import DeltaM, Summary, delta_m, leaders, sentences
from gradnorm.runs.records import Outcome
from tests.factories import evaluation, step_record


def result(method, metrics, task=1, seed=0, total=1.0):
    test = {"metrics": metrics, "loss_ratios": [0.5, 0.5], "task_normalized_loss": total}
    return {"spec": {"method": method, "task": task, "seed": seed}, "tasks": ["depth", "classes"], "test": test}


DEPTH, CLASSES = {"rmse": 2.0, "rel_error": 0.5}, {"miou": 0.4, "iou_error": 60.0}
ALONE = [result("single", [DEPTH, {"miou": 0.0}]), result("single", [{"rmse": 9.0}, CLASSES], task=2)]


def percents(results):
    return [each.percent for each in delta_m(results)]


def test_delta_m_by_hand():
    # Depth: 10 % less and 20 % more error; classes: 5 % more, and the restated error does not count.
    shared = result("gradnorm", [{"rmse": 1.8, "rel_error": 0.6}, {"miou": 0.42, "iou_error": 58.0}])
    assert percents([*ALONE, shared]) == [None, None, pytest.approx((-5.0 + 5.0) / 2)]
    better = result("equal", [{"rmse": 1.0, "rel_error": 0.5}, {"miou": 0.4, "iou_error": 1.0}])
    assert percents([*ALONE, better])[2] == pytest.approx(12.5)


@pytest.mark.parametrize("yardstick", [0.0, 0.01, -0.04])
def test_r2_counts_as_an_error_so_that_a_yardstick_of_0_is_sound(yardstick):
    """A task alone that is as good as its mean, and a contender with R² 0.36: an error of 0.8 of the mean's."""
    alone = [result("single", [{"r2": yardstick}, CLASSES], task=i) for i in (1, 2)]
    (percent,) = percents([*alone, result("gradnorm", [{"r2": 0.36}, CLASSES])])[2:]
    assert percent == pytest.approx(100 * (1 - 0.8 / (1 - yardstick) ** 0.5) / 2)


@pytest.mark.parametrize(
    ("alone", "own", "reason"),
    [
        pytest.param({"miou": 0.0}, {"miou": 0.4}, "depth's miou does not exist: 0.4 to the 0 of", id="nothing"),
        pytest.param({"miou": 0.01}, {"miou": 0.4}, "miou would be nearly all of it: 0.4 to the 0.01 of", id="little"),
        pytest.param({"r2": 1.0}, {"r2": 0.9}, "depth's rmse does not exist: 0.316 to the 0 of", id="no error"),
        pytest.param({"r2": float("nan")}, {"r2": 0.9}, "depth's rmse does not exist: 0.316 to the nan", id="unknown"),
        pytest.param({"f1": 0.5}, {"miou": 0.5}, "depth's miou does not exist: 0.5 to the nan of", id="missing"),
    ],
)
def test_where_no_ratio_makes_sense_a_sentence_says_so(alone, own, reason):
    singles = [result("single", [alone, CLASSES], task=i) for i in (1, 2)]
    refused = delta_m([*singles, result("gradnorm", [own, CLASSES])])[2]
    assert refused.percent is None
    assert reason in refused.why


def test_delta_m_needs_a_single_task_run_for_each_task_with_the_same_seed():
    shared = result("gradnorm", [DEPTH, CLASSES], seed=1)
    refused = delta_m([*ALONE, shared])
    assert [each.percent for each in refused] == [None, None, None]
    assert refused[2].why == "Δm needs a run of each task alone with seed 1. Found none of depth."
    assert percents([ALONE[0], result("gradnorm", [DEPTH, CLASSES])]) == [None, None]


def test_a_race_without_single_task_runs_has_no_delta_m_and_says_nothing_of_it():
    assert delta_m([result("equal", [DEPTH, CLASSES]), result("gradnorm", [DEPTH, CLASSES])]) == [DeltaM(), DeltaM()]


def test_a_run_that_diverged_has_no_test_of_its_untrained_network():
    summary = Summary(RunSpec.parse({"dataset": "toy", "tasks": 2}), "run")
    for item in (evaluation(0), step_record(1), Outcome("diverged", 1, "The loss of 'task 1' became nan at step 2.")):
        summary.take(item)
    assert summary.result()["test"] is None
    stopped = Summary(summary.spec, "run")
    for item in (evaluation(0), step_record(1), Outcome("stopped", 1, "Stopped by hand after 1 steps.")):
        stopped.take(item)
    assert stopped.result()["test"]["step"] == 0


def test_leaders_know_where_less_is_better():
    one = result("equal", [{"rmse": 1.0}, {"miou": 0.2}], total=2.0)
    two = result("gradnorm", [{"rmse": 2.0}, {"miou": 0.3}])
    best_at = leaders(["one", "two"], [one, two])
    assert best_at["rmse.depth"] == "one"
    assert best_at["miou.classes"] == "two"
    assert best_at["task_normalized_loss"] == "two"


def test_a_task_without_a_metric_has_no_delta_m():
    nothing = [result("single", [{}, {}], task=i) for i in (1, 2)]
    assert delta_m([*nothing, result("gradnorm", [{}, {}])])[2].why == (
        "Δm compares test metrics. Found none of depth."
    )


def test_where_no_constant_answer_is_known_the_first_loss_is_the_yardstick():
    assert sentences(["a", "b"], evaluation(2))[0] == "a: r2 0.5, test loss 1 × the first"
