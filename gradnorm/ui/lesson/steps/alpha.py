"""Runs with several α, which stay on the chart once tried."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import EQUAL, SIGMAS, gradnorm, settings, trained
from gradnorm.ui.lesson.trial import Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import rows, spread, tasks
from gradnorm.ui.words import t

ALPHA = Slider("alpha", later("Asymmetry α"), tuple(k / 2 for k in range(7)), 0.0)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    equal = trained(SIGMAS, EQUAL)
    courses = {t("equal"): equal} | {ALPHA.text(a): trained(SIGMAS, gradnorm(a)) for a in sorted(tried)}
    places = [t("equal"), *(ALPHA.text(a) for a in ALPHA.stops)]
    ends = rows([course.test_ratios[-1] for course in courses.values()])
    x = t("equal weights, or GradNorm with α")
    figure = charts.spread(list(courses), ends, tasks(len(SIGMAS)), look, places, x)
    figure.update_yaxes(range=[0.3, 0.75])
    end, before = courses[ALPHA.text(values["alpha"])].test_ratios[-1], equal.test_ratios[-1]
    return Picture(
        [(figure, t("Final test loss ratios of each run"))],
        t(
            "α = {alpha:g}: the line is {length:.3f} long and the sum Σ L̃ᵢ is {sum:.3f} (equal weights: "
            "{equal_length:.3f} and {equal_sum:.3f}).",
            alpha=values["alpha"],
            length=spread(end),
            sum=end.sum(),
            equal_length=spread(before),
            equal_sum=before.sum(),
        ),
        settings(SIGMAS, gradnorm(values["alpha"])),
    )


TRIAL = Trial((ALPHA,), _picture, across=True)
