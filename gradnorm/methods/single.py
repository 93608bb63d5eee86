"""A single task, the others left out: the yardstick of multi-task tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state
from gradnorm.methods.equal import EqualWeights


class SingleTask(Method):
    """w = 1 for one task and 0 for the others, so that the network learns this task alone."""

    name: ClassVar[str] = "single"
    title: ClassVar[str] = "Single task"
    summary: ClassVar[str] = "Trains one task alone, as a yardstick for what sharing costs or brings."
    citation: ClassVar[str] = EqualWeights.citation
    needs: ClassVar[Needs] = Needs.LOSSES
    positive: ClassVar[bool] = False

    task: int = Field(1, ge=1, le=1024, title="Task", description="Number of the task that is trained, from 1.")

    def check(self, tasks: int) -> None:
        """Raise ValueError for a number beyond T."""
        if self.task > tasks:
            raise ValueError(f"task should be in [1, {tasks}]. Found {self.task}. Choose one of the tasks")

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return the weights of the one task; see `Method.start`. Raises ValueError for a number beyond T."""
        self.check(len(ones))
        state = fresh_state(ones * 0)
        state.weights[self.task - 1] = 1
        return state

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the same weights."""
        return Decision(state.weights, {})
