"""UPGrad, unconflicting projection of gradients (Quinton and Rey 2024, arXiv:2406.16232)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from gradnorm.methods.surgery import GramianMethod, Weighting

# Added to the diagonal, relative to its largest entry; keeps the quadratic program strictly convex.
_REGULARIZATION = 1e-6


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

    def weighting(self) -> Weighting:
        """Return TorchJD's weighting with Clarabel as the solver of its quadratic programs."""
        from torchjd.aggregation import UPGradWeighting

        return UPGradWeighting(projector=clarabel_projector())


@cache
def clarabel_projector() -> Any:
    """Return a projector onto the dual cone: v minimises vᵀGv subject to v ≥ u (Proposition 1 of the paper).

    It takes U, shape [k, n], and the Gramian G, shape [n, n], and returns the v of each row of U, shape [k, n].
    TorchJD's own projector needs quadprog, whose licence is the GPL; see docs/decisions/0003.
    """
    import numpy as np
    import torch
    from scipy import sparse
    from torch import Tensor
    from torchjd.linalg import DualConeProjector

    clarabel: Any = import_module("clarabel")
    settings = clarabel.DefaultSettings()
    settings.verbose = False

    class Clarabel(DualConeProjector):
        def __call__(self, U: Tensor, G: Tensor) -> Tensor:
            size = len(G)
            scale = G.diagonal().max().clamp(min=1e-300)
            gram = (G / scale).double().cpu().numpy() + _REGULARIZATION * np.eye(size)
            P = sparse.csc_matrix(np.triu(gram))
            A, cones = sparse.csc_matrix(-np.eye(size)), [clarabel.NonnegativeConeT(size)]

            def project(u: np.ndarray) -> np.ndarray:
                return np.array(clarabel.DefaultSolver(P, np.zeros(size), A, -u, cones, settings).solve().x)

            rows = np.apply_along_axis(project, -1, U.detach().double().cpu().numpy())
            return torch.as_tensor(rows, device=G.device, dtype=G.dtype)

    return Clarabel()
