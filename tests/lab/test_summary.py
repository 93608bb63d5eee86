"""Who leads at what, and Δm, from results written out by hand."""

import pytest

from gradnorm.lab.summary import delta_m, leaders


def result(method, metrics, task=1, seed=0, total=1.0):
    test = {"metrics": metrics, "loss_ratios": [0.5, 0.5], "task_normalized_loss": total}
    return {"spec": {"method": method, "task": task, "seed": seed}, "tasks": ["depth", "classes"], "test": test}


DEPTH, CLASSES = {"rmse": 2.0, "rel_error": 0.5}, {"miou": 0.4, "iou_error": 60.0}
ALONE = [result("single", [DEPTH, {"miou": 0.0}]), result("single", [{"rmse": 9.0}, CLASSES], task=2)]


def test_delta_m_by_hand():
    # Depth: 10 % less and 20 % more error; classes: 5 % more, and the restated error does not count.
    shared = result("gradnorm", [{"rmse": 1.8, "rel_error": 0.6}, {"miou": 0.42, "iou_error": 58.0}])
    assert delta_m([*ALONE, shared]) == [None, None, pytest.approx((-5.0 + 5.0) / 2)]
    better = result("equal", [{"rmse": 1.0, "rel_error": 0.5}, {"miou": 0.4, "iou_error": 1.0}])
    assert delta_m([*ALONE, better])[2] == pytest.approx(12.5)


def test_delta_m_needs_a_single_task_run_for_each_task_with_the_same_seed():
    shared = result("gradnorm", [DEPTH, CLASSES], seed=1)
    assert delta_m([*ALONE, shared]) == [None, None, None]
    assert delta_m([ALONE[0], result("gradnorm", [DEPTH, CLASSES])]) == [None, None]


def test_leaders_know_where_less_is_better():
    one = result("equal", [{"rmse": 1.0}, {"miou": 0.2}], total=2.0)
    two = result("gradnorm", [{"rmse": 2.0}, {"miou": 0.3}])
    found = leaders(["one", "two"], [one, two])
    assert found["rmse.depth"] == "one"
    assert found["miou.classes"] == "two"
    assert found["task_normalized_loss"] == "two"
