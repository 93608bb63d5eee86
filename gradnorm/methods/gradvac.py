"""GradVac, the gradient vaccine (Wang, Tsvetkov, Firat, Cao: ICLR 2021, arXiv:2010.05874)."""

from __future__ import annotations

import math
from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.moving_mean import smoothing
from gradnorm.methods.surgery import Pairs, RememberingMethod, cosines

# No cosine counts as nearer to ±1: towards a gradient of the opposite direction there is no way.
_STRAIGHT = 1 - 1e-9


class GradientVaccine(RememberingMethod):
    """Turn each gradient towards the others until their cosines are at least what they are on average, and sum.

    For each other task j, in random order, with φ the cosine of g_i and g_j, and φ̂_ij its moving mean:
    g_i ← g_i + ‖g_i‖(φ̂√(1 − φ²) − φ√(1 − φ̂²))/(‖g_j‖√(1 − φ̂²)) g_j if φ < φ̂ (Eq. 3 of the paper), which makes the
    cosine φ̂. Then φ̂ ← s·φ̂ + (1 − s)·φ, from φ̂ = 0: at first it is PCGrad. The weights apply to the shared parameters
    alone.

    smoothing: s in [0, 0.9999]; the paper's β is 1 − s.

    Paper: Wang, Tsvetkov, Firat, Cao, "Gradient Vaccine: Investigating and Improving Multi-task Optimization in
    Massively Multilingual Models", ICLR 2021 (arXiv:2010.05874), Algorithm 1, with β = 0.01.
    Differs from the paper: all shared parameters are one group; the paper has one for each part of its network.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, GradientVaccine()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights  # φ = φ̂ = 0
    tensor([1., 1.])
    """

    name: ClassVar[str] = "gradvac"
    title: ClassVar[str] = "GradVac"
    summary: ClassVar[str] = "Turns gradients towards each other until their cosines are what they are on average."
    citation: ClassVar[str] = (
        "@inproceedings{wang2021gradient, title={Gradient Vaccine: Investigating and Improving Multi-task Optimization "
        "in Massively Multilingual Models}, author={Wang, Zirui and Tsvetkov, Yulia and Firat, Orhan and Cao, Yuan}, "
        "booktitle={ICLR}, year={2021}}"
    )
    remembers: ClassVar[tuple[str, ...]] = ("cosine",)

    smoothing: float = smoothing(0.99, "What the mean cosines keep of their past at each step. The paper uses 0.99.")

    def recall(self, gramian: Gramian, pairs: Pairs, random: Generator) -> tuple[PerTask, Pairs]:
        """Return the sum of the turned gradients in terms of all gradients, and φ̂; arguments as in the base class."""
        import torch

        norms, tensor = cosines(gramian)
        C, means = tensor.numpy(), pairs["cosine"].numpy().copy()
        turned = norms.diag().numpy()  # row i: g_i in units of the unit gradients
        for i, row in enumerate(turned):
            dots = C @ row
            for j in random.permutation(len(row)):
                if j == i:
                    continue
                # Of a gradient that rounding alone has left, all cosines are 0.
                size = math.sqrt(max(row @ dots, 0.0))
                phi = min(max(dots[j] / size, -_STRAIGHT), _STRAIGHT) if size else 0.0
                wanted = min(max(means[i, j], -_STRAIGHT), _STRAIGHT)
                if phi < wanted:
                    added = size * (math.sqrt(1 - phi**2) * wanted / math.sqrt(1 - wanted**2) - phi)
                    row[j] += added
                    dots += added * C[j]
                means[i, j] = self.smoothing * means[i, j] + (1 - self.smoothing) * phi
        return torch.from_numpy(turned.sum(0)) / norms, {"cosine": torch.from_numpy(means)}
