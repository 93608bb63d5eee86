"""Aligned-MTL (Senushkin, Patakin, Kuznetsov, Konushin: CVPR 2023, arXiv:2305.19000)."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod


class AlignedGradients(GramianMethod):
    """Scale all principal components of the gradients to the smallest, so that none dominates.

    With J Jᵀ = V Λ Vᵀ: w = √λ_min · V Λ^(−1/2) Vᵀ u with u_i = 1/n (Algorithm 1 of the paper). The condition
    number of the aligned gradients is 1. The weights apply to the shared parameters alone.

    Paper: Senushkin, Patakin, Kuznetsov, Konushin, "Independent Component Alignment", CVPR 2023
    (arXiv:2305.19000).

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, AlignedGradients()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights  # norms 3 and 1 are both scaled to 1, and the mean is taken
    tensor([0.1667, 0.5000])
    """

    name: ClassVar[str] = "aligned-mtl"
    title: ClassVar[str] = "Aligned-MTL"
    summary: ClassVar[str] = "Aligns the principal components of the gradients, so that none dominates."
    citation: ClassVar[str] = (
        "@inproceedings{senushkin2023independent, title={Independent Component Alignment for Multi-Task Learning}, "
        "author={Senushkin, Dmitry and Patakin, Nikolay and Kuznetsov, Arseny and Konushin, Anton}, booktitle={CVPR}, "
        "year={2023}}"
    )

    packages: ClassVar[tuple[str, ...]] = ("torchjd",)

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return TorchJD's weights; arguments as in the base class.

        Components that rounding hides behind the largest count as zero: the norms of tasks may be 10⁷ apart.
        """
        from torchjd.aggregation import AlignedMTLWeighting

        return AlignedMTLWeighting()(gramian / gramian.diagonal().max())
