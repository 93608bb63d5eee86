"""Final, best and mean of the last, with numbers that are written out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.comparison.loading import ComparedRun
from gradnorm.comparison.measures import TOTAL, Measure, less_is_better
from gradnorm.comparison.scores import scores
from gradnorm.runs.records import RunInfo
from tests.comparison.made import TASKS, evaluated, loaded, make

RMSE, MIOU = Measure("test_metric", "depth", "rmse"), Measure("test_metric", "classes", "miou")


def test_scores_by_hand(store):
    (run,) = loaded(store, make(store, [9.0, 1.0, 2.0, 3.0], [0.9, 0.2, 0.4, 0.3]))
    found = scores(run, 2)
    assert (found["final"][RMSE], found["final"][MIOU], found["final"][Measure(TOTAL)]) == (3.0, 0.3, 3.0)
    # Each at its own best, and the untrained network's 0.9 is no result.
    assert (found["best"][RMSE], found["best"][MIOU]) == (1.0, 0.4)
    assert found["last"][RMSE] == 2.5
    assert found["last"][MIOU] == pytest.approx(0.35)
    assert scores(run, 100)["last"][RMSE] == 2.0


def test_an_untrained_network_counts_where_there_is_nothing_else(store):
    (run,) = loaded(store, make(store, [9.0]))
    assert {name: found[RMSE] for name, found in scores(run, 5).items()} == {"final": 9.0, "best": 9.0, "last": 9.0}


@pytest.mark.parametrize("kind", ["diverged", "failed"])
def test_nothing_came_of_a_run_that_broke_off(store, kind):
    (run,) = loaded(store, make(store, [9.0, 1.0], kind=kind))
    assert scores(run, 5) == {"final": {}, "best": {}, "last": {}}
    (stopped,) = loaded(store, make(store, [9.0, 1.0], kind="stopped"))
    assert scores(stopped, 5)["final"][RMSE] == 1.0


def test_what_is_not_finite_is_no_score(store):
    (run,) = loaded(store, make(store, [9.0, 1.0, math.inf]))
    found = scores(run, 2)
    assert RMSE not in found["final"]
    assert RMSE not in found["last"]
    assert found["best"][RMSE] == 1.0


def test_directions():
    assert RMSE.less_is_better is True
    assert MIOU.less_is_better is False
    assert less_is_better("somebody's own") is None
    assert Measure("test_losses", "depth").less_is_better is True
    assert Measure("weights", "depth").less_is_better is None
    assert (RMSE.key, RMSE.title) == ("test_metric.depth.rmse", "depth: rmse")


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.integers(1, 10))
def test_the_best_is_no_worse_than_any_and_the_mean_lies_between(errors, last):
    info = RunInfo("run", "made", {"seed": 0}, TASKS, "finished", 80, 0.0)
    tests = [evaluated(10 * i, error, error / 200, error) for i, error in enumerate(errors, 1)]
    found = scores(ComparedRun(info, tuple(tests)), last)
    assert found["best"][RMSE] == min(errors)
    assert found["best"][MIOU] == max(errors) / 200
    newest = errors[-last:]
    assert min(newest) <= found["last"][RMSE] * (1 + 1e-12)
    assert found["last"][RMSE] <= max(newest) * (1 + 1e-12)
    assert found["final"][RMSE] == errors[-1]
