"""Nash-MTL (Navon, Shamsian, Achituve, et al.: ICML 2022, arXiv:2202.01017)."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.surgery import GramianMethod, cosines

# The most Newton steps. About ten are enough, however unequal the gradients are.
_MAX_STEPS = 100
# Added to the unit diagonal; bounds the weights where gradients cancel.
_REGULARIZATION = 1e-6


class NashBargaining(GramianMethod):
    """Step in the direction in which the product of all tasks' gains is largest: the Nash bargaining solution.

    The weights solve (J Jᵀ w)_i = 1/w_i for every task (Claim 3.1 of the paper). They apply to the shared parameters
    alone.

    Paper: Navon, Shamsian, Achituve, et al., "Multi-Task Learning as a Bargaining Game", ICML 2022
    (arXiv:2202.01017).
    Differs from the paper: the equation is solved to convergence, not by a sequence of convex programs.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, NashBargaining()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights.round(decimals=4)  # orthogonal gradients: w_i = 1/‖g_i‖
    tensor([0.3333, 1.0000])
    """

    name: ClassVar[str] = "nash-mtl"
    title: ClassVar[str] = "Nash-MTL"
    summary: ClassVar[str] = "Steps in the direction in which the product of all tasks' gains is largest."
    citation: ClassVar[str] = (
        "@inproceedings{navon2022multi, title={Multi-Task Learning as a Bargaining Game}, author={Navon, Aviv and "
        "Shamsian, Aviv and Achituve, Idan and Maron, Haggai and Kawaguchi, Kenji and Chechik, Gal and Fetaya, Ethan}, "
        "booktitle={ICML}, year={2022}}"
    )

    def weigh(self, gramian: Gramian, random: Generator) -> PerTask:
        """Return `nash_weights`; arguments as in the base class."""
        return nash_weights(gramian)


def nash_weights(gramian: Gramian) -> PerTask:
    """Return w > 0 with (G w)_i = 1/w_i for each i (Claim 3.1 of the paper), shape [n].

    w minimises the convex function ½wᵀGw − Σ_i log w_i. The minimum is found by damped Newton steps of size
    1/(1 + λ), λ being the Newton decrement (Boyd and Vandenberghe, "Convex Optimization", section 9.6).

    gramian: G = J Jᵀ of n tasks, shape [n, n], with a positive diagonal.

    >>> import torch
    >>> nash_weights(torch.diag(torch.tensor([4.0, 1.0], dtype=torch.float64))).round(decimals=4)
    tensor([0.5000, 1.0000], dtype=torch.float64)
    """
    import torch

    # A unit diagonal removes the scales of the tasks; w = v/‖g‖ restores them.
    norms, C = cosines(gramian)
    G: Any = C + _REGULARIZATION * torch.eye(len(norms)).to(C)
    v = torch.ones_like(norms)
    for _ in range(_MAX_STEPS):
        gradient = G @ v - 1 / v
        move = -torch.linalg.solve(G + (1 / v**2).diag(), gradient)
        decrement = (-(gradient @ move)).clamp(min=0).sqrt()
        v = v + move / (1 + decrement if decrement > 0.25 else 1)
        if decrement < 1e-9:
            break
    return v / norms
