"""FAMO, fast adaptive multitask optimization (Liu, Feng, Stone, Liu: NeurIPS 2023, arXiv:2306.03792)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.adam import adam_memory, adam_step
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state, step_size

# Below this a loss counts as this much, since its logarithm is taken.
_SMALLEST = 1e-8


class FastAdaptive(Method):
    """Lower all log losses at an equal rate, told from the losses alone."""

    name: ClassVar[str] = "famo"
    title: ClassVar[str] = "FAMO"
    summary: ClassVar[str] = "Lowers the logs of all losses at an equal rate, from the losses alone."
    citation: ClassVar[str] = (
        "@inproceedings{liu2023famo, title={FAMO: Fast Adaptive Multitask Optimization}, author={Liu, Bo and Feng, "
        "Yihao and Stone, Peter and Liu, Qiang}, booktitle={NeurIPS}, year={2023}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    weight_learning_rate: float = step_size(0.025, "Adam's step size for the logits ξ_i. The paper uses 0.025.")
    decay: float = Field(0.001, ge=0, le=1, title="Decay γ", description="Pulls the logits back to 0, all tasks alike.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return ξ_i = 0; see `Method.start`."""
        memory = {"logit": ones * 0, "log_loss": ones * float("nan"), **adam_memory(ones)}
        return fresh_state(ones, memory)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i = c·z_i/L_i with z = softmax(ξ) and c = 1/Σ_j z_j/L_j (Algorithm 1), over the present tasks.

        ξ moves by Adam along z_i(δ_i − Σ_j z_j δ_j) + γ ξ_i, where δ_i = log L_i(t−1) − log L_i(t).
        Differs from the paper: L_i(t) is of the next batch, not of the last one once more, which would cost
        a second forward pass.
        """
        losses = signal.losses.clamp(min=_SMALLEST)
        logit, log_loss = state.memory["logit"], losses.log()
        fall = state.memory["log_loss"] - log_loss  # NaN where there is no earlier loss: no step then
        z = logit.masked_fill(fall.isnan(), -float("inf")).softmax(-1)
        slope = z * (fall - (z * fall).nansum(-1, keepdim=True)) + self.decay * logit
        step, memory = adam_step(state.memory, slope.where(~fall.isnan(), fall), self.weight_learning_rate)
        logit = logit + step
        present = ~losses.isnan()
        share = logit.masked_fill(~present, -float("inf")).softmax(-1) / losses
        used = (share / share.nansum(-1, keepdim=True)).where(present, state.weights)
        kept = log_loss.where(present, state.memory["log_loss"])
        return Decision(used, {**memory, "logit": logit, "log_loss": kept}, used=used)
