"""Losses and metrics over a whole test set."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gradnorm.datasets.base import Batch, Task
from gradnorm.metrics.losses import bells, counted, task_loss, valid
from gradnorm.metrics.meters import meter

# At one go: so many examples, and so many numbers of input.
CHUNK, NUMBERS = 8192, 2**21
# Of the maps on which a constant answer to heatmaps is judged.
_MAP = 32


@torch.no_grad()
def evaluate(
    predict: Callable[[Tensor], Sequence[Tensor]], test: Batch, tasks: Sequence[Task]
) -> tuple[list[float], list[dict[str, float]]]:
    """Return each task's test loss and its test metrics (`METRICS`), pooled over the whole set.

    predict: inputs to T outputs, as `task_loss` takes them.
    """
    size = len(test.inputs)
    chunk = max(1, min(CHUNK, NUMBERS // max(1, test.inputs[0].numel())))
    totals, counts = torch.zeros(len(tasks), dtype=torch.float64), torch.zeros(len(tasks), dtype=torch.float64)
    meters = [meter(task) for task in tasks]
    for start in range(0, size, chunk):
        part = slice(start, start + chunk)
        targets = [target[part] for target in test.targets]
        for i, (output, target, task) in enumerate(zip(predict(test.inputs[part]), targets, tasks, strict=True)):
            count = counted(target, task)
            totals[i] += float(task_loss(output, target, task).double() * count)
            counts[i] += count
            meters[i].add(output, target)
    return (totals / counts.clamp(min=1)).tolist(), [each.scores() for each in meters]


def constant_losses(test: Batch, tasks: Sequence[Task]) -> list[float]:
    """Return the loss of the best constant answer on the test set: the targets' variance, or the classes' entropy.

    For normals it is 1 − ‖mean normal‖, for heatmaps the variance of each place of the map.
    A network that does no better has learnt nothing of a task.
    """
    return [_constant_loss(target, task) for task, target in zip(tasks, test.targets, strict=True)]


def _constant_loss(target: Tensor, task: Task) -> float:
    if task.kind == "classification":
        labels = target[valid(target, "segmentation")] if task.form == "segmentation" else target
        share = torch.bincount(labels.flatten().long(), minlength=task.outputs).double() / max(1, labels.numel())
        return -torch.special.xlogy(share, share).sum().item()
    if task.form == "depth":
        depths = target[valid(target, "depth")].double()
        return depths.var(correction=0).item() if len(depths) else math.nan
    if task.form == "normals":
        known = target.movedim(1, -1)[valid(target, "normals")].double()
        return 1 - known.mean(0).norm().item()
    if task.form == "heatmaps":
        mean, square = torch.zeros(2, target.shape[1], _MAP, _MAP, dtype=torch.float64)
        for points in target.split(64):
            maps = bells(points, _MAP, _MAP).double()
            mean += maps.sum(0) / len(target)
            square += maps.square().sum(0) / len(target)
        return (square - mean.square()).mean().item()
    return target.double().var(dim=0, correction=0).mean().item()
