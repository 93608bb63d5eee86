"""GradNorm's weights when one loss never falls, or is gone at once."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import gradnorm, invented
from gradnorm.ui.lesson.trial import Choice, Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import listed, rows
from gradnorm.ui.words import t

THIRD = Choice("third", later("The third task is"), {"stuck": later("Stuck"), "solved": later("Solved")})
ALPHA = Slider("alpha", later("Asymmetry α"), tuple(k / 2 for k in range(7)), 0.0)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    alpha, third = values["alpha"], values["third"]
    made = invented(third, alpha)
    names = (t("quick"), t("slow"), t("stuck") if third == "stuck" else t("solved"))
    figures = [
        charts.lines(listed(made.steps), rows(shown), names, look, title=title, unit=unit)
        for title, unit, shown in (
            (t("Invented losses"), t("loss Lᵢ(t)"), made.losses),
            (t("GradNorm's weights, α = {alpha:g}", alpha=alpha), t("weight wᵢ(t)"), made.weights),
        )
    ]
    figures[0].update_yaxes(range=[0, 1.05])
    figures[1].update_yaxes(range=[0, 3.1])
    share = made.weights[-1, -1] / made.weights[-1].sum()
    noisy = {"sigmas": (10.0, 10.0, 10.0), "noise": 1} if third == "stuck" else {}
    return Picture(
        [
            (figures[0], t("Three invented losses over the steps")),
            (figures[1], t("The weights that GradNorm gives them")),
        ],
        _told(third, share),
        {"dataset": "toy", **noisy, **gradnorm(alpha)} if noisy else {},
    )


def _told(third: str, share: float) -> str:
    if third == "stuck":
        text = later("At the end the stuck task has {share:.0%} of the total weight. A third would be {third:.0%}.")
    else:
        text = later("At the end the solved task has {share:.0%} of the total weight. A third would be {third:.0%}.")
    return t(text, share=share, third=1 / 3)


TRIAL = Trial((THIRD, ALPHA), _picture)
