"""Losses and test metrics, pooled over the whole set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from gradnorm.datasets.base import Batch, Task

CHUNK = 8192


def task_loss(
    output: Float[Tensor, "batch outputs"], target: Shaped[Tensor, "batch ..."], task: Task
) -> Float[Tensor, ""]:
    """Return the mean loss of one task, a scalar.

    Regression: squared error, mean over examples and outputs; output and target of shape [B, outputs].
    Classification: cross entropy; output [B, classes], target [B] class numbers.
    """
    if task.kind == "classification":
        return functional.cross_entropy(output, target)
    return functional.mse_loss(output, target)


def task_losses(outputs: Sequence[Tensor], targets: Sequence[Tensor], tasks: Sequence[Task]) -> list[Float[Tensor, ""]]:
    """Return T scalar losses; see `task_loss`."""
    return [task_loss(o, y, task) for o, y, task in zip(outputs, targets, tasks, strict=True)]


@torch.no_grad()
def evaluate(
    predict: Callable[[Tensor], Sequence[Tensor]], test: Batch, tasks: Sequence[Task]
) -> tuple[list[float], list[float]]:
    """Return each task's test loss and test metric over the whole set.

    R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)², pooled over outputs, ȳ the test mean of each output (1 is perfect, 0 is
    the mean, there is no lower bound). Accuracy is a fraction in [0, 1].
    """
    size = len(test.inputs)
    losses = [torch.zeros((), dtype=torch.float64) for _ in tasks]
    scores = [torch.zeros((), dtype=torch.float64) for _ in tasks]
    for start in range(0, size, CHUNK):
        part = slice(start, start + CHUNK)
        outputs = predict(test.inputs[part])
        for i, (output, task) in enumerate(zip(outputs, tasks, strict=True)):
            target = test.targets[i][part]
            losses[i] = losses[i].to(output.device) + task_loss(output, target, task).double() * len(output)
            score = (
                (output.argmax(1) == target).sum()
                if task.kind == "classification"
                else (output - target).double().square().sum()
            )
            scores[i] = scores[i].to(output.device) + score
    means = [float(loss) / size for loss in losses]
    metrics: list[float] = []
    for score, target, task in zip(scores, test.targets, tasks, strict=True):
        if task.kind == "classification":
            metrics.append(float(score) / size)
            continue
        y = target.double()
        total = float((y - y.mean(0)).square().sum())
        metrics.append(1 - float(score) / total if total > 0 else float("nan"))
    return means, metrics


def constant_losses(test: Batch, tasks: Sequence[Task]) -> list[float]:
    """Return the loss of the best constant answer on the test set: the targets' variance, or the classes' entropy.

    A network that does no better has learnt nothing of a task.
    """
    found: list[float] = []
    for task, targets in zip(tasks, test.targets, strict=True):
        if task.kind == "regression":
            found.append(targets.double().var(dim=0, correction=0).mean().item())
        else:
            share = torch.bincount(targets.flatten().long(), minlength=task.outputs).double() / targets.numel()
            found.append(-torch.special.xlogy(share, share).sum().item())
    return found
