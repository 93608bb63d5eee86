"""What problems with a differential equation share: a solution that is known on a grid, and points in a rectangle."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.problems.base import Model, Problem, Seen

if TYPE_CHECKING:
    from torch import Tensor

Floats: TypeAlias = NDArray[np.float64]

# Nodes of the grid along each axis.
NODES = 128


class Equation(Problem):
    """A field u on a rectangle that satisfies a differential equation, and is judged on a grid.

    axes: of the two coordinates, (name, low, high) each. The first one is drawn upwards, the second one to the right.
    """

    axes: ClassVar[tuple[tuple[str, float, float], tuple[str, float, float]]]
    pictures: ClassVar[int] = 1
    recommended: ClassVar[Mapping[str, Any]] = {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "steps": 6000,
        "batch_size": 256,
        "width": 50,
        "depth": 3,
        "initialization": "xavier",
    }

    def points(self, random: np.random.Generator, size: int) -> Tensor:
        """Return points from all of the rectangle, [size, 2]."""
        import torch

        return torch.from_numpy(self.inside(random, size))

    @abstractmethod
    def solution(self, first: Floats, second: Floats) -> Floats:
        """Return u on a grid, [len(first), len(second)]; first, second: ascending nodes of the two axes."""

    def nodes(self) -> tuple[Floats, Floats]:
        """Return the grid's nodes along the two axes."""
        (_, low, high), (_, start, end) = self.axes
        return np.linspace(low, high, NODES), np.linspace(start, end, NODES)

    def error(self, model: Model) -> float:
        """Return ‖u − u*‖₂/‖u*‖₂ on the grid."""
        truth, answer = self._truth(), self._answer(model)
        return float(np.linalg.norm(answer - truth) / np.linalg.norm(truth))

    def seen(self, model: Model, index: int) -> list[Seen]:
        """Return the solution and the network's answer on the grid."""
        up, across = self.axes
        return [Seen("u", "field", self._truth()[::-1], self._answer(model)[::-1], across, up)]

    def inside(self, random: np.random.Generator, size: int) -> NDArray[np.float32]:
        """Return `size` points from all of the rectangle, [size, 2]."""
        low, high = np.array([axis[1:] for axis in self.axes]).T
        return random.uniform(low, high, (size, 2)).astype(np.float32)

    def _truth(self) -> Floats:
        """Return the solution on the grid, computed once for all runs of the same options."""
        return _known_solution(type(self), self.model_dump_json())

    def _answer(self, model: Model) -> Floats:
        """Return the network's u on the grid."""
        import torch

        first, second = self.nodes()
        grid = np.stack(np.meshgrid(first, second, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
        with torch.no_grad():
            values = model(torch.from_numpy(grid).to(next(model.parameters()).device))
        return values.double().cpu().numpy().reshape(len(first), len(second))


@lru_cache(maxsize=8)
def _known_solution(kind: type[Equation], options: str) -> Floats:
    equation = kind.model_validate_json(options)
    return equation.solution(*equation.nodes())


def mean_square(residual: Tensor) -> Tensor:
    """Return the mean of the squares, a scalar."""
    return residual.square().mean()


def at_start(points: Tensor) -> Tensor:
    """Return points (x, t) moved to t = 0. points: [N, 2]."""
    return points * points.new_tensor([1, 0])


def at_ends(points: Tensor, axis: tuple[str, float, float]) -> tuple[Tensor, Tensor]:
    """Return points (x, t) moved to both ends of the x axis. points: [N, 2].  axis: name, low, high."""
    time = points * points.new_tensor([0, 1])
    _, low, high = axis
    return time + points.new_tensor([low, 0]), time + points.new_tensor([high, 0])
