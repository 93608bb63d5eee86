"""FAMO, fast adaptive multitask optimization (Liu, Feng, Stone, Liu: NeurIPS 2023, arXiv:2306.03792)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.adam import adam_memory, adam_step
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, step_size

# Smaller losses count as this much, since their logarithm is taken.
_SMALLEST = 1e-8


class FastAdaptive(Method):
    """Lower the logarithms of all losses at an equal rate, from the losses alone.

    w_i = c·z_i/L_i with z = softmax(ξ) and c = 1/Σ_j z_j/L_j (Algorithm 1 of the paper). Adam moves the logits ξ
    along z_i(δ_i − Σ_j z_j δ_j) + γ ξ_i, where δ_i = log L_i(t−1) − log L_i(t).

    weight_learning_rate: Adam's step size for ξ, in (0, 1]; the paper uses 0.025.
    decay: γ in [0, 1], the weight decay of the logits.

    Paper: Liu, Feng, Stone, Liu, "FAMO", NeurIPS 2023 (arXiv:2306.03792).
    Differs from the paper: L_i(t) is the loss of the next batch. The paper computes the loss of the same batch
    again after the update, which costs a second forward pass.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> shared = torch.nn.Parameter(torch.tensor([2.0, 8.0]))
    >>> Balancer(2, FastAdaptive()).backward(1 * shared, shared=shared).weights  # z = (½, ½), c = 3.2
    tensor([0.8000, 0.2000])
    """

    name: ClassVar[str] = "famo"
    title: ClassVar[str] = "FAMO"
    summary: ClassVar[str] = "Lowers the logs of all losses at an equal rate, from the losses alone."
    citation: ClassVar[str] = (
        "@inproceedings{liu2023famo, title={FAMO: Fast Adaptive Multitask Optimization}, author={Liu, Bo and Feng, "
        "Yihao and Stone, Peter and Liu, Qiang}, booktitle={NeurIPS}, year={2023}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    weight_learning_rate: float = step_size(0.025, "Adam's step size for the logits ξ_i. The paper uses 0.025.")
    decay: float = Field(0.001, ge=0, le=1, title="Decay γ", description="How strongly the logits are pulled to 0.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return ξ_i = 0 and w_i = 1; arguments as in `Method.start`."""
        memory = {"logit": ones * 0, "log_loss": ones * float("nan"), **adam_memory(ones)}
        return fresh_state(ones, memory)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Move ξ, then return w_i(t) = c·z_i/L_i over the tasks that are present, as the weights used.

        Arguments as in `Method.decide`.
        """
        losses = signal.losses.clamp(min=_SMALLEST)
        logit, log_loss = state.memory["logit"], losses.log()
        fall = state.memory["log_loss"] - log_loss  # NaN without an earlier loss: then there is no step
        z = logit.masked_fill(fall.isnan(), -float("inf")).softmax(-1)
        gradient = z * (fall - (z * fall).nansum(-1, keepdim=True)) + self.decay * logit
        step, memory = adam_step(state.memory, gradient.where(~fall.isnan(), fall), self.weight_learning_rate)
        logit = logit + step
        present = ~losses.isnan()
        share = logit.masked_fill(~present, -float("inf")).softmax(-1) / losses
        used = (share / share.nansum(-1, keepdim=True)).where(present, state.weights)
        kept = log_loss.where(present, state.memory["log_loss"])
        return Decision(used, {**memory, "logit": logit, "log_loss": kept}, used=used)
