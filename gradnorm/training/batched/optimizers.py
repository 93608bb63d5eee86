"""The optimizers of N runs whose parameters lie in one flat tensor: torch's SGD with momentum and Adam, to the letter.

A learning rate is a run's own, and so is its state, in the form of `torch.optim`. torch's own classes know one tensor,
one rate; to use them would also import its compiler, two seconds before a first step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gradnorm.methods.adam import BETA1, BETA2, EPS
from gradnorm.training.batched.stack import Stack

MOMENTUM = 0.9

# Of one run: by the place of each parameter in the network, the tensors that its optimizer keeps, by torch's names.
OptimizerState = Mapping[int, Mapping[str, Tensor]]


class BatchedOptimizer(ABC):
    """Moves a stack's parameters; `decay` is what `Stack.backward` is to keep of the gradients before.

    stack: of N runs.  states: theirs; empty before a first step.
    """

    decay: float

    def __init__(self, stack: Stack, states: Sequence[OptimizerState]) -> None:
        self._layout, self._parameters, self._gradients = stack.layout, stack.parameters, stack.gradients
        self._kept = self._allocate(states[0])
        for run, state in enumerate(states):
            for name, flat in self._kept.items():
                for place, view in enumerate(self._layout.of_run(flat, run)):
                    if place in state:
                        view.copy_(state[place][name])

    @abstractmethod
    def _allocate(self, state: OptimizerState) -> Mapping[str, Tensor]:
        """Return the flat tensors of the state by torch's names, all 0; `state` is the first run's."""

    @abstractmethod
    def step(self, learning_rates: Sequence[float]) -> None:
        """Move all parameters along the gradients; one learning rate a run."""

    def shrink(self, factors: Sequence[float]) -> None:
        """Multiply all parameters of each run by its factor, as weight decay does; 1 changes nothing."""
        if len(set(factors)) == 1:
            if factors[0] != 1:
                self._parameters.mul_(factors[0])
            return
        by = self._parameters.new_tensor(factors)[:, None, None]
        for parameter in self._layout.parts(self._parameters):
            parameter.mul_(by)

    def state_of(self, run: int) -> OptimizerState:
        """Return one run's state, as views."""
        views = {name: self._layout.of_run(flat, run) for name, flat in self._kept.items()}
        places = range(len(self._layout.of_run(self._parameters, run)))
        return {place: {name: views[name][place] for name in views} for place in places}

    def _move(self, by: Tensor, learning_rates: Sequence[float]) -> None:
        """Subtract rate × `by`, which is laid out as the parameters are."""
        if len(set(learning_rates)) == 1:
            self._parameters.add_(by, alpha=-learning_rates[0])
            return
        rates = by.new_tensor(learning_rates)[:, None, None]
        for parameter, part in zip(self._layout.parts(self._parameters), self._layout.parts(by), strict=True):
            parameter.sub_(part * rates)


class Momentum(BatchedOptimizer):
    """SGD with momentum 0.9: the gradients, kept with decay 0.9, are the velocity."""

    decay = MOMENTUM

    def _allocate(self, state: OptimizerState) -> Mapping[str, Tensor]:
        return {"momentum_buffer": self._gradients}

    def step(self, learning_rates: Sequence[float]) -> None:
        """See `BatchedOptimizer.step`."""
        self._move(self._gradients, learning_rates)


class Adam(BatchedOptimizer):
    """Adam (Kingma and Ba, 2015, Algorithm 1) with torch's defaults."""

    decay = 0.0

    def _allocate(self, state: OptimizerState) -> Mapping[str, Tensor]:
        self._mean, self._square = torch.zeros_like(self._parameters), torch.zeros_like(self._parameters)
        self._taken = steps_of(state)
        return {"exp_avg": self._mean, "exp_avg_sq": self._square}

    def step(self, learning_rates: Sequence[float]) -> None:
        """See `BatchedOptimizer.step`."""
        self._taken += 1
        self._mean.lerp_(self._gradients, 1 - BETA1)
        self._square.mul_(BETA2).addcmul_(self._gradients, self._gradients, value=1 - BETA2)
        unbiased = (1 - BETA2**self._taken) ** 0.5
        by = self._mean / (self._square.sqrt().div_(unbiased).add_(EPS))
        self._move(by, [rate / (1 - BETA1**self._taken) for rate in learning_rates])

    def state_of(self, run: int) -> OptimizerState:
        """See `BatchedOptimizer.state_of`."""
        step = torch.tensor(float(self._taken))
        return {place: {"step": step, **own} for place, own in super().state_of(run).items()}


def batched_optimizer(kind: str, stack: Stack, states: Sequence[OptimizerState]) -> BatchedOptimizer:
    """Return the optimizer of runs that have one kind, "sgd" or "adam", and are at the same step."""
    return (Momentum if kind == "sgd" else Adam)(stack, states)


def steps_of(state: OptimizerState) -> int:
    """Return how many steps an optimizer that counts them has taken; 0 for one that does not."""
    return int(state[0]["step"]) if state and "step" in state[0] else 0
