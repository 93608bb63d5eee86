"""The weights of one run with and without renormalisation."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import SIGMAS, settings, step_by_step, trained, unrenormalized
from gradnorm.ui.lesson.trial import Choice, Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import listed, rows, tasks, vector
from gradnorm.ui.words import t

KEPT = Choice("renormalise", later("Renormalisation"), {"on": later("On"), "off": later("Off")})
RATE = Slider("rate", later("Learning rate of the weights"), (0.02, 0.04, 0.06, 0.08, 0.1), 0.06)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    rate, kept = values["rate"], values["renormalise"]
    course = trained(SIGMAS, step_by_step(rate))
    weights = course.weights if kept == "on" else unrenormalized(course, rate)
    figure = charts.lines(
        listed(course.steps),
        rows(weights),
        [f"w{'₁₂₃'[i]} ({name})" for i, name in enumerate(tasks(len(SIGMAS)))],
        look,
        title=t("Loss weights, renormalisation on") if kept == "on" else t("Loss weights, renormalisation off"),
        unit=t("weight wᵢ(t), log scale"),
        ghosts=[(t("sum Σ wᵢ"), listed(weights.sum(axis=1)))],
        log=True,
    )
    figure.update_yaxes(range=[-1.7, 1.4])
    end, ratio = weights[-1], weights[-1] / weights[-1, -1]
    return Picture(
        [(figure, t("Loss weights over the steps"))],
        t(
            "At the end w = {weights} and the sum is {sum:.3g}. w₁ : w₂ : w₃ = {first:.3g} : {second:.3g} : 1.",
            weights=vector(end),
            sum=end.sum(),
            first=ratio[0],
            second=ratio[1],
        ),
        settings(SIGMAS, step_by_step(rate)),
    )


TRIAL = Trial((KEPT, RATE), _picture)
