"""Equal weights on two tasks of scales 1 and σ₂, compared with σ₂ = 1."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.ui.lesson.lesson_runs import EQUAL, STEPS, settings, trained
from gradnorm.ui.lesson.steps.data import SCALE
from gradnorm.ui.lesson.trial import Picture, Trial, Values
from gradnorm.ui.lesson.wording import late, listed, rows, times
from gradnorm.ui.words import t


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    sigma = values["sigma"]
    course, fair = trained((1.0, sigma), EQUAL), trained((1.0, 1.0), EQUAL)
    figure = charts.lines(
        listed(course.tested),
        rows(course.test_ratios),
        [t("task 1 (σ₁ = 1)"), t("task 2 (σ₂ = {sigma:g})", sigma=sigma)],
        look,
        title=t("Remaining test loss of each task"),
        unit=t("test loss L̃ᵢ(t) = Lᵢ(t)/Lᵢ(0)"),
        ghosts=[(t("task 1, fair case"), listed(fair.test_ratios[:, 0]))],
    )
    figure.update_yaxes(range=[0, 1.05])
    ends, norms = course.test_ratios[-1], late(course.norms)
    return Picture(
        [(figure, t("Test loss ratios of two tasks over the steps"))],
        t(
            "After {steps} steps, {first:.0%} of task 1's loss is left (fair case: {fair:.0%}) and {second:.0%} of "
            "task 2's. Task 2's gradient norm at the shared layer is {times} task 1's.",
            steps=STEPS,
            first=ends[0],
            fair=fair.test_ratios[-1, 0],
            second=ends[1],
            times=times(norms[1] / norms[0]),
        ),
        settings((1.0, sigma), EQUAL),
    )


TRIAL = Trial((SCALE,), _picture)
