"""Nash-MTL (Navon, Shamsian, Achituve, et al.: ICML 2022, arXiv:2202.01017)."""

from __future__ import annotations

from typing import Any, ClassVar

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, Weighting

# Newton steps; from the start below some ten are enough, however unequal the gradients.
_MOST_STEPS = 100
# Relative to the mean squared norm; bounds the weights where gradients cancel.
_REGULARIZATION = 1e-6


class NashBargaining(GramianMethod):
    """The Nash bargaining solution: the direction in which the product of all tasks' gains is largest."""

    name: ClassVar[str] = "nash-mtl"
    title: ClassVar[str] = "Nash-MTL"
    summary: ClassVar[str] = "The bargain in which the product of all tasks' gains is largest."
    citation: ClassVar[str] = (
        "@inproceedings{navon2022multi, title={Multi-Task Learning as a Bargaining Game}, author={Navon, Aviv and "
        "Shamsian, Aviv and Achituve, Idan and Maron, Haggai and Kawaguchi, Kenji and Chechik, Gal and Fetaya, Ethan}, "
        "booktitle={ICML}, year={2022}}"
    )

    packages: ClassVar[tuple[str, ...]] = ()

    def weighting(self) -> Weighting:
        """Return the solver of Claim 3.1; TorchJD's needs ECOS, which is under the GPL (docs/decisions/0003)."""
        return bargain


def bargain(gramian: Gramian) -> PerTask:
    """Return w > 0 with (G w)_i = 1/w_i for each i (Claim 3.1), shape [n], for a Gramian of shape [n, n].

    It is where ½wᵀGw − Σ log w_i, which is convex, is smallest: found by damped Newton steps, whose decrement λ
    halves the way as λ/(1 + λ) for such self-concordant functions (Boyd and Vandenberghe, section 9.6).
    Differs from the paper: solved exactly instead of by a sequence of convex programs.
    """
    import torch

    # With unit diagonal the scales of the tasks are gone; w = v/‖g‖ brings them back.
    norms = gramian.diagonal().clamp(min=1e-300).sqrt()
    G: Any = gramian / norms / norms[:, None] + _REGULARIZATION * torch.eye(len(norms)).to(gramian)
    v = torch.ones_like(norms)
    for _ in range(_MOST_STEPS):
        slope = G @ v - 1 / v
        move = -torch.linalg.solve(G + (1 / v**2).diag(), slope)
        decrement = (-(slope @ move)).clamp(min=0).sqrt()
        v = v + move / (1 + decrement if decrement > 0.25 else 1)
        if decrement < 1e-9:
            break
    return v / norms
