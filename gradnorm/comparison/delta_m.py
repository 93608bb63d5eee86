"""Δm: how much better all test metrics of a run are than those of a baseline (Maninis et al., CVPR 2019)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradnorm.comparison.measures import less_is_better

# Metrics that only say in other units what another one of the task says.
RESTATED = frozenset({"iou_error", "cosine_error"})
# A metric this many times the baseline's tells of a yardstick near 0, and would be all of the mean.
LARGEST_RATIO = 10.0
ALONE = "the run for that task alone"


@dataclass(frozen=True)
class DeltaM:
    """Δm of one run. percent: None where there is none; why: the sentence that says why, if it was to be had."""

    percent: float | None = None
    why: str = ""


def gain(
    tasks: Sequence[str], own: Sequence[Mapping[str, float]], base: Sequence[Mapping[str, float]], whose: str = ALONE
) -> DeltaM:
    """Return Δm = 100/T Σ_i 1/n_i Σ_k ±(M_k − B_k)/B_k, over the n_i metrics of each task, minus where less is better.

    R² counts as the root mean squared error that it restates, √(1 − R²): R² itself may be 0 or less, and then no ratio
    to it makes sense. There is a sentence instead of a number where a metric is missing or has no known direction, or
    a B is 0 or so near it that M/B > 10.
    tasks: T names.  own, base: the test metrics M and B of each task.  whose: the baseline is, for the sentence.
    """
    gains: list[float] = []
    for task, own_metrics, base_metrics in zip(tasks, own, base, strict=True):
        compared, yardstick = _compared(own_metrics), _compared(base_metrics)
        if not compared:
            return DeltaM(why=f"Δm compares test metrics. Found none of {task}.")
        for name in compared:
            if less_is_better(name) is None:
                return DeltaM(why=f"Δm needs to know whether less is better. Found no direction of {task}'s {name}.")
            if refusal := _no_ratio(compared[name], yardstick.get(name, math.nan), whose):
                return DeltaM(why=f"Δm is a mean of ratios, and that of {task}'s {name} {refusal}.")
        each = [(value / yardstick[name] - 1) * (-1 if less_is_better(name) else 1) for name, value in compared.items()]
        gains.append(sum(each) / len(each))
    return DeltaM(100 * sum(gains) / len(tasks))


def _compared(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics that Δm compares: none that restates another, and an error in place of R²."""
    named = {name: value for name, value in metrics.items() if name not in RESTATED}
    if "r2" in named:
        # In units of the targets' standard deviation, which the compared runs share. NaN stays NaN.
        named["rmse"] = math.sqrt(1 - named.pop("r2"))
    return named


def _no_ratio(own: float, base: float, whose: str) -> str:
    """Return why a metric should not be divided by the baseline's; empty if it may be. own, base: ≥ 0."""
    found = f"{own:.3g} to the {base:.3g} of {whose}"
    if not (math.isfinite(own) and math.isfinite(base) and base > 0):
        return f"does not exist: {found}"
    return f"would be nearly all of it: {found}" if own > LARGEST_RATIO * base else ""
