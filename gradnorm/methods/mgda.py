"""Multiple-gradient descent (Désidéri 2012; Sener and Koltun: NeurIPS 2018, arXiv:1810.04650)."""

from __future__ import annotations

from typing import ClassVar

from gradnorm.methods.surgery import GramianMethod, Weighting


class MultipleGradientDescent(GramianMethod):
    """The weights on the simplex that minimise ‖Jᵀw‖, found by Frank–Wolfe (Algorithm 2 of Sener and Koltun)."""

    name: ClassVar[str] = "mgda"
    title: ClassVar[str] = "MGDA"
    summary: ClassVar[str] = "The common descent direction of least norm: it follows the smallest gradient."
    citation: ClassVar[str] = (
        "@inproceedings{sener2018multi, title={Multi-Task Learning as Multi-Objective Optimization}, author="
        "{Sener, Ozan and Koltun, Vladlen}, booktitle={NeurIPS}, year={2018}}"
    )

    def weighting(self) -> Weighting:
        """Return TorchJD's."""
        from torchjd.aggregation import MGDAWeighting

        return MGDAWeighting()
