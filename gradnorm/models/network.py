"""What every network of the engine is: a trunk that all tasks share, its last layer W, and a head a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gradnorm.datasets.base import Task


class Network(nn.Module, ABC):
    """A trunk that all tasks share, its last layer W, and a head a task.

    trunk: everything that is shared below W.  last_shared_layer: W.  heads: T modules.
    """

    trunk: nn.Module
    last_shared_layer: nn.Module
    heads: nn.ModuleList

    @abstractmethod
    def shared(self, inputs: Tensor) -> Tensor:
        """Return Z, the output of the last shared layer, before its ReLU; see `gradnorm.datasets.base.Batch`."""

    @abstractmethod
    def predict(self, features: Tensor) -> list[Tensor]:
        """Return each task's output from Z: T tensors as `gradnorm.metrics` takes them."""

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Return each task's output from the inputs."""
        return self.predict(self.shared(inputs))


class Units(nn.Module):
    """The last step of vector heads: each task's output is center + scale·(what its affine layer gives).

    tasks: T declarations, of which center and scale are taken.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__()
        for i, task in enumerate(tasks):
            self.register_buffer(f"center_{i}", torch.tensor(task.center), persistent=False)
            self.register_buffer(f"scale_{i}", torch.tensor(task.scale), persistent=False)
        self._plain = [task.center == 0.0 and task.scale == 1.0 for task in tasks]

    def forward(self, outputs: list[Tensor]) -> list[Tensor]:
        """Return T outputs in the targets' units."""
        return [
            output if self._plain[i] else getattr(self, f"center_{i}") + getattr(self, f"scale_{i}") * output
            for i, output in enumerate(outputs)
        ]


def as_floats(pictures: Tensor) -> Tensor:
    """Return pictures as numbers around 0: of uint8 0 … 255 those in [−2, 2]; floats as they are."""
    return pictures.float().div_(63.75).sub_(2.0) if pictures.dtype == torch.uint8 else pictures
