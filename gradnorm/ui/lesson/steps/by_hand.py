"""Weights set by hand against GradNorm's, from the same start."""

from __future__ import annotations

from collections.abc import Sequence

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson.lesson_runs import PAIR, by_hand, gradnorm, settings, trained
from gradnorm.ui.lesson.trial import Picture, Slider, Trial, Values
from gradnorm.ui.words import t

RATIOS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
RATIO = Slider("ratio", later("Your weights, w₁ : w₂"), RATIOS, 1.0, "\u00a0:\u00a01")


def _picture(values: Values, tried: Sequence[float], look: Look) -> Picture:
    sums = {ratio: float(trained(PAIR, by_hand(ratio)).test_ratios[-1].sum()) for ratio in tried}
    rival = trained(PAIR, gradnorm())
    bar = float(rival.test_ratios[-1].sum())
    figure = charts.scores(
        [(t("your weights"), [RATIO.text(ratio) for ratio in sums], list(sums.values()))],
        look,
        [RATIO.text(stop) for stop in RATIO.stops],
        title=t("Sum of the remaining test losses at the end: lower is better"),
        x=t("weights w₁ : w₂"),
        y=t("Σ L̃ᵢ(end)"),
        level=("GradNorm", bar),
    )
    figure.update_yaxes(range=[0.8, 1.12])
    yours, weights = sums[values["ratio"]], rival.weights[-1]
    verdict = t("GradNorm wins.") if bar < yours else t("You win!")
    return Picture(
        [(figure, t("The sum of the remaining losses for each ratio of weights that was tried, and GradNorm's"))],
        t(
            "Your weights: Σ = {yours:.3f}. GradNorm: {bar:.3f}, with {ratio:.0f} : 1 at the end. **{verdict}**",
            yours=yours,
            bar=bar,
            ratio=weights[0] / weights[1],
            verdict=verdict,
        ),
        settings(PAIR, by_hand(values["ratio"])),
        sums,
    )


TRIAL = Trial((RATIO,), _picture, across=True)
