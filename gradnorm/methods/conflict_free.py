"""ConFIG, the conflict-free inverse gradient (Liu, Chu, Thuerey: ICLR 2025, arXiv:2408.11104)."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, cosines


class ConflictFree(GramianMethod):
    """Step in the direction that has the same positive cosine with all gradients, as far as all of them would.

    With the unit gradients u_i as rows of U: d = U⁺1, where U⁺ is the pseudoinverse and 1 a vector of ones, and the
    step is (Σ_i g_i·d/‖d‖)·d/‖d‖ (Eq. 2 of the paper). The weights apply to the shared parameters alone. Where the
    gradients cancel there is no such direction, and all weights are 0.

    Paper: Liu, Chu, Thuerey, "ConFIG: Towards Conflict-free Training of Physics Informed Neural Networks", ICLR 2025
    (arXiv:2408.11104).

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, ConflictFree()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights.round(decimals=4)  # d/‖d‖ = (1, 1)/√2, and the step is (2, 2)
    tensor([0.6667, 2.0000])
    """

    name: ClassVar[str] = "config"
    title: ClassVar[str] = "ConFIG"
    summary: ClassVar[str] = "Steps in the direction that has the same positive cosine with all gradients."
    citation: ClassVar[str] = (
        "@inproceedings{liu2025config, title={ConFIG: Towards Conflict-free Training of Physics Informed Neural "
        "Networks}, author={Liu, Qiang and Chu, Mengyu and Thuerey, Nils}, booktitle={ICLR}, year={2025}}"
    )

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return `conflict_free_weights` of this step's gradients; arguments as in the base class."""
        return conflict_free_weights(*cosines(gramian))


def conflict_free_weights(norms: PerTask, cosines: Gramian) -> PerTask:
    """Return w with Σ_i w_i g_i = (Σ_i g_i·d/‖d‖)·d/‖d‖ and d = U⁺1 (Eq. 2 of the paper), shape [n].

    norms: ‖g_i‖ > 0, shape [n].
    cosines: U Uᵀ with a unit diagonal, shape [n, n].

    >>> import torch
    >>> conflict_free_weights(torch.tensor([3.0, 1.0]), torch.eye(2)).round(decimals=4)
    tensor([0.6667, 2.0000])
    """
    import torch

    # U⁺1 = Uᵀx.
    x = torch.linalg.pinv(cosines, hermitian=True).sum(1)
    dots = cosines @ x  # u_i·d: all 1, unless the gradients depend on each other
    squared = x @ dots
    # Where d is 0 but for rounding, it has no direction.
    if squared <= len(x) * torch.finfo(x.dtype).eps:
        return torch.zeros_like(x)
    return (norms @ dots / squared) * x / norms
