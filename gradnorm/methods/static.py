"""Static weights: given once, kept throughout. With a run's mean weights it is the paper's GradNorm Static."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field, field_validator

from gradnorm.common.declarations import numbers
from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state
from gradnorm.methods.gradnorm import GradNormMethod


class StaticWeights(Method):
    """w_i as given, scaled to sum to T (Chen et al. 2018, section 5.4: "GradNorm Static" fixes E_t[w_i(t)])."""

    name: ClassVar[str] = "static"
    title: ClassVar[str] = "Static weights"
    summary: ClassVar[str] = "Keeps the weights that you give, as from a grid search or a GradNorm run's mean."
    citation: ClassVar[str] = GradNormMethod.citation
    needs: ClassVar[Needs] = Needs.LOSSES
    sums_to_tasks: ClassVar[bool] = True

    weights: tuple[float, ...] = Field(
        (),
        title="Weights w",
        description="One positive number a task, as in 1,3; they are scaled to sum to T. Left out: all equal.",
    )

    @field_validator("weights", mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        return numbers(given, "weights")

    @field_validator("weights")
    @classmethod
    def _positive(cls, given: tuple[float, ...]) -> tuple[float, ...]:
        wrong = [w for w in given if not 1e-8 <= w <= 1e8]
        if wrong:
            raise ValueError(f"weights should be in [1e-8, 1e8]. Found {wrong[0]:g}. Choose a weight > 0")
        return given

    def check(self, tasks: int) -> None:
        """Raise ValueError for a wrong number of weights."""
        if self.weights and len(self.weights) != tasks:
            raise ValueError(
                f"weights should have one value for each of the {tasks} tasks. Found {len(self.weights)}. "
                "Give as many as tasks, or leave them out"
            )

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return the given weights, scaled to sum to T; see `Method.start`. Raises ValueError for a wrong number."""
        self.check(len(ones))
        state = fresh_state(ones)
        total = sum(self.weights)
        for i, weight in enumerate(self.weights):
            state.weights[i] = weight * len(ones) / total
        return state

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the same weights."""
        return Decision(state.weights, {})
