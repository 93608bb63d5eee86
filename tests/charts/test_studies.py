"""Figures of studies, from reports of results that are made up."""

from __future__ import annotations

import pytest

from gradnorm.charts import studies as charts
from gradnorm.charts.lesson import Look
from gradnorm.studies.alpha import AlphaStudy
from gradnorm.studies.base import Result
from gradnorm.studies.grid import FixedStudy, GridStudy
from tests.factories import TINY

LOOK = Look()


def result(loss, weights=(1.5, 0.5), losses=(1.0, 1.0)):
    return Result("finished", 100, loss, losses, ({}, {}), weights, weights)


def line(figure, name):
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def levels(figure):
    return {note.text: shape.y0 for note, shape in zip(figure.layout.annotations, figure.layout.shapes, strict=True)}


def alpha_report():
    study = AlphaStudy.parse(TINY, {"alphas": "0,1,2", "seeds": "1,2"})
    losses = {"equal weights": (3.0, 4.0), "α 0": (1.0, 2.0), "α 1": (0.5, 0.7), "α 2": (8.0, 9.0)}
    return study.report(
        {f"{key}, seed {s}": result(loss) for key, pair in losses.items() for s, loss in enumerate(pair, 1)}
    )


def test_the_loss_against_alpha_has_medians_ranges_and_equal_weights():
    figure = charts.alpha_losses(alpha_report(), LOOK)
    stable, unstable = line(figure, "stable"), line(figure, "unstable")
    assert (list(stable.x), list(unstable.x)) == ([1.0], [0.0, 2.0])
    assert list(stable.y) == [pytest.approx(0.6)]
    assert stable.error_y.array[0] == pytest.approx(0.1)
    assert levels(figure)["equal weights"] == 3.5
    assert "suggested" in levels(figure)
    assert stable.marker.symbol != unstable.marker.symbol


def test_the_weights_against_alpha_have_a_line_a_task():
    figure = charts.alpha_weights(alpha_report(), ["a", "b"], LOOK)
    assert [trace.name for trace in figure.data] == ["a", "b"]
    assert list(figure.data[0].x) == [0.0, 1.0, 2.0]
    assert list(figure.data[0].y) == [1.5] * 3
    assert (figure.layout.yaxis.type, figure.layout.yaxis.tickformat) == ("log", "~g")


def test_figure_4_has_a_point_a_network_and_marks_the_methods():
    study = GridStudy.parse(TINY, {"count": 2, "seeds": "1"})
    report = study.report(
        {
            "GradNorm, seed 1": result(1.0),
            "random 1, seed 1": result(2.0, (0.5, 1.5), (2.0, 2.0)),
            "random 2, seed 1": result(0.5, (1.5, 0.5), (0.5, 0.5)),
            "equal weights, seed 1": result(0.5, (1.0, 1.0), (0.5, 1.0)),
        }
    )
    figure = charts.grid_points(report, LOOK)
    assert list(line(figure, "random weights").x) == pytest.approx([2**0.5, 0])
    assert list(line(figure, "random weights").y) == pytest.approx([-100, 50])
    assert list(line(figure, "equal weights").y) == [25]
    assert levels(figure) == {"GradNorm": 0.0}
    assert {trace.name for trace in figure.data} == {"random weights", "equal weights"}


def test_candidates_are_drawn_with_the_best_first():
    study = FixedStudy.parse(TINY, {"around": 1, "seeds": "1"})
    losses = {"GradNorm": 1.0, "mean of all steps": 0.9, "mean of the last half": 0.7, "draw 1": 0.8}
    report = study.report({f"{key}, seed 1": result(loss) for key, loss in losses.items()})
    (points,) = charts.fixed_losses(report, LOOK).data
    assert list(points.x) == ["mean of the last half", "draw 1", "mean of all steps"]
    assert points.marker.color[0] != points.marker.color[1]


def test_a_study_without_results_can_be_drawn():
    for study, draw in (
        (AlphaStudy.parse(TINY, {}), charts.alpha_losses),
        (GridStudy.parse(TINY, {}), charts.grid_points),
        (FixedStudy.parse(TINY, {}), charts.fixed_losses),
    ):
        draw(study.report({}), LOOK)
