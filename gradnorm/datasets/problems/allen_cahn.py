"""Allen–Cahn's equation, periodic and stiff; the truth is a Fourier method with exponential time steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.problems.base import Model
from gradnorm.datasets.problems.equation import Equation, Floats, at_ends, at_start, mean_square

if TYPE_CHECKING:
    from torch import Tensor

# u_t = ε u_xx + 5(u − u³).
EPSILON, RATE = 1e-4, 5.0
MODES, STEPS = 512, 800


class AllenCahn(Equation):
    """u_t = 0.0001 u_xx + 5(u − u³) on [−1, 1], periodic in x, u(x, 0) = x² cos πx.

    The example of Raissi, Perdikaris and Karniadakis, Physics-informed neural networks (J. Comput. Phys., 2019).
    """

    name: ClassVar[str] = "allen_cahn"
    title: ClassVar[str] = "Allen–Cahn (equation)"
    summary: ClassVar[str] = "A network that solves u_t = ε u_xx + 5(u − u³): residual, start, both ends alike."
    terms: ClassVar[tuple[str, ...]] = ("residual", "start", "periodic")
    axes: ClassVar[tuple[tuple[str, float, float], tuple[str, float, float]]] = (("x", -1.0, 1.0), ("t", 0.0, 1.0))

    def solution(self, first: Floats, second: Floats) -> Floats:
        """Return u on a grid whose times are evenly spaced from 0 on; see `etdrk4`."""
        each = max(1, -(-STEPS // (len(second) - 1)))
        return between(etdrk4(float(second[-1]), (len(second) - 1) * each)[:, ::each], first)

    def losses(self, model: Model, points: Tensor) -> Sequence[Tensor]:
        """Return the mean squares of u_t − ε u_xx − 5(u − u³), of u − x² cos πx at t = 0, and of how the ends differ.

        At the ends u and u_x differ; their squares are added.
        """
        import torch

        u = model.derivatives(points, second=(0,))
        start = at_start(points[::2])
        low, high = (model.derivatives(end) for end in at_ends(points[1::2], self.axes[0]))
        x = start[:, :1]
        return (
            mean_square(u.first[1] - EPSILON * u.second[0] - RATE * (u.value - u.value**3)),
            mean_square(model(start) - x.square() * (torch.pi * x).cos()),
            mean_square(low.value - high.value) + mean_square(low.first[0] - high.first[0]),
        )


def etdrk4(end: float, steps: int, modes: int = MODES) -> Floats:
    """Return u at `modes` nodes −1, −1 + 2/modes … and the times 0, end/steps … end, [modes, steps + 1].

    Fourier modes in x and fourth-order exponential time differencing in t (Cox and Matthews, 2002); its coefficients
    are means over a circle, which keeps their digits (Kassam and Trefethen, 2005).
    """
    step = end / steps
    x = -1 + 2 * np.arange(modes) / modes
    linear = RATE - EPSILON * (2 * np.pi * np.fft.rfftfreq(modes, 2 / modes)) ** 2
    circle = np.exp(1j * np.pi * (np.arange(32) + 0.5) / 32)
    z = step * linear[:, None] + circle
    e = np.exp(z)
    half = step * ((np.exp(z / 2) - 1) / z).mean(1).real
    first = step * ((-4 - z + e * (4 - 3 * z + z**2)) / z**3).mean(1).real
    middle = step * ((2 + z + e * (z - 2)) / z**3).mean(1).real
    last = step * ((-4 - 3 * z - z**2 + e * (4 - z)) / z**3).mean(1).real
    whole, part = np.exp(step * linear), np.exp(step * linear / 2)

    def pull(v: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the nonlinear part −5u³ of modes v, as modes."""
        return np.fft.rfft(-RATE * np.fft.irfft(v, modes) ** 3)

    v = np.fft.rfft(x**2 * np.cos(np.pi * x))
    kept = [v]
    for _ in range(steps):
        at_v = pull(v)
        a = part * v + half * at_v
        at_a = pull(a)
        b = part * v + half * at_a
        at_b = pull(b)
        c = part * a + half * (2 * at_b - at_v)
        v = whole * v + first * at_v + 2 * middle * (at_a + at_b) + last * pull(c)
        kept.append(v)
    return np.fft.irfft(np.stack(kept, 1), modes, axis=0)


def between(values: Floats, x: Floats) -> Floats:
    """Return a periodic function at any x in [−1, 1], by its Fourier series.

    values: at nodes −1, −1 + 2/modes …, [modes, columns].  x: [N].  Returns [N, columns].
    """
    modes = len(values)
    series = np.fft.rfft(values, axis=0) / modes
    twice = np.where((np.arange(len(series)) == 0) | (2 * np.arange(len(series)) == modes), 1.0, 2.0)
    waves = np.exp(1j * np.pi * np.outer(x + 1, np.arange(len(series)))) * twice
    return (waves @ series).real
