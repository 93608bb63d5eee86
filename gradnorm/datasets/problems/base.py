"""What a problem is: several losses of one network, without targets to learn from.

A problem is chosen, stored and trained as a data set is. Its source gives points in place of examples, and the problem
itself computes the losses from the network and the points. Files of this package import torch inside methods.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Batch, Dataset, Source, Task
from gradnorm.datasets.forms.base import AnswerView

if TYPE_CHECKING:
    from torch import Tensor, nn

# How many points the losses are tested at.
TEST_POINTS = 2048

# A network with whatever methods its problem calls; `gradnorm.models.field.Field` where it makes none of its own.
Model: TypeAlias = Any


@dataclass(frozen=True)
class Derivatives:
    """A field u at N points, with its derivatives along the coordinates.

    value: [N, outputs].  first: ∂u/∂x_a for each coordinate, [D, N, outputs].
    second: ∂²u/∂x_a² for each coordinate that was asked for, [S, N, outputs].
    """

    value: Tensor
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Seen:
    """One thing to look at: what is true beside what the network says.

    name: of what is shown.  view: "field" for numbers [h, w], "picture" for uint8 [H, W, C].
    across, up: the ends of a field's axes as (name, low, high); row 0 is at the top.
    """

    name: str
    view: AnswerView
    truth: NDArray[Any]
    answer: NDArray[Any]
    across: tuple[str, float, float] = ("", 0.0, 1.0)
    up: tuple[str, float, float] = ("", 0.0, 1.0)


class Problem(Dataset):
    """T named losses of one network. A new problem is one subclass in one file of `gradnorm/datasets/problems/`.

    terms: the names of the T losses, if the options do not change them.
    metric: the name of what `error` returns; less is better.
    pictures: how many things there are to look at in the gallery; see `seen`.
    """

    terms: ClassVar[tuple[str, ...]] = ()
    metric: ClassVar[str] = "relative_l2"
    pictures: ClassVar[int] = 0

    measured_at: Literal["last", "activation", "all"] = Field(
        "last",
        title="Norms measured at",
        description="last: the last layer that all terms share. activation: what this layer returns, at all points "
        "together. all: all parameters, at the price of a pass a term.",
    )

    @abstractmethod
    def points(self, random: np.random.Generator, size: int) -> Tensor:
        """Return the points of one step, of any shape that `losses` takes.

        random: of the step; all random numbers must come from it.  size: ≥ 1, the run's batch size.
        """

    @abstractmethod
    def losses(self, model: Model, points: Tensor) -> Sequence[Tensor]:
        """Return the T losses at points: scalars ≥ 0 that can be differentiated, in the order of the terms.

        model: the network.  points: what `points` returned, on the network's device.
        """

    def test_points(self) -> Tensor:
        """Return the points at which the losses are tested, the same for every run."""
        return self.points(stream(0, f"{self.name} test"), TEST_POINTS)

    def error(self, model: Model) -> float | None:
        """Return how far the network is from what is wanted, ≥ 0; None where nobody knows. It needs no gradients."""
        return None

    def seen(self, model: Model, index: int) -> list[Seen]:
        """Return what there is to look at, truth beside answer. index: of the picture, from 0."""
        return []

    def network(self, seed: int) -> nn.Module | None:
        """Return the initial network, on the CPU; None for a `Field`: tanh layers of the run's width and depth.

        seed: ≥ 0, of its parameters.  Its attribute `last_shared_layer` says where norms are measured; without one it
        is the last but one of its layers.
        """
        return None

    @property
    def shape(self) -> tuple[int, int]:
        """The coordinates of a point and the numbers that it is mapped to, for a `Field`."""
        return 2, 1

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the terms."""
        return self.terms

    @property
    def task_forms(self) -> tuple[str, ...]:
        """No form of target, since there are no targets."""
        return ("",) * len(self.task_names)

    @property
    def task_metrics(self) -> tuple[str, ...]:
        """The one metric: the terms work at one solution, so each is judged by it."""
        return (self.metric,) * len(self.task_names)

    @classmethod
    def pictured(cls) -> bool:
        """Return whether the gallery has something to show."""
        return cls.pictures > 0

    def load(self, seed: int) -> Source:
        """Return a source of points, drawn anew at each step."""
        return Points(self, seed)


class Points(Source):
    """The points of a problem: batches without targets.

    problem: what draws them.  seed: ≥ 0.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        self._problem, self._seed = problem, seed
        self.tasks = tuple(Task(name, "", 1) for name in problem.task_names)
        self.test = Batch(problem.test_points(), ())

    def batch(self, step: int, size: int) -> Batch:
        """See `Source.batch`."""
        return Batch(self._problem.points(stream(self._seed, f"{self._problem.name} points", step), size), ())
