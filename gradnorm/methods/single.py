"""One task trained alone: the reference in tables of multi-task results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from gradnorm.common.shapes import PerTask
from gradnorm.methods.base import Decision, Kind, Method, Needs, Signal, State, fresh_state
from gradnorm.methods.equal import EqualWeights


class SingleTask(Method):
    """Train one task alone: w_i(t) = 1 for this task and 0 for all others.

    Its results say what sharing a network costs or brings a task. The other tasks are still measured.

    task: the task's number, in [1, T].

    >>> import torch
    >>> from gradnorm import Balancer
    >>> Balancer(3, SingleTask(task=2)).weights
    tensor([0., 1., 0.])
    """

    name: ClassVar[str] = "single"
    title: ClassVar[str] = "Single task"
    summary: ClassVar[str] = "Trains one task alone, to see what sharing costs or brings."
    citation: ClassVar[str] = EqualWeights.citation
    needs: ClassVar[Needs] = Needs.LOSSES
    positive: ClassVar[bool] = False

    task: int = Field(1, ge=1, le=1024, title="Task", description="Number of the task that is trained, from 1.")

    def check(self, tasks: int) -> None:
        """Raise ValueError if `task` is greater than the number of tasks T."""
        if self.task > tasks:
            raise ValueError(f"task should be in [1, {tasks}]. Found {self.task}. Choose one of the tasks")

    def trained(self, tasks: int) -> Sequence[int]:
        """Return the task that is trained; arguments as in `Method.trained`."""
        return [self.task - 1]

    def start(self, ones: PerTask, kinds: Sequence[Kind]) -> State:
        """Return 1 for the task that is trained and 0 for the others; arguments as in `Method.start`.

        Raises ValueError if `task` is greater than T.
        """
        self.check(len(ones))
        state = fresh_state(ones * 0)
        state.weights[self.task - 1] = 1
        return state

    def decide(self, state: State, signal: Signal, relative_rates: PerTask) -> Decision:
        """Return the weights of `state` again; arguments as in `Method.decide`."""
        return Decision(state.weights, {})
