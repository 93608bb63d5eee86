"""Aligned-MTL (Senushkin, Patakin, Kuznetsov, Konushin: CVPR 2023, arXiv:2305.19000)."""

from __future__ import annotations

from typing import ClassVar

from gradnorm.methods.surgery import GramianMethod, Weighting


class AlignedGradients(GramianMethod):
    """Scale the principal components of J to the smallest, for a condition number of 1 (Algorithm 1)."""

    name: ClassVar[str] = "aligned-mtl"
    title: ClassVar[str] = "Aligned-MTL"
    summary: ClassVar[str] = "Aligns the principal components of the gradients, so that none dominates."
    citation: ClassVar[str] = (
        "@inproceedings{senushkin2023independent, title={Independent Component Alignment for Multi-Task Learning}, "
        "author={Senushkin, Dmitry and Patakin, Nikolay and Kuznetsov, Arseny and Konushin, Anton}, booktitle={CVPR}, "
        "year={2023}}"
    )

    def weighting(self) -> Weighting:
        """Return TorchJD's."""
        from torchjd.aggregation import AlignedMTLWeighting

        return AlignedMTLWeighting()
