"""Adam (Kingma and Ba: ICLR 2015, arXiv:1412.6980) on a vector of length T, as a pure function."""

from __future__ import annotations

from collections.abc import Mapping

from gradnorm.common.shapes import Mean, PerTask

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
_LARGEST = 1e18


def adam_memory(ones: PerTask) -> dict[str, PerTask]:
    """Return Adam's moments before the first step: zeros.

    ones: a vector of ones, shape [T], with precision and device.
    """
    return {"adam_m": ones * 0, "adam_v": ones * 0, "adam_k": ones * 0}


def adam_step(
    memory: Mapping[str, PerTask], gradient: PerTask, learning_rate: float | Mean
) -> tuple[PerTask, dict[str, PerTask]]:
    """Return the step to add to the variable, shape [T], and the new moments (Algorithm 1 of the paper).

    memory: the moments, as `adam_memory` or the last step returned them; other entries are ignored.
    gradient: shape [T], NaN for an absent task, whose step is then 0 and whose moments stay.
    learning_rate: > 0; a tensor of shape [n, 1] gives each of n runs its own.
    β₁ = 0.9, β₂ = 0.999 and ε = 1e-8 are the defaults of `torch.optim.Adam`.
    Differs from the paper: each task counts its own steps, since it may have been absent.

    >>> import torch
    >>> step, memory = adam_step(adam_memory(torch.ones(2)), torch.tensor([4.0, -0.5]), 0.1)
    >>> step  # Adam's first step is the learning rate, against the sign of the gradient
    tensor([-0.1000,  0.1000])
    """
    present = ~gradient.isnan()
    # In single precision the square of a larger gradient would be infinite, and its task would never move again.
    g = gradient.nan_to_num().clamp(-_LARGEST, _LARGEST)
    m = (BETA1 * memory["adam_m"] + (1 - BETA1) * g).where(present, memory["adam_m"])
    v = (BETA2 * memory["adam_v"] + (1 - BETA2) * g * g).where(present, memory["adam_v"])
    k = memory["adam_k"] + present
    # A task that was absent until now has k = 0. The clamp avoids 0/0, and its step is 0.
    seen = k.clamp(min=1)
    step = -learning_rate * (m / (1 - BETA1**seen)) / ((v / (1 - BETA2**seen)).sqrt() + EPS)
    return step.where(present, step * 0), {"adam_m": m, "adam_v": v, "adam_k": k}
