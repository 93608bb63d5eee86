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
    """Learn the noise variance σ_i² of each task and weigh its loss by the inverse.

    With s_i = log σ_i² the objective is Σ_i h_i·exp(−s_i)·L_i + s_i/2, where h_i is ½ for a regression (Eq. 7 of
    the paper) and 1 for a classification (Eq. 10). So w_i = h_i·exp(−s_i), and ∂/∂s_i = ½ − w_i·L_i. The weights
    do not sum to T.

    weight_learning_rate: Adam's step size for s, in (0, 1].

    Paper: Kendall, Gal, Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses", CVPR 2018
    (arXiv:1705.07115).
    Differs from the paper: s has an Adam of its own rather than the network's optimizer.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> Balancer(2, UncertaintyWeighting(), kinds=["regression", "classification"]).weights
    tensor([0.5000, 1.0000])
    """

    name: ClassVar[str] = "uncertainty"
    title: ClassVar[str] = "Uncertainty weighting"
    summary: ClassVar[str] = "Learns a noise variance for each task and weighs its loss by the inverse."
    citation: ClassVar[str] = (
        "@inproceedings{kendall2018multi, title={Multi-Task Learning Using Uncertainty to Weigh Losses "
        "for Scene Geometry and Semantics}, author={Kendall, Alex and Gal, Yarin and Cipolla, Roberto}, "
        "booktitle={CVPR}, year={2018}}"
    )
    needs: ClassVar[Needs] = Needs.LOSSES

    weight_learning_rate: float = step_size(0.01, "Adam's step size for the log variances s_i.")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return s_i = 0 and w_i = h_i, which `kinds` decides; arguments as in `Method.start`."""
        half = ones.clone()
        for i, kind in enumerate(kinds):
            half[i] = 0.5 if kind == "regression" else 1.0
        state = fresh_state(ones, {"log_variance": ones * 0, "half": half, **adam_memory(ones)})
        return State(half.clone(), state.initial_losses, state.memory)

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return w_i(t+1) = h_i·exp(−s_i) after one step of Adam on s; arguments as in `Method.decide`."""
        s, half = state.memory["log_variance"], state.memory["half"]
        step, memory = adam_step(state.memory, 0.5 - state.weights * signal.losses, self.weight_learning_rate)
        moved = s + step
        weights = keep_absent(half * (-moved).exp(), state.weights, signal.losses)
        return Decision(weights, {**memory, "log_variance": moved, "half": half})
