"""A network that has to satisfy an equation: three terms, one solution."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import EQUAL, WAVE, gradnorm, run, spelled
from gradnorm.ui.lesson.trial import Picture, Slider, Trial, Values
from gradnorm.ui.lesson.wording import listed, rows, vector
from gradnorm.ui.words import t

ALPHA = Slider("alpha", later("Asymmetry α"), (0.0, 1.0, 2.0), 0.0)
# In steps; these runs are longer than those on the toy.
HALF_LIFE = 30.0


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    alpha = values["alpha"]
    equal, course = (run(spelled({**WAVE, **method})) for method in (EQUAL, gradnorm(alpha, HALF_LIFE)))
    figures = [
        charts.lines(
            listed(course.tested),
            [[error] for error in course.errors],
            [t("GradNorm, α = {alpha:g}", alpha=alpha)],
            look,
            title=t("Error of the solution"),
            unit="‖u − u*‖/‖u*‖",
            ghosts=[(t("equal weights"), listed(equal.errors))],
        ),
        charts.lines(
            listed(course.steps), rows(course.weights), course.names, look, title=t("GradNorm's weights"), unit="wᵢ(t)"
        ),
    ]
    figures[0].update_yaxes(range=[0, 1.1])
    figures[1].update_yaxes(range=[0, 3.1])
    return Picture(
        [(figures[0], t("The error of the solution over the steps")), (figures[1], t("The weight of each term"))],
        t(
            "After {steps} steps the error is {error:.2f} (equal weights: {equal:.2f}). w = {weights} for {names}.",
            steps=WAVE["steps"],
            error=course.errors[-1],
            equal=equal.errors[-1],
            weights=vector(course.weights[-1]),
            names=", ".join(course.names),
        ),
        {**WAVE, **gradnorm(alpha, HALF_LIFE)},
    )


TRIAL = Trial((ALPHA,), _picture)
