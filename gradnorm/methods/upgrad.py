"""UPGrad, unconflicting projection of gradients (Quinton and Rey 2024, arXiv:2406.16232)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any, ClassVar

from gradnorm.methods.surgery import GramianMethod, Weighting

# Relative to the largest eigenvalue; keeps the program strictly convex.
_REGULARIZATION = 1e-6


class UnconflictingProjection(GramianMethod):
    """Project each gradient onto the cone of directions that conflict with no task, and take the mean."""

    name: ClassVar[str] = "upgrad"
    title: ClassVar[str] = "UPGrad"
    summary: ClassVar[str] = "Projects each gradient onto the directions that harm no task, and takes the mean."
    citation: ClassVar[str] = (
        "@article{quinton2024jacobian, title={Jacobian Descent for Multi-Objective Optimization}, author={Quinton, "
        "Pierre and Rey, Val{\\'e}rian}, journal={arXiv:2406.16232}, year={2024}}"
    )

    def weighting(self) -> Weighting:
        """Return TorchJD's, with its quadratic programs solved by Clarabel."""
        from torchjd.aggregation import UPGradWeighting

        return UPGradWeighting(projector=projector())


@cache
def projector() -> Any:
    """Return a projector onto the dual cone: min vᵀGv subject to v ≥ u (Proposition 1 of the paper).

    TorchJD's own one needs quadprog, which is under the GPL; see docs/decisions/0003.
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
