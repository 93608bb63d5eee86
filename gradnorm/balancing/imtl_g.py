"""The gradient balance of impartial multi-task learning (Liu, Li, Kuang, et al.: ICLR 2021), IMTL-G."""

from __future__ import annotations

from typing import ClassVar

from gradnorm.balancing.surgery import GramianMethod, Weighting


class ImpartialGradients(GramianMethod):
    """The weights, summing to 1, that give Jᵀw the same projection on every unit gradient; some may be negative."""

    name: ClassVar[str] = "imtl-g"
    title: ClassVar[str] = "IMTL-G"
    summary: ClassVar[str] = "The direction whose projections on all gradients are equal."
    citation: ClassVar[str] = (
        "@inproceedings{liu2021towards, title={Towards Impartial Multi-task Learning}, author={Liu, Liyang and Li, Yi "
        "and Kuang, Zhanghui and Xue, Jing-Hao and Chen, Yimin and Yang, Wenming and Liao, Qingmin and Zhang, Wayne}, "
        "booktitle={ICLR}, year={2021}}"
    )

    def weighting(self) -> Weighting:
        """Return TorchJD's."""
        from torchjd.aggregation import IMTLGWeighting

        return IMTLGWeighting()
