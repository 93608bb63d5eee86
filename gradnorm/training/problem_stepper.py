"""One run of a problem, stepped by autograd: the problem itself computes the losses."""

from __future__ import annotations

from torch import Tensor

from gradnorm.datasets.base import Batch
from gradnorm.datasets.problems.base import Problem
from gradnorm.models.hidden import last_hidden, outputs_of
from gradnorm.training.autograd_stepper import AutogradStepper, Graph
from gradnorm.training.run import Run, to_device


class ProblemStepper(AutogradStepper):
    """An `AutogradStepper` for a network without heads. Its W is what the problem's `measured_at` says."""

    def __init__(self, run: Run, problem: Problem) -> None:
        super().__init__(run)
        self._problem = problem
        self._trunk = tuple(run.model.parameters())

    def _graph(self, made: Batch, step: int) -> Graph:
        model, points = self._run.model, to_device(made, self._run.device).inputs
        measured_at = self._problem.measured_at
        if measured_at == "activation":
            with outputs_of(last_hidden(model)) as outputs:
                losses = list(self._problem.losses(model, points))
            # One tensor in which all terms meet takes one backward pass; of several each term has its own.
            return Graph(losses, _some(outputs), outputs[0] if len(outputs) == 1 else None, self._trunk)
        shared = self._trunk if measured_at == "all" else tuple(last_hidden(model).parameters())
        return Graph(list(self._problem.losses(model, points)), shared, None, self._trunk)


def _some(outputs: list[Tensor]) -> list[Tensor]:
    if not outputs:
        raise ValueError(
            "The last shared layer should be called as a module, for measured_at=activation. Found no call of it. "
            "Give the network an attribute last_shared_layer that its forward pass calls, or measure at last or all."
        )
    return outputs


def stepper_of(run: Run) -> AutogradStepper:
    """Return what steps a run by itself."""
    return AutogradStepper(run) if run.problem is None else ProblemStepper(run, run.problem)
