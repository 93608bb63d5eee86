"""The data: what the two tasks ask for, at any scale of the second."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import EQUAL, answers, settings
from gradnorm.ui.lesson.trial import Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import listed, times
from gradnorm.ui.words import t

SCALE = Slider("sigma", later("Scale of task 2, σ₂"), tuple(float(sigma) for sigma in range(1, 9)), 1.0)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    sigma = values["sigma"]
    drawn = answers((1.0, sigma))
    figure = charts.dots(
        [(listed(x), listed(y)) for x, y in zip(drawn.before, drawn.targets, strict=True)],
        [t("task 1 (σ₁ = 1)"), t("task 2 (σ₂ = {sigma:g})", sigma=sigma)],
        look,
        title=t("What the two tasks ask for"),
        x="(B + εᵢ)x",
        y=t("target y = σᵢ·tanh((B + εᵢ)x)"),
    )
    figure.update_layout(xaxis_range=[-5, 5], yaxis_range=[-8.5, 8.5])
    first, second = drawn.squares
    return Picture(
        [(figure, t("Targets of two tasks over what goes into tanh: one curve, drawn at two heights"))],
        t(
            "An answer of 0 has the squared error {first:.2f} at task 1 and {second:.2g} at task 2: {times} as much.",
            first=first,
            second=second,
            times=times(second / first),
        ),
        settings((1.0, sigma), EQUAL),
    )


TRIAL = Trial((SCALE,), _picture)
