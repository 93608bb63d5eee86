"""Processes that train one run together, each on its part of every batch. All take the same steps and decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.datasets.base import Batch, Task
from gradnorm.datasets.forms.registry import form_named
from gradnorm.datasets.problems.base import Problem
from gradnorm.gradients.ranks import Ranks
from gradnorm.training.control import Control

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Which part of every batch this process trains on; all of it if it trains alone.

    rank, size: its number, from 0, and how many processes there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def own(cls) -> Part:
        """Return the part of this process."""
        return cls(distributed.get_rank(), distributed.get_world_size()) if Ranks.joined() else cls()

    def of(self, whole: Batch) -> Batch:
        """Return this process's rows of a batch."""
        if self.size == 1:
            return whole
        rows = len(whole.inputs)
        own = slice(self.rank * rows // self.size, (self.rank + 1) * rows // self.size)
        return Batch(whole.inputs[own], tuple(target[own] for target in whole.targets))

    def weighed(
        self, losses: Sequence[Tensor], counts: Sequence[int], own: Batch, tasks: Sequence[Task]
    ) -> list[Tensor]:
        """Return losses whose mean over the processes is the loss of the whole batch: size·n_r/n·L_r.

        losses: L_r, the means over the valid targets of this part.  counts: n, the valid targets of the whole batch.
        own: the part, on the CPU; it has n_r of them.
        """
        if self.size == 1:
            return list(losses)
        parts = [form_named(task.form).count(target) for target, task in zip(own.targets, tasks, strict=True)]
        return [loss * (self.size * part / max(1, n)) for loss, part, n in zip(losses, parts, counts, strict=True)]


@dataclass(frozen=True)
class Asked:
    """What is due before a step. over: the run has ended.  stopping: it was asked to end.  changes: new options."""

    over: bool
    stopping: bool
    changes: Mapping[str, Any]


def asked(over: bool, control: Control) -> Asked:
    """Return what is due before a step, as the first process sees it: all have to do it at the same step.

    over: whether the run has ended, as this process sees it.
    """
    stopping = control.stopping
    return first(Asked(over, stopping, {} if over or stopping else control.take_changes()))


def first(value: T) -> T:
    """Return the first process's value in all processes."""
    if Ranks.joined() is None:
        return value
    told = [value]
    distributed.broadcast_object_list(told, src=0, device=torch.device("cpu"))
    return told[0]


@torch.no_grad()
def average(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by their means over the processes, all at one go."""
    if Ranks.joined() is None or not (listed := list(tensors)):
        return
    joined = torch.cat([tensor.reshape(-1) for tensor in listed])
    distributed.all_reduce(joined)
    joined /= distributed.get_world_size()
    for tensor, mean in zip(listed, joined.split([tensor.numel() for tensor in listed]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def check(spec: RunSpec) -> None:
    """Raise SpecError for a run that several processes cannot share, in one of several processes."""
    size = Part.own().size
    if size > 1 and isinstance(spec.dataset, Problem):
        raise SpecError(
            f"A problem should be trained by one process: its losses are not means over rows. Found {size}. "
            "Start it without torchrun."
        )
    if spec.batch_size < size:
        raise SpecError(
            f"batch_size should be at least {size}, a row for each process. Found {spec.batch_size}. "
            "Set it with --batch-size, or start fewer processes."
        )
