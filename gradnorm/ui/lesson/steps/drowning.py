"""Equal weights on two tasks of scales 1 and σ₂, compared with σ₂ = 1."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.ui.lesson.lesson_runs import EQUAL, STEPS, settings, trained
from gradnorm.ui.lesson.steps.data import SCALE
from gradnorm.ui.lesson.trial import Picture, Trial, Values
from gradnorm.ui.lesson.wording import late, listed, rows, times


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    sigma = values["sigma"]
    course, fair = trained((1.0, sigma), EQUAL), trained((1.0, 1.0), EQUAL)
    figure = charts.lines(
        listed(course.tested),
        rows(course.test_ratios),
        ["task 1 (σ₁ = 1)", f"task 2 (σ₂ = {sigma:g})"],
        look,
        title="Remaining test loss of each task",
        unit="test loss L̃ᵢ(t) = Lᵢ(t)/Lᵢ(0)",
        ghosts=[("task 1, fair case", listed(fair.test_ratios[:, 0]))],
    )
    figure.update_yaxes(range=[0, 1.05])
    ends, norms = course.test_ratios[-1], late(course.norms)
    return Picture(
        [(figure, "Test loss ratios of two tasks over the steps")],
        f"After {STEPS} steps, {ends[0]:.0%} of task 1's loss is left (fair case: {fair.test_ratios[-1, 0]:.0%}) and "
        f"{ends[1]:.0%} of task 2's. Task 2's gradient norm at the shared layer is {times(norms[1] / norms[0])} "
        "task 1's.",
        settings((1.0, sigma), EQUAL),
    )


TRIAL = Trial((SCALE,), _picture)
