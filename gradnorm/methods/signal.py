"""The input of a weighting method: what it asks for, what was measured, and what it carries from step to step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gradnorm.common.shapes import Gramian, Mean, PerTask


class Needs(StrEnum):
    """What has to be measured for a method at each step, cheapest first.

    LOSSES: the losses alone.
    NORMS: also each task's gradient norm at the last shared layer.
    GRAMIAN: also the dot products of all tasks' gradients of all shared parameters.
    """

    LOSSES = "losses"
    NORMS = "norms"
    GRAMIAN = "gramian"


@dataclass(frozen=True)
class Signal:
    """What was measured at one step: the input of a method.

    losses: L_i(t) ≥ 0, shape [T]; NaN where task i is absent from the batch.
    norms: ‖∇_W L_i‖₂ ≥ 0 of the *unweighted* losses at the shared layer, shape [T]; None if not measured.
    gramian: ∇L_i·∇L_j over all shared parameters, shape [T, T]; None if not measured.
    step: t, from 1.
    seed: ≥ 0, of the random numbers that a method draws; one for each run where n runs are decided in one call.
    complete: whether every task is in this batch and in all before it. It is False where that is not known,
        which is always safe; True saves the operations that look for absent tasks.

    >>> import torch
    >>> Signal(torch.tensor([1.0, float("nan"), 3.0])).mean(torch.tensor([2.0, float("nan"), 4.0]))
    tensor([3.])
    """

    losses: PerTask
    norms: PerTask | None = None
    gramian: Gramian | None = None
    step: int = 1
    complete: bool = False
    seed: int | Sequence[int] = 0

    def mean(self, values: PerTask) -> Mean:
        """Return the mean over the tasks that are present, shape [1].

        values: shape [T], NaN for absent tasks.
        """
        return values.mean(-1, keepdim=True) if self.complete else values.nanmean(-1, keepdim=True)


@dataclass(frozen=True)
class State:
    """What a method carries from one step to the next. It is never changed in place.

    weights: w(t) for the next step, shape [T].
    initial_losses: L_i(0) > 0, shape [T]; NaN for a task that has not been seen yet.
    memory: whatever else the method keeps, each a vector of shape [T], by name. It is saved with checkpoints.
    """

    weights: PerTask
    initial_losses: PerTask
    memory: Mapping[str, PerTask] = field(default_factory=dict[str, PerTask])

    def like(self, values: PerTask) -> State:
        """Return the state on the device and in the precision of `values`, shape [T]; itself if it is there."""
        if self.weights.dtype == values.dtype and self.weights.device == values.device:
            return self
        memory = {name: value.to(values) for name, value in self.memory.items()}
        return State(self.weights.to(values), self.initial_losses.to(values), memory)
