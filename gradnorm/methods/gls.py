"""Geometric loss strategy (Chennupati, Sistu, Yogamani, Rawashdeh: CVPR Workshops 2019, arXiv:1904.08492)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state

# Below this a loss counts as this much, since the weight is divided by it.
_SMALLEST = 1e-12


class GeometricLoss(Method):
    """Minimise the geometric mean of the losses: no scale of a loss matters."""

    name: ClassVar[str] = "gls"
    title: ClassVar[str] = "Geometric loss (GLS)"
    summary: ClassVar[str] = "Minimises the geometric mean of the losses, which does not care for their scales."
    citation: ClassVar[str] = (
        "@inproceedings{chennupati2019multinet, title={MultiNet++: Multi-Stream Feature Aggregation and Geometric "
        "Loss Strategy for Multi-Task Learning}, author={Chennupati, Sumanth and Sistu, Ganesh and Yogamani, Senthil "
        "and Rawashdeh, Samir A.}, booktitle={CVPR Workshops}, year={2019}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w = 1, which the first losses replace; see `Method.start`."""
        return fresh_state(ones)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i = L/(n·L_i), the derivative of L = (Π_i L_i)^(1/n) by L_i, over the n present tasks."""
        losses = signal.losses.clamp(min=_SMALLEST)
        mean = signal.mean(losses.log()).exp()
        present = ~losses.isnan()
        used = (mean / (present.sum(-1, keepdim=True) * losses)).where(present, state.weights)
        return Decision(used, {}, used=used)
