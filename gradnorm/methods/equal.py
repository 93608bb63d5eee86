"""Equal weights: the sum of the losses as they are (Caruana 1997)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state


class EqualWeights(Method):
    """Weigh every task alike: w_i(t) = 1, the baseline of the GradNorm paper.

    Paper: Caruana, "Multitask Learning", Machine Learning 28, 1997.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> Balancer(3, EqualWeights()).weights
    tensor([1., 1., 1.])
    """

    name: ClassVar[str] = "equal"
    title: ClassVar[str] = "Equal weights"
    summary: ClassVar[str] = "Every weight stays 1. The baseline."
    citation: ClassVar[str] = (
        "@article{caruana1997multitask, title={Multitask Learning}, author={Caruana, Rich}, "
        "journal={Machine Learning}, volume={28}, pages={41--75}, year={1997}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES
    sums_to_tasks: ClassVar[bool] = True

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1 for each of T tasks; arguments as in `Method.start`."""
        return fresh_state(ones)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the weights of `state` again; arguments as in `Method.decide`."""
        return Decision(state.weights, {})
