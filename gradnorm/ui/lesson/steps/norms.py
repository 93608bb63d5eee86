"""The paper's Figure 1 as moving bars: each G_i, its target, and an arrow between them."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Bars, Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import ALPHA, EQUAL, SIGMAS, STEPS, WEIGHT_RATE, settings, step_by_step, trained
from gradnorm.ui.lesson.trial import Choice, Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import listed, tasks, times, vector
from gradnorm.ui.words import number, t

MOMENT = Slider("t", later("Steps done"), tuple(float(t) for t in range(0, STEPS, 10)), 0.0)
WEIGHTS = Choice("weights", later("Weights"), {"gradnorm": "GradNorm", "equal": later("Equal weights")})


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    method = EQUAL if values["weights"] == "equal" else step_by_step(WEIGHT_RATE)
    course, step = trained(SIGMAS, method), int(values["t"])
    # What step t + 1 measures is what t steps have led to.
    norms, weights = course.norms[step], course.weights[step]
    targets = None if course.targets is None else course.targets
    top = 1.1 * max(course.norms.max(), 0 if targets is None else targets.max())
    bars = Bars(step, listed(norms), None if targets is None else listed(targets[step]))
    figure = charts.norm_bars(bars, tasks(len(SIGMAS)), look, top)
    figure.update_layout(title_text=t("Gradient norms after {step} steps", step=step))
    return Picture(
        [(figure, t("Gradient norms of three tasks as bars"))],
        t(
            "After {step} steps the largest norm is {times} the smallest. Weights w = {weights}.",
            step=step,
            times=times(norms.max() / norms.min()),
            weights=vector(weights),
        )
        + (f" α\u00a0=\u00a0{number(ALPHA, 'g')}." if targets is not None else ""),
        settings(SIGMAS, method),
    )


TRIAL = Trial((WEIGHTS, MOMENT), _picture)
