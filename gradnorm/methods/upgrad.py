"""UPGrad, unconflicting projection of gradients (Quinton and Rey 2024, arXiv:2406.16232)."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, cosines, unit_gradients


class UnconflictingProjection(GramianMethod):
    """Project each gradient onto the directions that conflict with no task, and take the mean.

    A direction d conflicts with no task if J d ≥ 0. The projections are those of Proposition 1 of the paper. The
    weights apply to the shared parameters alone.

    Paper: Quinton, Rey, "Jacobian Descent for Multi-Objective Optimization", 2024 (arXiv:2406.16232).

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, UnconflictingProjection()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights.round(decimals=3)  # orthogonal gradients do not conflict
    tensor([0.5000, 0.5000])
    """

    name: ClassVar[str] = "upgrad"
    title: ClassVar[str] = "UPGrad"
    summary: ClassVar[str] = "Projects each gradient onto the directions that harm no task, and takes the mean."
    citation: ClassVar[str] = (
        "@article{quinton2024jacobian, title={Jacobian Descent for Multi-Objective Optimization}, author={Quinton, "
        "Pierre and Rey, Val{\\'e}rian}, journal={arXiv:2406.16232}, year={2024}}"
    )

    packages: ClassVar[tuple[str, ...]] = ("scipy",)

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return the mean of the projections in terms of all gradients; arguments as in the base class."""
        norms, C = cosines(gramian)
        return norms @ dual_cone_projections(C) / norms / len(norms)


def dual_cone_projections(cosines: Gramian) -> Gramian:
    """Return the projections of n unit gradients onto the directions that conflict with none of them.

    Row i holds the v of Uᵀv, the projection of u_i: it minimises ‖Uᵀv‖² subject to v ≥ e_i (Proposition 1 of the
    paper). With v = e_i + z this is a problem of non-negative least squares in z, which an active-set method solves to
    rounding.

    cosines: U Uᵀ with a unit diagonal, shape [n, n], in double precision on the CPU.

    >>> import torch
    >>> dual_cone_projections(torch.tensor([[1.0, -0.5], [-0.5, 1.0]]).double()).round(decimals=4)
    tensor([[1.0000, 0.5000],
            [0.5000, 1.0000]], dtype=torch.float64)
    """
    import numpy as np
    import torch
    from scipy.optimize import nnls

    U = unit_gradients(cosines).T.numpy()
    added = np.stack([nnls(U, -unit, maxiter=100 * len(U))[0] for unit in U.T])
    return torch.from_numpy(np.eye(len(U)) + added)
