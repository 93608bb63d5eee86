"""The exponential moving mean of what a method measures, as a pure function, and the hyperparameter that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from gradnorm.common.shapes import Mean, PerTask


def smoothing(default: float, description: str) -> Any:
    """Return the declaration of how much a moving mean keeps of its past at each step, in [0, 0.9999].

    default: its default.  description: the line of help.
    """
    return Field(default, ge=0, le=0.9999, title="Smoothing", description=description, json_schema_extra={"live": True})


def mean_memory(name: str, zeros: PerTask) -> dict[str, PerTask]:
    """Return the memory of a moving mean before its first value.

    name: of the mean.  zeros: of the shape, precision and device of the values.
    """
    return {f"{name}_sum": zeros, f"{name}_total": zeros}


def moving_mean(
    memory: Mapping[str, PerTask], name: str, values: PerTask, keep: float | Mean
) -> tuple[PerTask, dict[str, PerTask]]:
    """Return Σ_k keep^k·x(t−k) / Σ_k keep^k, NaN where no value has come yet, and the new memory of it.

    memory: as `mean_memory` or the last step returned it; other entries are ignored.
    name: of the mean.
    values: x(t), shape [T]. What is NaN or infinite does not count: the mean stays.
    keep: in [0, 1); a tensor of shape [n, 1] gives each of n runs its own.

    >>> import torch
    >>> mean, memory = moving_mean(mean_memory("norm", torch.zeros(2)), "norm", torch.tensor([3.0, 1.0]), 0.5)
    >>> moving_mean(memory, "norm", torch.tensor([6.0, float("nan")]), 0.5)[0]  # (6 + 3/2)/(1 + 1/2)
    tensor([5., 1.])
    """
    counts = values.isfinite()
    past, weight = memory[f"{name}_sum"], memory[f"{name}_total"]
    total = (keep * weight + (1 - keep)).where(counts, weight)
    summed = (keep * past + (1 - keep) * values).where(counts, past)
    return summed / total, {f"{name}_sum": summed, f"{name}_total": total}
