"""Burgers' equation, whose solution grows a steep front; the truth is the formula of Cole and Hopf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from gradnorm.datasets.problems.base import Model
from gradnorm.datasets.problems.equation import Equation, Floats, at_ends, at_start, mean_square

if TYPE_CHECKING:
    from torch import Tensor

# The viscosity ν.
VISCOSITY = 0.01 / np.pi
# Nodes of the quadrature over η: the integrand has no more structure than exp(−η²) times a smooth function.
_NODES = 120


class Burgers(Equation):
    """u_t + u u_x = ν u_xx on [−1, 1], u(x, 0) = −sin πx, u(±1, t) = 0, ν = 0.01/π.

    The example of Raissi, Perdikaris and Karniadakis, Physics-informed neural networks (J. Comput. Phys., 2019).
    """

    name: ClassVar[str] = "burgers"
    title: ClassVar[str] = "Burgers (equation)"
    summary: ClassVar[str] = "A network that solves u_t + u u_x = ν u_xx: residual, start and boundary."
    terms: ClassVar[tuple[str, ...]] = ("residual", "start", "boundary")
    axes: ClassVar[tuple[tuple[str, float, float], tuple[str, float, float]]] = (("x", -1.0, 1.0), ("t", 0.0, 1.0))

    def solution(self, first: Floats, second: Floats) -> Floats:
        """Return u on a grid, by the formula of Cole and Hopf; see `cole_hopf`."""
        return np.stack([cole_hopf(first, time) for time in second], 1)

    def losses(self, model: Model, points: Tensor) -> Sequence[Tensor]:
        """Return the mean squares of u_t + u u_x − ν u_xx, of u + sin πx at t = 0, and of u at x = ±1."""
        import torch

        u = model.derivatives(points, second=(0,))
        start = at_start(points[::2])
        ends = torch.cat(at_ends(points[1::2], self.axes[0]))
        return (
            mean_square(u.first[1] + u.value * u.first[0] - VISCOSITY * u.second[0]),
            mean_square(model(start) + (torch.pi * start[:, :1]).sin()),
            mean_square(model(ends)),
        )


def cole_hopf(x: Floats, time: float) -> Floats:
    """Return u(x, t) of Burgers' equation that starts from −sin πx.

    u = −∫ sin(π(x − y)) f(x − y) exp(−y²/4νt) dy / ∫ f(x − y) exp(−y²/4νt) dy, f(z) = exp(−cos(πz)/2πν), by
    Gauss–Hermite quadrature (Basdevant et al., Spectral and finite difference solutions of the Burgers equation, 1986).

    x: positions, [N].  time: t ≥ 0.
    """
    nodes, weights = np.polynomial.hermite.hermgauss(_NODES)
    shifted = x[:, None] - np.sqrt(4 * VISCOSITY * time) * nodes
    exponent = -np.cos(np.pi * shifted) / (2 * np.pi * VISCOSITY)
    # The largest term becomes 1: the factor cancels in the ratio, and exp(50) is no trouble either way.
    density = weights * np.exp(exponent - exponent.max(1, keepdims=True))
    return -(np.sin(np.pi * shifted) * density).sum(1) / density.sum(1)
