"""Random loss weighting (Lin, Ye, Zhang, Tsang: TMLR 2022, arXiv:2111.10603)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from gradnorm.common.randomness import stream
from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state


class RandomWeights(Method):
    """Draw new weights at every step: w(t) = T·softmax(z), z ~ N(0, I).

    A baseline that is hard to beat.

    draw: in [0, 2³¹ − 1]. Runs of one seed that differ in it draw different weights.

    Paper: Lin, Ye, Zhang, Tsang, "Reasonable Effectiveness of Random Weighting", TMLR 2022 (arXiv:2111.10603),
    with normally distributed z.
    Differs from the paper: the weights are scaled by T, so that their mean is 1 as that of equal weights.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.ones(3))
    >>> balance = Balancer(3, RandomWeights()).backward(shared.square(), shared=shared)
    >>> round(balance.weights.sum().item(), 4)
    3.0
    """

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

    draw: int = Field(0, ge=0, le=2**31 - 1, title="Draw", description="Draws other weights with the same seed.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1, which the first draw replaces; arguments as in `Method.start`."""
        return fresh_state(ones)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t) = T·softmax(z_t) as the weights used; arguments as in `Method.decide`.

        Each step has a random stream of its own, so that a resumed run draws the same weights.
        """
        tasks = state.weights.shape[-1]
        seeds = [signal.seed] if isinstance(signal.seed, int) else signal.seed
        each = [stream(seed, "random weights", self.draw, signal.step).standard_normal(tasks) for seed in seeds]
        z = np.array(each[0] if isinstance(signal.seed, int) else each)
        used = (state.weights.new_tensor(z).softmax(-1) * tasks).expand_as(state.weights)
        return Decision(used, {}, used=used)
