"""Geometric loss strategy (Chennupati, Sistu, Yogamani, Rawashdeh: CVPR Workshops 2019, arXiv:1904.08492)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state

# Smaller losses count as this much, since the weight is divided by the loss.
_SMALLEST = 1e-12


class GeometricLoss(Method):
    """Minimise the geometric mean of the losses, which does not depend on their scales.

    The objective is L = (Π_i L_i)^(1/n) over the n tasks that are present. Its gradient is
    Σ_i w_i ∇L_i with w_i = ∂L/∂L_i = L/(n·L_i), computed from the losses of this very step.

    Paper: Chennupati, Sistu, Yogamani, Rawashdeh, "MultiNet++", CVPR Workshops 2019 (arXiv:1904.08492).

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([2.0, 8.0]))
    >>> Balancer(2, GeometricLoss()).backward(1 * shared, shared=shared).weights  # √(2·8) = 4
    tensor([1.0000, 0.2500])
    """

    name: ClassVar[str] = "gls"
    title: ClassVar[str] = "Geometric loss (GLS)"
    summary: ClassVar[str] = "Minimises the geometric mean of the losses, which does not depend on their scales."
    citation: ClassVar[str] = (
        "@inproceedings{chennupati2019multinet, title={MultiNet++: Multi-Stream Feature Aggregation and Geometric "
        "Loss Strategy for Multi-Task Learning}, author={Chennupati, Sumanth and Sistu, Ganesh and Yogamani, Senthil "
        "and Rawashdeh, Samir A.}, booktitle={CVPR Workshops}, year={2019}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1, which the first losses replace; arguments as in `Method.start`."""
        return fresh_state(ones)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i(t) = L/(n·L_i) as the weights used; arguments as in `Method.decide`."""
        losses = signal.losses.clamp(min=_SMALLEST)
        mean = signal.mean(losses.log()).exp()
        present = ~losses.isnan()
        used = (mean / (present.sum(-1, keepdim=True) * losses)).where(present, state.weights)
        return Decision(used, {}, used=used)
