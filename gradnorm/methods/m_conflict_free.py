"""M-ConFIG, ConFIG on momenta of the gradients (Liu, Chu, Thuerey: ICLR 2025, arXiv:2408.11104)."""

from __future__ import annotations

from typing import ClassVar

from numpy.random import Generator

from gradnorm.common.shapes import Gramian, PerTask
from gradnorm.methods.conflict_free import ConflictFree, conflict_free_weights
from gradnorm.methods.moving_mean import moving_mean, smoothing
from gradnorm.methods.surgery import Pairs, RememberingMethod, cosines


class MomentumConflictFree(RememberingMethod):
    """Step in ConFIG's direction for the moving means of cosines and norms, which single batches sway less.

    w is that of ConFIG, where the exponential moving means of the cosines and of the norms stand for those of this
    step's batch. The weights apply to the shared parameters alone.

    smoothing: β₁ in [0, 0.9999], what the means keep of their past at each step. 0 is ConFIG.

    Paper: Liu, Chu, Thuerey, "ConFIG: Towards Conflict-free Training of Physics Informed Neural Networks", ICLR 2025
    (arXiv:2408.11104), Algorithm 1, with β₁ = 0.9.
    Differs from the paper: it applies ConFIG to the momenta m_i of the gradients, of which each step renews one in turn
    by a single backward pass, and then divides by a second moment, as Adam does. Here each step measures all gradients,
    and the weighted ones get momentum and second moment from the optimizer. That is the paper's direction as long as
    the weights and the directions of the gradients change slowly; its speed is not gained.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> losses = [(shared * torch.tensor(direction)).sum() for direction in ([3.0, 0.0], [0.0, 1.0])]
    >>> balance = Balancer(2, MomentumConflictFree()).backward(losses, shared=shared, trunk=[shared])
    >>> balance.weights.round(decimals=4)  # the first step is ConFIG's
    tensor([0.6667, 2.0000])
    """

    name: ClassVar[str] = "m-config"
    title: ClassVar[str] = "M-ConFIG"
    summary: ClassVar[str] = "ConFIG by smoothed cosines and norms, which single batches sway less."
    citation: ClassVar[str] = ConflictFree.citation
    # Cosines, with the norms on the diagonal, where cosines are always 1.
    remembers: ClassVar[tuple[str, ...]] = ("pair_sum", "pair_total")

    smoothing: float = smoothing(0.9, "β₁: what the means keep of their past at each step. The paper uses 0.9.")

    def recall(self, gramian: Gramian, pairs: Pairs, random: Generator) -> tuple[PerTask, Pairs]:
        """Return ConFIG's weights for the mean cosines and norms, and these; arguments as in the base class."""
        norms, C = cosines(gramian)
        means, kept = moving_mean(pairs, "pair", C - C.diagonal().diag() + norms.diag(), self.smoothing)
        norms = means.diagonal()
        return conflict_free_weights(norms, means - norms.diag() + C.diagonal().diag()), kept
