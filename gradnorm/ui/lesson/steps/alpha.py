"""Runs with several α, which stay on the chart once tried."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.ui.lesson.lesson_runs import EQUAL, SIGMAS, gradnorm, settings, trained
from gradnorm.ui.lesson.trial import Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import rows, spread

ALPHA = Slider("alpha", "Asymmetry α", tuple(k / 2 for k in range(7)), 0.0)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    equal = trained(SIGMAS, EQUAL)
    courses = {"equal": equal} | {ALPHA.text(a): trained(SIGMAS, gradnorm(a)) for a in sorted(tried)}
    places = ["equal", *(ALPHA.text(a) for a in ALPHA.stops)]
    ends = rows([course.test_ratios[-1] for course in courses.values()])
    figure = charts.spread(list(courses), ends, equal.names, look, places, "equal weights, or GradNorm with α")
    figure.update_yaxes(range=[0.3, 0.75])
    end, before = courses[ALPHA.text(values["alpha"])].test_ratios[-1], equal.test_ratios[-1]
    return Picture(
        [(figure, "Final test loss ratios of each run")],
        f"α = {values['alpha']:g}: the line is {spread(end):.3f} long and the sum Σ L̃ᵢ is {end.sum():.3f} "
        f"(equal weights: {spread(before):.3f} and {before.sum():.3f}).",
        settings(SIGMAS, gradnorm(values["alpha"])),
    )


TRIAL = Trial((ALPHA,), _picture, across=True)
