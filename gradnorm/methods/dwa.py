"""Dynamic weight average (Liu, Johns, Davison: CVPR 2019, arXiv:1803.10704)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, renormalize

# The smallest normal number in single precision, and a ratio whose softmax is already that of one task alone.
_TINY, _HIGHEST = 1.1754944e-38, 1e6


class DynamicWeightAverage(Method):
    """Weigh a task by how slowly its loss fell between the last two periods.

    At the end of period k: w_i = T·exp(λ_i/τ) / Σ_j exp(λ_j/τ), λ_i = L_i(k)/L_i(k−1) (Eq. 7 of the paper),
    where L_i(k) is the mean loss of period k. Until two periods are over all weights are 1.

    temperature: τ in (0, 100]. The higher it is, the more equal the weights.
    period: how many steps a loss is averaged over, in [1, 1,000,000].

    Paper: Liu, Johns, Davison, "End-to-End Multi-Task Learning with Attention", CVPR 2019 (arXiv:1803.10704).
    Differs from the paper: its epoch is `period` steps here, since batches need never repeat.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, DynamicWeightAverage(period=1))
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> for factors in [(4, 4), (2, 4)]:  # the first loss halves, the second stays: λ = (½, 1)
    ...     balance = balancer.backward([(f * shared).sum() for f in factors], shared=shared)
    >>> balancer.weights
    tensor([0.8756, 1.1244])
    """

    name: ClassVar[str] = "dwa"
    title: ClassVar[str] = "Dynamic weight average (DWA)"
    summary: ClassVar[str] = "Raises the weight of tasks whose loss fell least over the last two periods."
    citation: ClassVar[str] = (
        "@inproceedings{liu2019end, title={End-to-End Multi-Task Learning with Attention}, author={Liu, Shikun and "
        "Johns, Edward and Davison, Andrew J.}, booktitle={CVPR}, year={2019}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES
    sums_to_tasks: ClassVar[bool] = True

    temperature: float = Field(
        2.0,
        gt=0,
        le=100,
        title="Temperature",
        description="The higher it is, the more equal the weights. The paper uses 2.",
    )
    period: int = Field(
        50,
        ge=1,
        le=1_000_000,
        title="Period",
        description="Steps over which a loss is averaged; an epoch in the paper.",
    )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1, kept for the first two periods; arguments as in `Method.start`."""
        return fresh_state(ones, {"sum": ones * 0, "seen": ones * 0, "before": ones * float("nan")})

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return new weights at the end of each period (Eq. 7), else the same; arguments as in `Method.decide`."""
        total = state.memory["sum"] + signal.losses.nan_to_num()
        seen = state.memory["seen"] + ~signal.losses.isnan()
        before = state.memory["before"]
        if signal.step % self.period:
            return Decision(state.weights, {"sum": total, "seen": seen, "before": before})
        mean = total / seen  # NaN for a task that was absent from the whole period
        # A loss that was 0 in both periods has not changed. From 0 upwards the ratio is as high as it can be.
        ratio = ((mean + _TINY) / (before + _TINY)).clamp(max=_HIGHEST)
        softmax = renormalize((ratio / self.temperature).softmax(-1), state.weights, replace(signal, losses=ratio))
        # The weights stay until every task has been seen in two periods.
        weights = softmax.where(~ratio.isnan().any(-1, keepdim=True), state.weights)
        kept = mean.where(~mean.isnan(), before)
        return Decision(weights, {"sum": total * 0, "seen": seen * 0, "before": kept})
