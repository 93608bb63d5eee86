"""Helmholtz's equation with a known solution, on which terms of unequal size pull a network apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gradnorm.datasets.problems.base import Model
from gradnorm.datasets.problems.equation import Equation, Floats, mean_square

if TYPE_CHECKING:
    from torch import Tensor

# Waves along x and along y: u = sin(πx) sin(4πy).
WAVES = (1, 4)


class Helmholtz(Equation):
    """Δu + u = q on [−1, 1]², u = 0 on the boundary, with q such that u = sin πx sin 4πy.

    The first equation of Wang, Teng and Perdikaris, Understanding and mitigating gradient flow pathologies in
    physics-informed neural networks (SIAM J. Sci. Comput., 2021).
    """

    name: ClassVar[str] = "helmholtz"
    title: ClassVar[str] = "Helmholtz (equation)"
    summary: ClassVar[str] = "A network that solves Δu + u = q: residual inside, zero on the boundary."
    terms: ClassVar[tuple[str, ...]] = ("residual", "boundary")
    axes: ClassVar[tuple[tuple[str, float, float], tuple[str, float, float]]] = (("x", -1.0, 1.0), ("y", -1.0, 1.0))

    def solution(self, first: Floats, second: Floats) -> Floats:
        """Return sin πx sin 4πy on a grid."""
        return np.outer(np.sin(np.pi * WAVES[0] * first), np.sin(np.pi * WAVES[1] * second))

    def points(self, random: np.random.Generator, size: int) -> Tensor:
        """Return points inside, each with the number of a side of the square, [size, 3]."""
        import torch

        return torch.from_numpy(np.column_stack([self.inside(random, size), random.integers(0, 4, size, np.int8)]))

    def losses(self, model: Model, points: Tensor) -> Sequence[Tensor]:
        """Return the mean squares of Δu + u − q inside, and of u at half as many points of the boundary."""
        import torch

        inside, sides = points[:, :2], points[:, 2:]
        u = model.derivatives(inside, second=(0, 1))
        m, n = (torch.pi * waves for waves in WAVES)
        q = (1 - m**2 - n**2) * (m * inside[:, :1]).sin() * (n * inside[:, 1:]).sin()
        edge = on_side(inside[::2], sides[::2])
        return mean_square(u.second.sum(0) + u.value - q), mean_square(model(edge))


def on_side(points: Tensor, sides: Tensor) -> Tensor:
    """Return points of [−1, 1]² moved straight to a side: 0 is x = −1, 1 is x = 1, 2 is y = −1, 3 is y = 1.

    points: [N, 2].  sides: [N, 1].
    """
    moved = sides.div(2, rounding_mode="floor") == sides.new_tensor([0, 1])
    return points.where(~moved, sides % 2 * 2 - 1)
