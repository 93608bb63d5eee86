"""Processes that train one network together, each on its own part of every batch, as in DistributedDataParallel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from gradnorm.common.shapes import PerTask

Parts = tuple[Tensor | None, ...]


@dataclass(frozen=True)
class Ranks:
    """The processes of a group. What is measured is averaged over them, so that all of them take the same decision.

    group: a `torch.distributed.ProcessGroup`; None means the default group.
    """

    group: Any = None

    @staticmethod
    def joined(group: Any = None) -> Ranks | None:
        """Return the processes that this one trains with, or None if it trains alone.

        group: as above.
        """
        together = distributed.is_available() and distributed.is_initialized()
        return Ranks(group) if together and distributed.get_world_size(group) > 1 else None

    def mean_losses(self, losses: PerTask, present: Sequence[bool]) -> tuple[PerTask, list[bool]]:
        """Return each task's loss, averaged over the processes that have the task, and which tasks any process has.

        losses: this process's L_i(t), shape [T].
        present: which of the T tasks are in its part of the batch. It waits for the device once.
        """
        there = torch.tensor(present, device=losses.device)
        sums = torch.stack([losses.where(there, 0), there.to(losses)])
        distributed.all_reduce(sums, group=self.group)
        counts = sums[1].tolist()
        return sums[0] / sums[1], [count > 0 for count in counts]

    def mean_gradients(self, gradients: Iterable[Parts | None], parameters: Sequence[Tensor]) -> list[Parts]:
        """Return each task's gradient, averaged over the processes, as one part of shape [N].

        gradients: for each task its gradients of the parameters, None where there is none; None for an absent task.
            What is absent counts as 0, as it does where the gradients of parameters are averaged.
        parameters: with N numbers in all.
        """
        zeros = [torch.zeros_like(parameter) for parameter in parameters]
        rows = [
            torch.cat([flattened(zero if g is None else g) for g, zero in zip(row or zeros, zeros, strict=True)])
            for row in gradients
        ]
        joined = torch.stack(rows)
        distributed.all_reduce(joined, group=self.group)
        return [(row,) for row in joined / distributed.get_world_size(self.group)]


def flattened(grad: Tensor) -> Tensor:
    """Return a gradient as a vector of real numbers in single precision or wider; a sparse one becomes dense.

    grad: of any shape.
    """
    dense = grad.to_dense() if grad.is_sparse else grad
    real = torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense
    return single_or_wider(real.detach().reshape(-1))


def single_or_wider(values: Tensor) -> Tensor:
    """Return values in single precision or wider, so that their squares do not overflow."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
