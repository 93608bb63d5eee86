"""Multiple-gradient descent (Désidéri 2012; Sener and Koltun: NeurIPS 2018, arXiv:1810.04650)."""

from __future__ import annotations

from typing import ClassVar

from gradnorm.methods.surgery import GramianMethod, Weighting


class MultipleGradientDescent(GramianMethod):
    """Step in the common descent direction of least norm: w minimises ‖Jᵀw‖² over w_i ≥ 0, Σ_i w_i = 1.

    It is solved by Frank–Wolfe (Algorithm 2 of Sener and Koltun). J has one row for each task: its
    gradient of all shared parameters. The weights apply to these parameters alone.

    Papers: Désidéri, "Multiple-gradient descent algorithm", 2012; Sener, Koltun, "Multi-Task Learning as
    Multi-Objective Optimization", NeurIPS 2018 (arXiv:1810.04650).

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, MultipleGradientDescent()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights.round(decimals=2)  # orthogonal gradients: w_i is proportional to 1/‖g_i‖²
    tensor([0.1000, 0.9000])
    """

    name: ClassVar[str] = "mgda"
    title: ClassVar[str] = "MGDA"
    summary: ClassVar[str] = "Steps in the common descent direction of least norm, which follows the smallest gradient."
    citation: ClassVar[str] = (
        "@inproceedings{sener2018multi, title={Multi-Task Learning as Multi-Objective Optimization}, author="
        "{Sener, Ozan and Koltun, Vladlen}, booktitle={NeurIPS}, year={2018}}"
    )

    def weighting(self) -> Weighting:
        """Return TorchJD's implementation."""
        from torchjd.aggregation import MGDAWeighting

        return MGDAWeighting()
