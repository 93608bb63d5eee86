"""The base of all networks: a trunk that all tasks share, its last layer W, and one head a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gradnorm.datasets.base import Task


class Network(nn.Module, ABC):
    """A network of T tasks: a trunk that all tasks share, its last shared layer W, and one head a task.

    A subclass sets the three modules and implements `shared` and `predict`. GradNorm measures gradients at W.

    trunk: all shared layers below W.
    last_shared_layer: W, the layer whose weight the gradient norms are taken of.
    heads: T modules, in the order of the tasks.
    """

    trunk: nn.Module
    last_shared_layer: nn.Module
    heads: nn.ModuleList

    @abstractmethod
    def shared(self, inputs: Tensor) -> Tensor:
        """Return Z, the output of W before its ReLU.

        inputs: as `gradnorm.datasets.base.Batch.inputs`, B examples.  Returns [B, ...].
        """

    @abstractmethod
    def predict(self, features: Tensor) -> list[Tensor]:
        """Return each task's output from Z: T tensors of the shapes that `gradnorm.metrics.task_loss` takes."""

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Return each task's output: `predict` of `shared`. inputs: as `Batch.inputs`."""
        return self.predict(self.shared(inputs))


class Units(nn.Module):
    """Turns the outputs of affine heads into the targets' units: center + scale·output.

    tasks: T declarations; see `Task.center` and `Task.scale`.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        for i, task in enumerate(tasks):
            self.register_buffer(f"center_{i}", torch.tensor(task.center), persistent=False)
            self.register_buffer(f"scale_{i}", torch.tensor(task.scale), persistent=False)
        self._plain = [task.center == 0.0 and task.scale == 1.0 for task in tasks]

    def forward(self, outputs: list[Tensor]) -> list[Tensor]:
        """Return T outputs in the targets' units. outputs: T tensors [B, outputs]."""
        return [
            output if self._plain[i] else getattr(self, f"center_{i}") + getattr(self, f"scale_{i}") * output
            for i, output in enumerate(outputs)
        ]


def as_floats(pictures: Tensor) -> Tensor:
    """Return pictures as floats around 0, of the same shape: uint8 0 … 255 becomes [−2, 2]; floats are unchanged."""
    return pictures.float().div_(63.75).sub_(2.0) if pictures.dtype == torch.uint8 else pictures
