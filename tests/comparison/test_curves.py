"""Curves over steps, time and epochs; means and bands of seeds, with numbers that are written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.comparison.curves import MOST_POINTS, averaged, curves, recorded
from gradnorm.comparison.groups import grouped
from gradnorm.comparison.measures import Measure
from gradnorm.config.spec import RunSpec
from tests.comparison.made import loaded, make

RMSE, WEIGHT = Measure("test_metric", "depth", "rmse"), Measure("weights", "depth")


def drawn(store, runs, measure=RMSE, by="step"):
    return curves(store, grouped(loaded(store, *runs)), measure, by)


def test_seeds_are_a_mean_and_a_band(store):
    runs = [make(store, [4.0, 2.0], seed=0), make(store, [8.0, 2.0], seed=1)]
    (curve,), told = drawn(store, runs)
    assert told == []
    assert (list(curve.x), list(curve.mean), curve.n) == ([0, 10], [6.0, 2.0], 2)
    sd = 8**0.5
    assert list(curve.low) == pytest.approx([6 - sd, 2.0])
    assert list(curve.high) == pytest.approx([6 + sd, 2.0])


def test_runs_that_were_tested_at_other_steps_meet_on_straight_lines(store):
    runs = [make(store, [0.0, 10.0], apart=20), make(store, [0.0, 30.0, 40.0, 50.0], seed=1, apart=5)]
    (curve,), _ = drawn(store, runs)
    # Both have steps 0 … 15.
    assert list(curve.x) == [0, 5, 10, 15]
    assert list(curve.mean) == [0.0, (2.5 + 30) / 2, (5 + 40) / 2, (7.5 + 50) / 2]


def test_time_is_at_the_run_s_mean_pace(store):
    slow, fast = make(store, [4.0, 2.0], seconds=40.0), make(store, [4.0, 2.0], alpha=1.0, seconds=10.0)
    found, told = drawn(store, [slow, fast], by="time")
    assert [list(curve.x) for curve in found] == [[0, 40], [0, 10]]
    assert told == []


def test_a_run_without_a_place_on_the_axis_is_told(store):
    run = make(store, [4.0, 2.0], seconds=0.0)
    found, told = drawn(store, [run], by="time")
    assert found == []
    (sentence,) = told
    assert sentence.startswith(
        f"A curve by time needs the run's training time. Found none of GradNorm α 0.5, run {run}."
    )
    assert "number of training rows" in drawn(store, [run], by="epoch")[1][0]


def test_epochs_are_steps_times_the_batch_over_the_rows(store, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path))
    rows = "".join(f"{i * 37 % 101},{i * i % 7},{i % 5}\n" for i in range(200))
    (tmp_path / "numbers.csv").write_text("x,a,b\n" + rows)
    spec = RunSpec.parse({"dataset": "table", "file": "numbers.csv", "targets": "a,b", "batch_size": 10})
    training = spec.dataset.examples()
    made = make(store, [4.0, 2.0], tasks=("a", "b"), **spec.flat())
    (curve,), told = drawn(store, [made], Measure("test_metric", "a", "rmse"), "epoch")
    assert told == []
    assert list(curve.x) == pytest.approx([0, 10 * 10 / training])


def test_recorded_values_are_thinned(store):
    run = make(store, [1.0, 1.0], apart=4000)
    (curve,), _ = drawn(store, [run], WEIGHT)
    assert MOST_POINTS / 2 <= len(curve.x) <= MOST_POINTS + 1
    assert curve.x[0] == 1
    np.testing.assert_allclose(curve.mean, curve.x / 4000, rtol=1e-6)


def test_what_a_run_does_not_record_has_no_curve(store):
    run = make(store, [1.0, 1.0])
    assert drawn(store, [run], Measure("weights", "another task")) == ([], [])
    assert drawn(store, [run], Measure("a quantity of tomorrow")) == ([], [])
    assert drawn(store, [run], Measure("gradient_norms", "depth")) == ([], [])
    assert WEIGHT in recorded(grouped(loaded(store, run)))


def test_a_seed_that_diverged_is_left_out_and_told(store):
    whole, lost = make(store, [4.0, 2.0, 1.0]), make(store, [4.0, 9.0], seed=1, kind="diverged")
    (curve,), told = drawn(store, [whole, lost])
    assert (list(curve.mean), curve.n) == ([4.0, 2.0, 1.0], 1)
    assert told == [f"Run {lost} diverged, and is left out of the curve of GradNorm α 0.5."]
    (alone,), told = drawn(store, [lost])
    assert (list(alone.mean), told) == ([4.0, 9.0], [])


lines = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20).map(
    lambda values: (np.arange(len(values), dtype=np.float64), np.array(values))
)


@given(st.lists(lines, min_size=1, max_size=5))
def test_the_mean_lies_among_the_lines(given_lines):
    curve = averaged("group", given_lines)
    values = np.array([np.interp(curve.x, *line) for line in given_lines])
    assert (values.min(axis=0) - 1e-9 <= curve.mean).all()
    assert (curve.mean <= values.max(axis=0) + 1e-9).all()
    assert curve.x[-1] == min(len(line[0]) for line in given_lines) - 1
