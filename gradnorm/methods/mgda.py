"""Multiple-gradient descent (Désidéri 2012; Sener and Koltun: NeurIPS 2018, arXiv:1810.04650)."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, cosines, unit_gradients


class MultipleGradientDescent(GramianMethod):
    """Step in the common descent direction of least norm: w minimises ‖Jᵀw‖² over w_i ≥ 0, Σ_i w_i = 1.

    J has one row for each task: its gradient of all shared parameters. The weights apply to these parameters alone.

    Papers: Désidéri, "Multiple-gradient descent algorithm", 2012; Sener, Koltun, "Multi-Task Learning as
    Multi-Objective Optimization", NeurIPS 2018 (arXiv:1810.04650).
    Differs from the papers: the minimum is found exactly, not by Frank–Wolfe, which stops far above it where norms
    are unequal.

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

    packages: ClassVar[tuple[str, ...]] = ("scipy",)

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return the w that minimises ‖Jᵀw‖²; arguments as in the base class.

        The x ≥ 0 that minimises ‖Jᵀx‖² + (Σ_i x_i − 1)² is a multiple of it. That is a problem of non-negative least
        squares (Lawson and Hanson, "Solving Least Squares Problems", chapter 23), which an active-set method solves to
        rounding. x is sought in units of 1/‖g_i‖, so that norms may be far apart.
        """
        import numpy as np
        import torch
        from scipy.optimize import nnls

        norms, C = cosines(gramian)
        scale = norms.min() / norms
        A = np.vstack([unit_gradients(C).T.numpy(), scale.numpy()])
        x, _ = nnls(A, np.eye(len(A))[-1], maxiter=100 * len(A))
        weights = torch.from_numpy(x) * scale
        return weights / weights.sum()
