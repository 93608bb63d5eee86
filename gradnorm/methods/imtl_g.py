"""The gradient balance of impartial multi-task learning (Liu, Li, Kuang, et al.: ICLR 2021), IMTL-G."""

from __future__ import annotations

from typing import ClassVar

from gradnorm.methods.imtl_l import ImpartialLosses
from gradnorm.methods.surgery import GramianMethod, Weighting


class ImpartialGradients(GramianMethod):
    """The weights, summing to 1, that give Jᵀw the same projection on every unit gradient; some may be negative."""

    name: ClassVar[str] = "imtl-g"
    title: ClassVar[str] = "IMTL-G"
    summary: ClassVar[str] = "The direction whose projections on all gradients are equal."
    citation: ClassVar[str] = ImpartialLosses.citation

    def weighting(self) -> Weighting:
        """Return TorchJD's."""
        from torchjd.aggregation import IMTLGWeighting

        return IMTLGWeighting()
