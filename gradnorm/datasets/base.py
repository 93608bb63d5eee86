"""What every data set is: frozen options, task declarations, and a source of batches.

The options are read by the pages before torch is loaded; torch is imported inside `load`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from gradnorm.datasets.forms.registry import form_named
from gradnorm.methods.base import Kind

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Task:
    """One task: the shape of its output, and how it is judged.

    name: unique within its data set.
    form: the name of a form of target, such as "regression" or "depth"; see `gradnorm.datasets.forms`. It decides
        the shape of the targets, the loss and the test metrics.
    outputs: ≥ 1; numbers per example for a regression, classes for a classification, channels of a map.
    unit: of the target, for axis labels; empty if it has none.
    center, scale: the head's output is center + scale·(output of its affine layer), each a number or one number per
        output. 0 and 1 change nothing. Maps ignore them.
    classes: the names of the classes, in order; empty if they have none.
    Raises ValueError if there is no such form, or if outputs does not fit it.
    """

    name: str
    form: str
    outputs: int
    unit: str = ""
    center: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        form = form_named(self.form)
        if self.outputs < 1 or form.outputs not in (None, self.outputs):
            should = "1 or more" if form.outputs is None else f"{form.outputs} for the form {self.form!r}"
            raise ValueError(f"outputs of task {self.name!r} should be {should}. Found {self.outputs}. Change it.")

    @property
    def kind(self) -> Kind:
        """ "classification" if the loss is a cross entropy, else "regression"."""
        return form_named(self.form).kind


@dataclass(frozen=True)
class Batch:
    """Examples: inputs and, for each task, targets as its `Form` says.

    inputs: vectors [B, D], float32, or pictures [B, channels, H, W], uint8.
    """

    inputs: Tensor
    targets: tuple[Tensor, ...]


class Source(ABC):
    """A loaded data set: training batches by step, and one fixed test set. Tensors live on the CPU.

    Batches are asked for from several threads at once, and have exactly the size that was asked for.
    """

    tasks: tuple[Task, ...]
    test: Batch
    # Height and width of the inputs over those of the maps that are learnt.
    stride: int = 1
    # Whether batches take long to make (files are read, pictures turned), so that several should be made at a time.
    slow: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input: (D,), or (channels, H, W)."""
        return tuple(self.test.inputs.shape[1:])

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
    # The networks that suit it, its own first.
    networks: ClassVar[tuple[str, ...]] = ("mlp",)
    # Whether it reads files that the user names, so that it cannot be loaded with its defaults.
    by_path: ClassVar[bool] = False

    @property
    @abstractmethod
    def task_names(self) -> tuple[str, ...]:
        """The names of the tasks, known without loading anything."""

    @property
    @abstractmethod
    def task_forms(self) -> tuple[str, ...]:
        """The name of each task's form of target, known without loading anything."""

    @property
    def advice(self) -> str:
        """One sentence that a user of these options should read before a run; empty if there is none."""
        return ""

    @abstractmethod
    def load(self, seed: int) -> Source:
        """Return the data; the same seed gives the same data and batches."""
