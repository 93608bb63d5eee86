"""IMTL-G, the gradient balance of impartial multi-task learning (Liu, Li, Kuang, et al.: ICLR 2021)."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.imtl_l import ImpartialLosses
from gradnorm.methods.surgery import GramianMethod, cosines

# A smaller sum of weights, relative to that of their sizes, counts as zero.
_NO_SUM = 1e-12


class ImpartialGradients(GramianMethod):
    """Step in the direction whose projections on all gradients are equal.

    g = Jᵀw with Σ_i w_i = 1 and g·u_i equal for every unit gradient u_i = g_i/‖g_i‖. The solution has a
    closed form. Weights may be negative. They apply to the shared parameters alone.

    Paper: Liu, Li, Kuang, et al., "Towards Impartial Multi-task Learning", ICLR 2021.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, ImpartialGradients()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights.round(decimals=4)  # ‖g‖ = (3, 1): both projections are ¾
    tensor([0.2500, 0.7500])
    """

    name: ClassVar[str] = "imtl-g"
    title: ClassVar[str] = "IMTL-G"
    summary: ClassVar[str] = "Steps in the direction whose projections on all gradients are equal."
    citation: ClassVar[str] = ImpartialLosses.citation

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return w ∝ v/‖g‖, where C v = 1 for the cosines C; arguments as in the base class.

        Where the sum of the w is zero no such direction exists, and all tasks weigh the same.
        """
        import torch

        norms, C = cosines(gramian)
        weights = torch.linalg.pinv(C, hermitian=True).sum(1) * norms.min() / norms
        total = weights.sum()
        if total.abs() < _NO_SUM * weights.abs().sum():
            return torch.full_like(norms, 1 / len(norms))
        return weights / total
