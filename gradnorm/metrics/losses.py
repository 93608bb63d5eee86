"""The training losses of a batch, task by task. Each is defined by its task's form: `gradnorm.datasets.forms`."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Shaped
from torch import Tensor

from gradnorm.datasets.base import Task
from gradnorm.datasets.forms.registry import form_named


def task_loss(output: Float[Tensor, "batch ..."], target: Shaped[Tensor, "batch ..."], task: Task) -> Float[Tensor, ""]:
    """Return the mean loss of one task, a scalar; 0 for a map without a single valid pixel.

    output: what the task's head puts out, [B, outputs], or [B, outputs, h, w] for maps.
    target: of the shape that the task's form says (`Form.target_shape`), on the same device.
    """
    return form_named(task.form).loss(output, target)


def task_losses(outputs: Sequence[Tensor], targets: Sequence[Tensor], tasks: Sequence[Task]) -> list[Float[Tensor, ""]]:
    """Return T scalar losses, one a task.

    outputs, targets, tasks: T each, as `task_loss` takes them. Raises ValueError if their numbers differ.
    """
    return [task_loss(o, y, task) for o, y, task in zip(outputs, targets, tasks, strict=True)]


def known(target: Shaped[Tensor, "batch ..."], task: Task) -> bool:
    """Return whether a batch has any target for a task. A map needs one valid pixel.

    target: as `task_loss` takes it.
    """
    return form_named(task.form).count(target) > 0
