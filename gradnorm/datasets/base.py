"""What every data set is: frozen options, task declarations, and a source of batches.

The options are read by the pages before torch is loaded; torch is imported inside `load`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from gradnorm.methods.base import Kind

if TYPE_CHECKING:
    from torch import Tensor


# What targets look like, B examples, maps of h × w:
#   regression      [B, outputs]
#   classification  [B], classes from 0
#   segmentation    [B, h, w], classes from 0, −1 where there is no label
#   depth           [B, 1, h, w], metres, 0 where there is none
#   normals         [B, 3, h, w], of length 1, 0 where there are none
#   heatmaps        [B, outputs, 2], x and y of each point in [0, 1] of the picture, NaN where there is none
#   landmarks       [B, outputs], x and y of each point in [0, 1] of the picture; the first two points are the eyes
Form = Literal["regression", "classification", "segmentation", "depth", "normals", "heatmaps", "landmarks"]

# The test metrics of each form, the one to look at first, and whether more is better. See `gradnorm.metrics`.
METRICS: Mapping[Form, Mapping[str, bool]] = {
    "regression": {"r2": True},
    "classification": {"accuracy": True},
    "segmentation": {"miou": True, "pixel_accuracy": True, "iou_error": False},
    "depth": {"rmse": False, "abs_error": False, "rel_error": False},
    "normals": {
        "angle_mean": False,
        "angle_median": False,
        "within_11": True,
        "within_22": True,
        "within_30": True,
        "cosine_error": False,
    },
    "heatmaps": {"point_error": False},
    "landmarks": {"landmark_error": False, "failure": False},
}
# Those of which less is better.
ERRORS = frozenset(name for each in METRICS.values() for name, more in each.items() if not more)


@dataclass(frozen=True)
class Task:
    """One task: what its head puts out and how it is judged.

    form: see `Form`.
    outputs: numbers per example for a regression, classes for a classification, channels of a map.
    classes: their names, where they have any.
    unit: of the target, for axis labels; empty where it has none.
    center, scale: the head's output is center + scale·(what the affine layer gives), each a number or one
        per output. 0 and 1 leave it alone.
    """

    name: str
    form: Form
    outputs: int
    unit: str = ""
    center: float | tuple[float, ...] = 0.0
    scale: float | tuple[float, ...] = 1.0
    classes: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """Whether the loss is a regression's or a cross entropy."""
        return "classification" if self.form in ("classification", "segmentation") else "regression"

    @property
    def plain(self) -> bool:
        """Whether its output is a vector, rather than a map."""
        return self.form in ("regression", "classification", "landmarks")


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
    # Packages that it imports besides those of every installation; see `gradnorm.common.extras`.
    packages: ClassVar[tuple[str, ...]] = ()
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
    def task_forms(self) -> tuple[Form, ...]:
        """What each task's targets look like, known without loading anything."""

    @property
    def advice(self) -> str:
        """One sentence that a user of these options should read before a run; empty if there is none."""
        return ""

    @abstractmethod
    def load(self, seed: int) -> Source:
        """Return the data; the same seed gives the same data and batches."""
