"""One step of Adam (Kingma & Ba, 2015, Algorithm 1) on a vector of length T, as a pure function."""

from __future__ import annotations

from collections.abc import Mapping

from gradnorm.common.shapes import Mean, PerTask

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def adam_memory(ones: PerTask) -> dict[str, PerTask]:
    """Return Adam's moments before the first step."""
    return {"adam_m": ones * 0, "adam_v": ones * 0, "adam_k": ones * 0}


def adam_step(
    memory: Mapping[str, PerTask], slope: PerTask, learning_rate: float | Mean
) -> tuple[PerTask, dict[str, PerTask]]:
    """Return the step to add to the variable, and the new moments.

    slope: the derivative, shape [T]; NaN where a task is absent: its moments then stay and its step is 0.
    learning_rate: > 0, or one for each of n runs, shape [n, 1]. β₁, β₂ and ε are the defaults of torch.optim.Adam.
    """
    present = ~slope.isnan()
    g = slope.nan_to_num()
    m = (BETA1 * memory["adam_m"] + (1 - BETA1) * g).where(present, memory["adam_m"])
    v = (BETA2 * memory["adam_v"] + (1 - BETA2) * g * g).where(present, memory["adam_v"])
    k = memory["adam_k"] + present
    # A task that was absent until now has k = 0; the clamp keeps 0/0 out and its step at 0.
    seen = k.clamp(min=1)
    step = -learning_rate * (m / (1 - BETA1**seen)) / ((v / (1 - BETA2**seen)).sqrt() + EPS)
    return step.where(present, step * 0), {"adam_m": m, "adam_v": v, "adam_k": k}
