"""Losses and metrics over a whole test set."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gradnorm.datasets.base import Batch, Task
from gradnorm.datasets.forms.registry import form_named
from gradnorm.metrics.losses import task_loss

# The most examples, and the most input numbers, that go through the network at a time.
CHUNK, NUMBERS = 8192, 2**21


@torch.no_grad()
def evaluate(
    predict: Callable[[Tensor], Sequence[Tensor]], test: Batch, tasks: Sequence[Task]
) -> tuple[list[float], list[dict[str, float]]]:
    """Return each task's test loss and its test metrics, pooled over the whole set.

    predict: takes a part of the inputs and returns T outputs, as `task_loss` takes them.
    test: N ≥ 1 examples with the targets of T tasks.
    Returns T losses (0 for a task without a known target) and T dictionaries of the metrics that `Form.metrics` names.
    """
    size = len(test.inputs)
    chunk = max(1, min(CHUNK, NUMBERS // max(1, test.inputs[0].numel())))
    totals, counts = torch.zeros(len(tasks), dtype=torch.float64), torch.zeros(len(tasks), dtype=torch.float64)
    forms = [form_named(task.form) for task in tasks]
    meters = [form.meter(task) for form, task in zip(forms, tasks, strict=True)]
    for start in range(0, size, chunk):
        part = slice(start, start + chunk)
        targets = [target[part] for target in test.targets]
        for i, (output, target, task) in enumerate(zip(predict(test.inputs[part]), targets, tasks, strict=True)):
            count = forms[i].count(target)
            totals[i] += float(task_loss(output, target, task).double() * count)
            counts[i] += count
            meters[i].add(output, target)
    return (totals / counts.clamp(min=1)).tolist(), [each.scores() for each in meters]


def constant_metrics(test: Batch, tasks: Sequence[Task]) -> list[dict[str, float]]:
    """Return T dictionaries of the metrics of the best constant answers; empty where the form knows none.

    test: N ≥ 1 examples with the targets of T tasks.
    """
    return [
        form_named(task.form).constant_metrics(target, task.outputs)
        for task, target in zip(tasks, test.targets, strict=True)
    ]


def constant_losses(test: Batch, tasks: Sequence[Task]) -> list[float]:
    """Return T losses of the best constant answers on the test set, such as the variance or the entropy of the targets.

    A network that does no better has learnt nothing of a task. NaN for a task without a known target.
    test: N ≥ 1 examples with the targets of T tasks.
    """
    return [
        form_named(task.form).constant_loss(target, task.outputs)
        for task, target in zip(tasks, test.targets, strict=True)
    ]
