"""SoftAdapt (Heydari, Thompson, Mehmood 2019, arXiv:1912.12355)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, renormalize

# The smallest normal number in single precision.
_TINY = 1.1754944e-38


class SoftAdapt(Method):
    """Weigh a task by how its loss changes: w = T·softmax(β·s), s_i = L_i(t) − L_i(t−1).

    A loss that rises, or falls slower than the others, gets more. The weights apply to this very step. A task
    without an earlier loss has s_i = 0.

    sharpness: β in [-100, 100]. 0 makes all weights equal; below 0 the task that falls fastest gets most.
    variant: "original" as above; "normalized" takes s_i/Σ_j |s_j| in place of s_i; "loss-weighted" multiplies
        exp(β·s_i) by the mean of L_i(t) and L_i(t−1).

    Paper: Heydari, Thompson, Mehmood, "SoftAdapt: Techniques for Adaptive Loss Weighting of Neural Networks with
    Multi-Part Loss Functions", 2019 (arXiv:1912.12355), with β = 0.1.
    Differs from the paper: the weights sum to T and not to 1, so that they are 1 where all losses change alike. The
    slope is that of the last two steps; the paper allows for differences of higher order.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> balancer = Balancer(2, SoftAdapt(sharpness=1))
    >>> shared = torch.nn.Parameter(torch.ones(1))
    >>> for factors in [(4, 4), (3, 4)]:  # s = (−1, 0)
    ...     balance = balancer.backward([(f * shared).sum() for f in factors], shared=shared)
    >>> balance.weights
    tensor([0.5379, 1.4621])
    """

    name: ClassVar[str] = "softadapt"
    title: ClassVar[str] = "SoftAdapt"
    summary: ClassVar[str] = "Raises the weight of tasks whose loss falls slower than the others from step to step."
    citation: ClassVar[str] = (
        "@article{heydari2019softadapt, title={SoftAdapt: Techniques for Adaptive Loss Weighting of Neural Networks "
        "with Multi-Part Loss Functions}, author={Heydari, A. Ali and Thompson, Craig A. and Mehmood, Asif}, "
        "journal={arXiv:1912.12355}, year={2019}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES
    sums_to_tasks: ClassVar[bool] = True

    sharpness: float = Field(
        0.1,
        ge=-100,
        le=100,
        title="Sharpness β",
        description="How strongly the slopes of the losses count. 0 makes all weights equal. The paper uses 0.1.",
        json_schema_extra={"live": True},
    )
    variant: Literal["original", "normalized", "loss-weighted"] = Field(
        "original",
        title="Variant",
        description="original: slopes. normalized: slopes by the sum of their sizes. loss-weighted: times the losses.",
    )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return w_i = 1; arguments as in `Method.start`."""
        return fresh_state(ones, {"before": ones * float("nan")})

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w(t) = T·softmax(β·s) as the weights used; arguments as in `Method.decide`."""
        losses, before = signal.losses, state.memory["before"]
        present, known = ~losses.isnan(), ~before.isnan()
        slopes = (losses - before).nan_to_num()
        if self.variant == "normalized":
            # In units of the largest, since the sum of large slopes would be infinite in single precision.
            slopes = slopes / (slopes.abs().amax(-1, keepdim=True) + _TINY)
            slopes = slopes / (slopes.abs().sum(-1, keepdim=True) + _TINY)
        logits = self.sharpness * slopes
        if self.variant == "loss-weighted":
            mean = losses / 2 + before.where(known, losses) / 2
            logits = logits + (mean + _TINY).log()
        softmax = logits.masked_fill(~present, -float("inf")).softmax(-1)
        used = renormalize(softmax, state.weights, signal)
        return Decision(used, {"before": losses.where(present, before)}, used=used)
