"""Uncertainty weighting (Kendall, Gal, Cipolla: CVPR 2018, arXiv:1705.07115)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from gradnorm.common.shapes import PerTask
from gradnorm.methods.adam import adam_memory, adam_step
from gradnorm.methods.base import (
    Decision,
    Kind,
    Method,
    Needs,
    Signal,
    State,
    fresh_state,
    keep_absent,
    step_size,
)


class UncertaintyWeighting(Method):
    """Learn each task's noise level; a noisy task counts less. Weights do not sum to T."""

    name: ClassVar[str] = "uncertainty"
    title: ClassVar[str] = "Uncertainty weighting"
    summary: ClassVar[str] = "Learns a noise level per task and weighs each loss by its inverse."
    citation: ClassVar[str] = (
        "@inproceedings{kendall2018multi, title={Multi-Task Learning Using Uncertainty to Weigh Losses "
        "for Scene Geometry and Semantics}, author={Kendall, Alex and Gal, Yarin and Cipolla, Roberto}, "
        "booktitle={CVPR}, year={2018}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    weight_learning_rate: float = step_size(0.01, "Adam's step size for the log variances s_i.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return s_i = 0; see `Method.start`. `kinds` decides each task's form of the loss."""
        half = ones.clone()
        for i, kind in enumerate(kinds):
            half[i] = 0.5 if kind == "regression" else 1.0
        state = fresh_state(ones, {"log_variance": ones * 0, "half": half, **adam_memory(ones)})
        return State(half.clone(), state.initial_losses, state.memory)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i = h_i·exp(−s_i) after one Adam step on s_i.

        With s_i = log σ_i² the objective is Σ_i h_i·exp(−s_i)·L_i + s_i/2, h_i = ½ for regression
        (Eq. 7 of the paper) and 1 for classification (Eq. 10), so ∂/∂s_i = ½ − w_i·L_i.
        """
        s, half = state.memory["log_variance"], state.memory["half"]
        step, memory = adam_step(state.memory, 0.5 - state.weights * signal.losses, self.weight_learning_rate)
        moved = s + step
        weights = keep_absent(half * (-moved).exp(), state.weights, signal.losses)
        return Decision(weights, {**memory, "log_variance": moved, "half": half})
