"""Conflict-averse gradient descent (Liu, Liu, Jin, Stone, Liu: NeurIPS 2021, arXiv:2110.14048)."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

from numpy.random import Generator
from pydantic import Field

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, cosines, unit_gradients

# Below this, relative to the gradients, a gradient counts as zero: no direction in the ball helps every task.
_STATIONARY = 1e-9
# Entries of a solution below this, relative to its largest, count as zero.
_COUNTS = 1e-5
# The exact solution lies nearer than this to the solver's.
_NEAR = 0.1


class ConflictAverse(GramianMethod):
    """Step in the direction near the mean gradient that helps the worst-off task most.

    d maximises min_i g_i·d subject to ‖d − g₀‖ ≤ c·‖g₀‖, g₀ being the mean gradient (Algorithm 1 of the
    paper); d = Jᵀw. The weights apply to the shared parameters alone.

    c: radius of the ball in units of ‖g₀‖, in [0, 1]. 0 gives the mean gradient.

    Paper: Liu, Liu, Jin, Stone, Liu, "Conflict-Averse Gradient Descent", NeurIPS 2021 (arXiv:2110.14048).

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, ConflictAverse(c=0)).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights  # c = 0 is the mean gradient
    tensor([0.5000, 0.5000])
    """

    name: ClassVar[str] = "cagrad"
    title: ClassVar[str] = "CAGrad"
    summary: ClassVar[str] = "Helps the worst-off task as much as a ball around the mean gradient allows."
    citation: ClassVar[str] = (
        "@inproceedings{liu2021conflict, title={Conflict-Averse Gradient Descent for Multi-task Learning}, author="
        "{Liu, Bo and Liu, Xingchao and Jin, Xiaojie and Stone, Peter and Liu, Qiang}, booktitle={NeurIPS}, "
        "year={2021}}"
    )

    c: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Radius c",
        description="Radius of the ball around the mean gradient, relative to its norm. 0 gives the mean gradient.",
    )

    packages: ClassVar[tuple[str, ...]] = ("clarabel", "scipy")

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return 1/n + c·‖g₀‖/‖g_w‖·w, where w solves the dual problem; arguments as in the base class.

        w minimises g_w·g₀ + c‖g₀‖‖g_w‖ over w ≥ 0, Σ_i w_i = 1, with g_w = Jᵀw. Where g₀ or g_w
        is zero the gradients are Pareto-stationary, and the mean gradient is left as it is.
        """
        norms, C = cosines(gramian)
        n = len(norms)
        U, mean = unit_gradients(C), norms / norms.max() / n
        g0 = mean @ U
        equal = norms.new_full((n,), 1 / n)
        size = g0.norm()
        if self.c == 0 or size < _STATIONARY * mean.sum():
            return equal
        slopes, scale = U @ g0 / size, norms.min() / norms
        x = _least(slopes, self.c, U, scale)
        length = (x @ U).norm()
        if length < _STATIONARY:
            return equal
        unit = _polished(x / length, slopes, self.c, C, scale)
        return equal + self.c * size * norms.max() * unit / norms


def _polished(x: PerTask, slopes: PerTask, c: float, C: Gramian, scale: PerTask) -> PerTask:
    """Return the x of `_least` divided by ‖Uᵀx‖, exact for the tasks that count in it.

    Where x_i > 0 the gradient of the objective is a multiple μ of `scale` (Lagrange): C x = (μ·scale − slopes)/c. With
    xᵀC x = 1 this is a quadratic equation in μ. If its solution is not the one sought, x is returned as it is.

    x: the solver's solution, divided by ‖Uᵀx‖.  C: U Uᵀ.
    """
    import torch

    counts = x > _COUNTS * x.max()
    among, s, b = torch.linalg.pinv(C[counts][:, counts], hermitian=True), scale[counts], slopes[counts]
    p, q = among @ s, among @ b
    root = (s @ q) ** 2 - (s @ p) * (b @ q - c**2)
    if root < 0:
        return x
    exact = (p * (s @ q + root.sqrt()) / (s @ p) - q) / c
    if not bool((exact > 0).all()) or float((exact - x[counts]).abs().max()) > _NEAR * float(x.max()):
        return x
    polished = torch.zeros_like(x)
    polished[counts] = exact
    return polished


def _least(slopes: PerTask, c: float, U: Gramian, scale: PerTask) -> PerTask:
    """Return the x ≥ 0 with scale·x = 1 that minimises slopes·x + c‖Uᵀx‖: a second-order cone program.

    slopes, scale: shape [n].  U: unit gradients as rows, shape [n, n].
    """
    import numpy as np
    import torch
    from scipy import sparse

    clarabel: Any = import_module("clarabel")
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    n = len(slopes)
    # The unknowns are x and a bound on ‖Uᵀx‖. Rows: the sum, x ≥ 0, the bound, Uᵀx.
    rows = np.zeros((2 * n + 2, n + 1))
    rows[0, :n] = scale
    rows[1 : n + 1, :n] = -np.eye(n)
    rows[n + 1, n] = -1
    rows[n + 2 :, :n] = -U.T.numpy()
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(n), clarabel.SecondOrderConeT(n + 1)]
    cost, bounds = np.append(slopes.numpy(), c), np.eye(2 * n + 2)[0]
    quadratic, linear = sparse.csc_matrix((n + 1, n + 1)), sparse.csc_matrix(rows)
    solver = clarabel.DefaultSolver(quadratic, cost, linear, bounds, cones, settings)
    return torch.tensor(solver.solve().x[:n], dtype=slopes.dtype).clamp(min=0)
