"""Static weights: chosen by a person, before training or by hand while it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, field_validator

from gradnorm.common.declarations import numbers
from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state
from gradnorm.methods.gradnorm import GradNormMethod


class StaticWeights(Method):
    """Keep the weights v that you choose: w_i = T·v_i / Σ_j v_j at every step, until you choose others.

    With the mean weights E_t[w_i(t)] of a GradNorm run this is "GradNorm Static" of the GradNorm paper.

    weights: T numbers in [1e-8, 1e8], as a tuple or a text such as "1,3"; left out, all are equal.
    Raises ValueError for a weight out of range, and at the start for a wrong number of weights.

    Paper: Chen, Badrinarayanan, Lee, Rabinovich, "GradNorm", ICML 2018 (arXiv:1711.02257), section 5.4.

    >>> import torch
    >>> from gradnorm import Balancer
    >>> Balancer(2, StaticWeights(weights=(1, 3))).weights
    tensor([0.5000, 1.5000])
    """

    name: ClassVar[str] = "static"
    title: ClassVar[str] = "Static weights"
    summary: ClassVar[str] = "Keeps the weights that you choose, say from a grid search or the mean of a GradNorm run."
    citation: ClassVar[str] = GradNormMethod.citation
    needs: ClassVar[Needs] = Needs.LOSSES
    sums_to_tasks: ClassVar[bool] = True

    weights: tuple[float, ...] = Field(
        (),
        title="Weights w",
        description="One positive number for each task, as in 1,3. They are scaled to sum to T. Left out: all equal.",
        json_schema_extra={"live": True},
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _parse_weights(cls, value: Any) -> Any:
        return numbers(value, "weights")

    @field_validator("weights")
    @classmethod
    def _check_range(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        wrong = [w for w in weights if not 1e-8 <= w <= 1e8]
        if wrong:
            raise ValueError(f"weights should be in [1e-8, 1e8]. Found {wrong[0]:g}. Choose a weight > 0")
        return weights

    def check(self, tasks: int) -> None:
        """Raise ValueError unless there is one weight for each of the T tasks, or none at all."""
        if self.weights and len(self.weights) != tasks:
            raise ValueError(
                f"weights should have one value for each of the {tasks} tasks. Found {len(self.weights)}. "
                "Give as many as tasks, or leave them out"
            )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return the chosen weights, scaled to sum to T; arguments as in `Method.start`.

        Raises ValueError for a wrong number of weights.
        """
        self.check(len(ones))
        return replace(fresh_state(ones), weights=self._chosen(ones))

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the chosen weights, those of this step as well; arguments as in `Method.decide`."""
        chosen = self._chosen(state.weights)
        return Decision(chosen, {}, used=chosen)

    def _chosen(self, like: PerTask) -> PerTask:
        """Return the weights, scaled to sum to T; those of `like`, shape [T], where none are chosen."""
        total = sum(self.weights)
        scaled = [weight * len(self.weights) / total for weight in self.weights]
        return like.new_tensor(scaled).expand_as(like) if scaled else like.clone()
