"""The optimizers of N runs whose parameters lie in one flat tensor: torch's SGD with momentum and Adam, to the letter.

A learning rate is a run's own. Each run also has a torch optimizer, whose state becomes a set of views, so that its
`state_dict` is what a run by itself would save.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gradnorm.models.stack import Stack

MOMENTUM = 0.9
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


class FlatOptimizer(ABC):
    """Moves a stack's parameters; `decay` is what `Stack.backward` is to keep of the gradients before.

    stack: of N runs.  optimizers: theirs, whose states, if any, are taken over.
    """

    decay: float
    # torch's names for the state, by which tensor of this class holds it.
    _names: Mapping[str, str]

    def __init__(self, stack: Stack, optimizers: Sequence[torch.optim.Optimizer]) -> None:
        self._layout, self._parameters, self._gradients = stack.layout, stack.parameters, stack.gradients
        self._optimizers = optimizers
        self._allocate()
        for run, optimizer in enumerate(optimizers):
            for name, attribute in self._names.items():
                views = self._layout.of_run(getattr(self, attribute), run)
                for parameter, view in zip(optimizer.param_groups[0]["params"], views, strict=True):
                    state = optimizer.state[parameter]
                    if name in state:
                        view.copy_(state[name])
                    state[name] = view

    @abstractmethod
    def _allocate(self) -> None:
        """Make the flat tensors that `_names` speaks of."""

    @abstractmethod
    def step(self, learning_rates: Sequence[float]) -> None:
        """Move all parameters along the gradients; one learning rate a run."""

    @abstractmethod
    def settle(self) -> None:
        """Bring the runs' own optimizers up to date."""

    def _move(self, by: Tensor, learning_rates: Sequence[float]) -> None:
        """Subtract rate × `by`, which is laid out as the parameters are."""
        if len(set(learning_rates)) == 1:
            self._parameters.add_(by, alpha=-learning_rates[0])
            return
        rates = by.new_tensor(learning_rates)[:, None, None]
        for parameter, part in zip(self._layout.parts(self._parameters), self._layout.parts(by), strict=True):
            parameter.sub_(part * rates)


class Momentum(FlatOptimizer):
    """SGD with momentum 0.9: the gradients, kept with decay 0.9, are the velocity."""

    decay = MOMENTUM
    _names: Mapping[str, str] = {"momentum_buffer": "_gradients"}

    def _allocate(self) -> None:
        return

    def step(self, learning_rates: Sequence[float]) -> None:
        """See `FlatOptimizer.step`."""
        self._move(self._gradients, learning_rates)

    def settle(self) -> None:
        """Nothing: the views are all there is."""


class Adam(FlatOptimizer):
    """Adam (Kingma and Ba, 2015, Algorithm 1) with torch's defaults."""

    decay = 0.0
    _names: Mapping[str, str] = {"exp_avg": "_mean", "exp_avg_sq": "_square"}

    def _allocate(self) -> None:
        self._mean, self._square = torch.zeros_like(self._parameters), torch.zeros_like(self._parameters)
        self._taken = steps_of(self._optimizers[0])

    def step(self, learning_rates: Sequence[float]) -> None:
        """See `FlatOptimizer.step`."""
        self._taken += 1
        self._mean.lerp_(self._gradients, 1 - BETA1)
        self._square.mul_(BETA2).addcmul_(self._gradients, self._gradients, value=1 - BETA2)
        unbiased = (1 - BETA2**self._taken) ** 0.5
        by = self._mean / (self._square.sqrt().div_(unbiased).add_(EPS))
        self._move(by, [rate / (1 - BETA1**self._taken) for rate in learning_rates])

    def settle(self) -> None:
        """See `FlatOptimizer.settle`."""
        for optimizer in self._optimizers:
            for state in optimizer.state.values():
                state["step"] = torch.tensor(float(self._taken))


def flat_optimizer(stack: Stack, optimizers: Sequence[torch.optim.Optimizer]) -> FlatOptimizer:
    """Return the flat optimizer of these runs, which have one kind of optimizer, at the same step."""
    kind = Momentum if isinstance(optimizers[0], torch.optim.SGD) else Adam
    return kind(stack, optimizers)


def steps_of(optimizer: torch.optim.Optimizer) -> int:
    """Return how many steps an optimizer that counts them has taken; 0 for one that does not."""
    states: list[dict[str, Any]] = list(optimizer.state.values())
    return int(states[0]["step"]) if states and "step" in states[0] else 0
