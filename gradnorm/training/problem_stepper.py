"""One run of a problem, stepped by autograd: the problem itself computes the losses."""

from __future__ import annotations

from gradnorm.datasets.base import Batch
from gradnorm.datasets.problems.base import Problem
from gradnorm.models.hidden import last_hidden
from gradnorm.training.autograd_stepper import AutogradStepper, Graph
from gradnorm.training.run import Run, to_device


class ProblemStepper(AutogradStepper):
    """An `AutogradStepper` for a network without heads: W is its last hidden layer, or all of its parameters."""

    def __init__(self, run: Run, problem: Problem) -> None:
        super().__init__(run)
        self._problem = problem
        everything = tuple(run.model.parameters())
        self._trunk = everything
        self._shared = everything if problem.measured_at == "all" else tuple(last_hidden(run.model).parameters())

    def _graph(self, made: Batch, step: int) -> Graph:
        points = to_device(made, self._run.device).inputs
        return Graph(list(self._problem.losses(self._run.model, points)), self._shared, None, self._trunk)


def stepper_of(run: Run) -> AutogradStepper:
    """Return what steps a run by itself."""
    return AutogradStepper(run) if run.problem is None else ProblemStepper(run, run.problem)
