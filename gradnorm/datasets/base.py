"""What every data set is: frozen options, task declarations, and a source of batches.

The options are read by the pages before torch is loaded; torch is imported inside `load`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from gradnorm.balancing.base import Kind

if TYPE_CHECKING:
    from torch import Tensor


METRICS: Mapping[Kind, str] = {"regression": "r2", "classification": "accuracy"}


@dataclass(frozen=True)
class Task:
    """One task: what its head puts out and how it is judged.

    outputs: numbers per example for a regression, classes for a classification.
    unit: of the target, for axis labels; empty where it has none.
    center, scale: the head's output is center + scale·(what the affine layer gives), each a number or one
        per output. 0 and 1 leave it alone.
    """

    name: str
    kind: Kind
    outputs: int
    unit: str = ""
    center: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0

    @property
    def metric(self) -> str:
        """The test metric: "r2" for regressions, "accuracy" for classifications."""
        return METRICS[self.kind]


@dataclass(frozen=True)
class Batch:
    """Examples: inputs of shape [B, D] and, for each task, targets of shape [B, outputs] or [B] (classes)."""

    inputs: Tensor
    targets: tuple[Tensor, ...]


class Source(ABC):
    """A loaded data set: training batches by step, and one fixed test set. Tensors live on the CPU.

    Batches are asked for from several threads at once, and have exactly the size that was asked for.
    """

    tasks: tuple[Task, ...]
    features: int
    test: Batch

    @abstractmethod
    def batch(self, step: int, size: int) -> Batch:
        """Return the training batch of step t ≥ 1: a function of (seed, t) alone."""

    def block(self, first: int, count: int, size: int) -> list[Batch]:
        """Return the batches of `count` steps from `first` on, in one go where that is quicker.

        They are those of `batch`, but for rounding, and a function of the seed and these numbers alone.
        """
        return [self.batch(step, size) for step in range(first, first + count)]


def unbound(inputs: Tensor, targets: Sequence[Tensor]) -> list[Batch]:
    """Return batches from tensors that have them along their first axis."""
    return [
        Batch(x, ys) for x, ys in zip(inputs.unbind(), zip(*(y.unbind() for y in targets), strict=True), strict=True)
    ]


class Dataset(BaseModel, ABC):
    """A data set: its fields are its options, declared once with range, default and help."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    # Training settings that suit this data set, used where a spec does not say otherwise.
    recommended: ClassVar[Mapping[str, Any]] = {}

    @property
    @abstractmethod
    def task_names(self) -> tuple[str, ...]:
        """The names of the tasks, known without loading anything."""

    @property
    @abstractmethod
    def task_kinds(self) -> tuple[Kind, ...]:
        """Whether each task is a regression or a classification, known without loading anything."""

    @property
    def advice(self) -> str:
        """One sentence that a user of these options should read before a run; empty if there is none."""
        return ""

    @abstractmethod
    def load(self, seed: int) -> Source:
        """Return the data; the same seed gives the same data and batches."""
