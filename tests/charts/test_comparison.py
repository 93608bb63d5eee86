"""Runs side by side as pure figures."""

from __future__ import annotations

import pytest

from gradnorm.charts.comparison import figures, parallel
from gradnorm.charts.palette import task_style
from gradnorm.comparison.compared import compare
from gradnorm.comparison.measures import TOTAL, Measure
from tests.comparison.made import loaded, make

RMSE, WEIGHT = Measure("test_metric", "depth", "rmse"), Measure("weights", "depth")


@pytest.fixture
def comparison(store):
    runs = [make(store, [4.0, 1.0 + seed], seed=seed) for seed in (0, 1)]
    runs += [make(store, [4.0, 5.0], alpha=1.5), make(store, [4.0, 3.0], method="equal", learning_rate=0.1)]
    return compare(loaded(store, *runs))


def test_a_group_is_a_line_in_its_colour_and_seeds_have_a_band(store, comparison):
    (chart,), told = figures(store, comparison, [RMSE], "step", "final")[0][:1], []
    band, *lines = chart.data
    assert [line.name for line in lines] == ["GradNorm α 0.5, 2 runs", "GradNorm α 1.5", "Equal weights"]
    assert [line.line.color for line in lines] == [task_style(i).light for i in range(3)]
    assert list(lines[0].y) == [4.0, 1.5]
    sd = 0.5**0.5
    assert list(band.y) == pytest.approx([4.0, 1.5 + sd, 1.5 - sd, 4.0])
    assert band.fill == "toself"
    assert chart.layout.title.text == "depth: rmse"
    assert told == []


def test_a_band_stays_above_zero_on_a_logarithmic_axis(store):
    runs = [make(store, [4.0, value], seed=seed) for seed, value in enumerate((0.1, 5.0))]
    band = figures(store, compare(loaded(store, *runs)), [RMSE], "step", "final", log=True)[0][0].data[0]
    assert min(band.y) == pytest.approx(2.55 / 100)
    band = figures(store, compare(loaded(store, *runs)), [RMSE], "step", "final")[0][0].data[0]
    assert min(band.y) < 0


def test_a_group_without_a_curve_takes_no_other_s_colour(store, comparison):
    lines = figures(store, comparison, [RMSE, WEIGHT], "step", "final", dark=True, log=True)[0][1].data
    assert [line.line.color for line in lines if line.name][-1] == task_style(2).dark
    diverged = compare(loaded(store, make(store, [4.0], kind="diverged"), make(store, [4.0, 1.0], method="equal")))
    (line,) = [line for line in figures(store, diverged, [WEIGHT], "time", "final")[0][0].data if "Equal" in line.name]
    assert line.line.color == task_style(1).light


def test_parallel_coordinates_go_through_what_differs_to_the_score(comparison):
    chart = parallel(comparison, "final", Measure(TOTAL)).data[0]
    method, alpha, score = chart.dimensions
    assert method.label == "method"
    assert list(method.ticktext) == ["equal", "gradnorm"]
    assert list(method["values"]) == [1, 1, 0]
    # Where a method has no α there is a place of its own.
    assert (list(alpha.ticktext), list(alpha["values"])) == (["–", "0.5", "1.5"], [1, 2, 0])
    assert list(score["values"]) == [1.5, 5.0, 3.0]
    assert [color for _, color in chart.line.colorscale] == [task_style(i).light for i in range(3)]


def test_numbers_that_span_much_are_on_a_logarithmic_axis(store):
    rates = (0.001, 0.01, 0.1)
    runs = [make(store, [4.0, 1.0], method="equal", learning_rate=rate) for rate in rates]
    rate, _ = parallel(compare(loaded(store, *runs)), "final", Measure(TOTAL)).data[0].dimensions
    assert list(rate["values"]) == pytest.approx([-3, -2, -1])
    assert list(rate.ticktext) == ["0.001", "0.01", "0.1"]


def test_there_are_no_parallel_coordinates_of_one_line_or_of_nothing_that_differs(store, comparison):
    assert parallel(compare(loaded(store, make(store, [1.0]))), "final", Measure(TOTAL)) is None
    # α is an option of one of these methods alone, and tells nothing that the method doesn't: only that is an axis.
    two = compare(loaded(store, make(store, [1.0]), make(store, [1.0], method="equal")))
    assert [axis.label for axis in parallel(two, "final", Measure(TOTAL)).data[0].dimensions][:-1] == ["method"]
    lost = compare(loaded(store, make(store, [1.0], kind="failed"), make(store, [1.0], method="equal")))
    assert parallel(lost, "final", Measure(TOTAL)) is None
