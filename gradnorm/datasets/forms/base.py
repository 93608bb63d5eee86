"""What a form of target is: all that the project knows about one kind of target, in one class.

The dashboard reads the declarations before torch is loaded, so the files of this package import torch inside methods.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from numpy.typing import NDArray

from gradnorm.methods.base import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task

Array: TypeAlias = NDArray[Any]

# How the gallery shows a truth and an answer (`Form.answer`):
#   classification  the true class, an integer []; the probabilities [outputs]
#   regression      [outputs], in the task's unit
#   segmentation    [h, w], classes from 0, −1 where there is no label
#   depth           [h, w], metres, NaN where the depth is unknown
#   normals         [h, w, 3], of length 1, NaN where the normal is unknown
#   heatmaps        [points, 2], x and y in [0, 1] of the picture, NaN for a missing point
#   landmarks       [points, 2], x and y in [0, 1] of the picture
#   picture         [H, W, C], uint8
#   field           [h, w], numbers, the first row on top
AnswerView: TypeAlias = Literal[
    "classification", "regression", "segmentation", "depth", "normals", "heatmaps", "landmarks", "picture", "field"
]


class Meter(ABC):
    """Collects one task's outputs and targets over a test set and computes the metrics of the whole set.

    The metrics pool all examples. They are not means of the batches' metrics.
    """

    @abstractmethod
    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch.

        output: the network's output, of the shape that `Form.loss` takes.
        target: of the shape `Form.target_shape`.
        """

    @abstractmethod
    def scores(self) -> dict[str, float]:
        """Return the metrics in the order of `Form.metrics`; NaN where no target was known."""


class Form(ABC):
    """A form of target. A new form is one subclass in one file of `gradnorm/datasets/forms/`.

    Below, B is the number of examples in a batch, and h × w the size of a map.

    name: as `Task.form` and `Dataset.task_forms` give it.
    kind: "classification" for a cross entropy, else "regression". Uncertainty weighting uses it.
    metrics: the names of the test metrics; True where more is better. The live panel shows the first.
    headline: a format for the first metric's value, such as "RMSE {:.2f} m".
    view: how the gallery shows an answer.
    outputs: how many outputs a task of this form has; None where each task says so itself.
    integer: whether targets are int64 rather than float32.
    batched: whether the loss is plain mean squared error (kind "regression") or plain cross entropy (kind
        "classification") of vectors. Small networks with only such losses train as one program.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind] = "regression"
    metrics: ClassVar[Mapping[str, bool]]
    headline: ClassVar[str]
    view: ClassVar[AnswerView]
    outputs: ClassVar[int | None] = None
    integer: ClassVar[bool] = False
    batched: ClassVar[bool] = False

    @abstractmethod
    def target_shape(self, outputs: int, size: int, maps: tuple[int, int]) -> tuple[int, ...]:
        """Return the shape of the targets of a batch.

        outputs: `Task.outputs`.  size: B.  maps: (h, w), used by maps alone.
        """

    @abstractmethod
    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean training loss, a scalar that can be differentiated; 0 if no target is known.

        output: [B, outputs] for vectors, [B, outputs, h, w] for maps.
        target: of the shape `target_shape`.
        """

    @abstractmethod
    def count(self, target: Tensor) -> int:
        """Return how many items the mean loss averages over: examples, or pixels whose target is known."""

    @abstractmethod
    def constant_loss(self, target: Tensor, outputs: int) -> float:
        """Return the loss of the best constant answer on a test set; NaN if no target is known.

        target: of the whole test set.  outputs: `Task.outputs`.
        """

    def constant_metrics(self, target: Tensor, outputs: int) -> dict[str, float]:
        """Return the metrics of the best constant answer on a test set; empty where that answer is not known.

        target: of the whole test set.  outputs: `Task.outputs`.
        """
        return {}

    @abstractmethod
    def meter(self, task: Task) -> Meter:
        """Return a new meter for a task of this form."""

    @abstractmethod
    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return the truth and the answer of one example as the form's `view` shows them.

        output, target: of a batch of one, on the CPU.
        """


def ratio(total: float, count: int) -> float:
    """Return total / count, or NaN where count is 0."""
    return total / count if count else math.nan
