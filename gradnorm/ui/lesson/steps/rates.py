"""Relative inverse training rates with equal weights beside those with GradNorm."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import EQUAL, gradnorm, settings, trained
from gradnorm.ui.lesson.trial import Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import late, listed, rows, spread, vector
from gradnorm.ui.words import number, t

SCALE = Slider("sigma", later("Scale of task 3, σ₃"), (4.0, 6.0, 8.0, 10.0), 4.0)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    sigmas = (1.0, 3.0, values["sigma"])
    courses = {t("Equal weights"): trained(sigmas, EQUAL), "GradNorm": trained(sigmas, gradnorm())}
    figures = [
        charts.lines(
            listed(course.steps),
            rows(course.rates),
            [f"σ = {number(sigma, 'g')}" for sigma in sigmas],
            look,
            title=t("{method}: rates rᵢ(t)", method=name),
            unit=t("rᵢ(t), mean 1"),
            level=1.0,
        )
        for name, course in courses.items()
    ]
    for figure in figures:
        figure.update_yaxes(range=[0.65, 1.35])
    equal, balanced = (late(course.rates) for course in courses.values())
    alts = [t("Relative inverse rates of three tasks, {method}", method=name) for name in courses]
    return Picture(
        list(zip(figures, alts, strict=True)),
        t(
            "Over the last 40 steps r = {equal} with equal weights and {balanced} with GradNorm: {equal_spread:.2f} "
            "and {balanced_spread:.2f} from the least to the largest.",
            equal=vector(equal),
            balanced=vector(balanced),
            equal_spread=spread(equal),
            balanced_spread=spread(balanced),
        ),
        settings(sigmas, gradnorm()),
    )


TRIAL = Trial((SCALE,), _picture)
