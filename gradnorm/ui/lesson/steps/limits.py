"""GradNorm's weights when one loss never falls, or is gone at once."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.ui.lesson.lesson_runs import gradnorm, invented
from gradnorm.ui.lesson.trial import Choice, Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import listed, rows

THIRD = Choice("third", "The third task is", {"stuck": "Stuck", "solved": "Solved"})
ALPHA = Slider("alpha", "Asymmetry α", tuple(k / 2 for k in range(7)), 0.0)


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    alpha, third = values["alpha"], values["third"]
    made = invented(third, alpha)
    figures = [
        charts.lines(listed(made.steps), rows(shown), names, look, title=title, unit=unit)
        for title, unit, shown, names in (
            ("Invented losses", "loss Lᵢ(t)", made.losses, ("quick", "slow", third)),
            (f"GradNorm's weights, α = {alpha:g}", "weight wᵢ(t)", made.weights, ("quick", "slow", third)),
        )
    ]
    figures[0].update_yaxes(range=[0, 1.05])
    figures[1].update_yaxes(range=[0, 3.1])
    share = made.weights[-1, -1] / made.weights[-1].sum()
    noisy = {"sigmas": (10.0, 10.0, 10.0), "noise": 1} if third == "stuck" else {}
    return Picture(
        [(figures[0], "Three invented losses over the steps"), (figures[1], "The weights that GradNorm gives them")],
        f"At the end the {third} task has {share:.0%} of the total weight. A third would be {1 / 3:.0%}.",
        {"dataset": "toy", **noisy, **gradnorm(alpha)} if noisy else {},
    )


TRIAL = Trial((THIRD, ALPHA), _picture)
