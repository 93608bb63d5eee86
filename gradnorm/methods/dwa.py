"""Dynamic weight average (Liu, Johns, Davison: CVPR 2019, arXiv:1803.10704)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state


class DynamicWeightAverage(Method):
    """Weigh a task by how slowly its loss fell between the last two periods."""

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
        description="Softness of the weights; the paper uses 2. High: all equal.",
    )
    period: int = Field(
        50, ge=1, le=1_000_000, title="Period", description="Steps over which a loss is averaged; the paper's epoch."
    )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w = 1, kept for the first two periods; see `Method.start`."""
        return fresh_state(ones, {"sum": ones * 0, "seen": ones * 0, "before": ones * float("nan")})

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i = T·softmax(λ/temperature), λ_i = L_i(period k−1)/L_i(period k−2) (Eq. 7), at each period's end.

        Differs from the paper: an epoch is `period` steps, since batches may never repeat.
        """
        total = state.memory["sum"] + signal.losses.nan_to_num()
        seen = state.memory["seen"] + ~signal.losses.isnan()
        before = state.memory["before"]
        if signal.step % self.period:
            return Decision(state.weights, {"sum": total, "seen": seen, "before": before})
        mean = total / seen  # NaN for a task that was absent throughout
        ratio = mean / before
        fallen = (ratio / self.temperature).softmax(-1) * ratio.shape[-1]
        # Until every task has been seen in two periods there is nothing to compare.
        weights = fallen.where(~ratio.isnan().any(-1, keepdim=True), state.weights)
        kept = mean.where(~mean.isnan(), before)
        return Decision(weights, {"sum": total * 0, "seen": seen * 0, "before": kept})
