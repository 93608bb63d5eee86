"""Random loss weighting (Lin, Ye, Zhang, Tsang: TMLR 2022, arXiv:2111.10603)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.randomness import stream
from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state


class RandomWeights(Method):
    """Draw new weights at every step: w = T·softmax(z), z ~ N(0, I). A baseline that is hard to beat."""

    name: ClassVar[str] = "rlw"
    title: ClassVar[str] = "Random weights (RLW)"
    summary: ClassVar[str] = "Draws the weights anew at every step. A sobering baseline."
    citation: ClassVar[str] = (
        "@article{lin2022reasonable, title={Reasonable Effectiveness of Random Weighting: A Litmus Test for "
        "Multi-Task Learning}, author={Lin, Baijiong and Ye, Feiyang and Zhang, Yu and Tsang, Ivor W.}, "
        "journal={Transactions on Machine Learning Research}, year={2022}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES
    sums_to_tasks: ClassVar[bool] = True

    draw: int = Field(0, ge=0, le=2**31 - 1, title="Draw", description="Seed of the random weights.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w = 1, which the first draw replaces; see `Method.start`."""
        return fresh_state(ones)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return T·softmax(z_t), z_t from a stream of its own for each step.

        Differs from the paper: scaled by T, so that the mean weight is that of equal weights.
        """
        z = stream(self.draw, "random weights", signal.step).standard_normal(state.weights.shape[-1])
        used = (state.weights.new_tensor(z).softmax(0) * len(z)).expand_as(state.weights)
        return Decision(used, {}, used=used)
