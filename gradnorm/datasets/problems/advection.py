"""Advection at a large speed: a wave that travels around several times, which networks find hard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from gradnorm.datasets.problems.base import Model
from gradnorm.datasets.problems.equation import Equation, Floats, at_ends, at_start, mean_square

if TYPE_CHECKING:
    from torch import Tensor


class Advection(Equation):
    """u_t + c u_x = 0 on [0, 2π], periodic in x, u(x, 0) = sin x; so u = sin(x − ct).

    The convection of Krishnapriyan et al., Characterizing possible failure modes in physics-informed neural networks
    (NeurIPS 2021).
    """

    name: ClassVar[str] = "advection"
    title: ClassVar[str] = "Advection (equation)"
    summary: ClassVar[str] = "A network that solves u_t + c u_x = 0: residual, start, and one value at both ends."
    terms: ClassVar[tuple[str, ...]] = ("residual", "start", "periodic")
    axes: ClassVar[tuple[tuple[str, float, float], tuple[str, float, float]]] = (
        ("x", 0.0, 2 * np.pi),
        ("t", 0.0, 1.0),
    )

    speed: float = Field(30.0, gt=0, le=200, title="Speed c", description="From 10 on the equation is hard to learn.")

    def solution(self, first: Floats, second: Floats) -> Floats:
        """Return sin(x − ct) on a grid."""
        return np.sin(first[:, None] - self.speed * second)

    def losses(self, model: Model, points: Tensor) -> Sequence[Tensor]:
        """Return the mean squares of u_t + c u_x, of u − sin x at t = 0, and of u(0, t) − u(2π, t)."""
        u = model.derivatives(points)
        start = at_start(points[::2])
        low, high = at_ends(points[1::2], self.axes[0])
        return (
            mean_square(u.first[1] + self.speed * u.first[0]),
            mean_square(model(start) - start[:, :1].sin()),
            mean_square(model(low) - model(high)),
        )
