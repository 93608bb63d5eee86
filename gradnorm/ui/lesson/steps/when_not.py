"""Equal weights and GradNorm on tasks that differ less or more in scale."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.ui.lesson.lesson_runs import EQUAL, gradnorm, settings, trained
from gradnorm.ui.lesson.steps.data import SCALE
from gradnorm.ui.lesson.trial import Picture, Trial, Values
from gradnorm.ui.words import t


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    methods = {t("equal weights"): EQUAL, "GradNorm": gradnorm()}
    sums = {
        name: {sigma: float(trained((1.0, sigma), method).test_ratios[-1].sum()) for sigma in sorted(tried)}
        for name, method in methods.items()
    }
    figure = charts.scores(
        [(name, [SCALE.text(sigma) for sigma in row], list(row.values())) for name, row in sums.items()],
        look,
        [SCALE.text(stop) for stop in SCALE.stops],
        title=t("Sum of the remaining test losses at the end: lower is better"),
        x=t("scale of task 2, σ₂"),
        y=t("Σ L̃ᵢ(end)"),
    )
    figure.update_yaxes(range=[0.75, 1.1])
    equal, balanced = (row[values["sigma"]] for row in sums.values())
    return Picture(
        [(figure, t("The sum of the remaining losses with equal weights and with GradNorm, for each scale tried"))],
        t(
            "σ₂ = {sigma:g}: Σ = {equal:.3f} with equal weights and {balanced:.3f} with GradNorm. GradNorm gains "
            "{gain:.3f}.",
            sigma=values["sigma"],
            equal=equal,
            balanced=balanced,
            gain=equal - balanced,
        ),
        settings((1.0, values["sigma"]), gradnorm()),
    )


TRIAL = Trial((SCALE,), _picture, across=True)
