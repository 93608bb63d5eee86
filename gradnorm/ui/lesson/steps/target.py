"""GradNorm's targets at one step of a run with equal weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Bars, Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import EQUAL, SIGMAS, STEPS, gradnorm, settings, targets, trained
from gradnorm.ui.lesson.trial import Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import listed, tasks, vector
from gradnorm.ui.words import t

ALPHA = Slider("alpha", later("Asymmetry α"), tuple(k / 2 for k in range(7)), 0.0)
MOMENT = Slider("t", later("Frozen after step"), tuple(float(t) for t in range(0, STEPS, 30)), 150.0)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    alpha, step = values["alpha"], int(values["t"])
    course = trained(SIGMAS, EQUAL)
    G, r = course.norms[step], course.rates[step]
    wanted = targets(G, r, alpha)
    bars = Bars(step, listed(G), listed(wanted))
    figure = charts.target_bars(bars, tasks(len(SIGMAS)), look, 1.1 * max(G.max(), wanted.max()))
    figure.update_layout(title_text=t("Gradient norms after {step} steps", step=step))
    return Picture(
        [(figure, t("Norms and their targets"))],
        t(
            "Ḡ = {mean:.3g} and r = {rates}, so the targets are {targets}. The gradient loss that GradNorm makes small "
            "is $L_\\text{{grad}}$ = {loss:.3g}.",
            mean=G.mean(),
            rates=vector(r),
            targets=vector(wanted),
            loss=np.abs(G - wanted).sum(),
        ),
        settings(SIGMAS, gradnorm(alpha)),
    )


TRIAL = Trial((ALPHA, MOMENT), _picture)
