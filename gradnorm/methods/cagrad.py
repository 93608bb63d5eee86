"""Conflict-averse gradient descent (Liu, Liu, Jin, Stone, Liu: NeurIPS 2021, arXiv:2110.14048)."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from gradnorm.methods.surgery import GramianMethod, Weighting


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

    def weighting(self) -> Weighting:
        """Return TorchJD's implementation."""
        from torchjd.aggregation import CAGradWeighting

        return CAGradWeighting(c=self.c)
