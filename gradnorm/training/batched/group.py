"""Runs of small networks stepped as one program: one product for all runs where each would have its own.

A single run is a group of one. Data, methods and checkpoints are what they are for a run by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from gradnorm.balancer.arguments import ZeroFirstLossError
from gradnorm.datasets.base import Batch
from gradnorm.datasets.forms.registry import form_named
from gradnorm.gradients.ranks import Ranks
from gradnorm.methods.base import Needs, NonFiniteLossError
from gradnorm.models.mlp import MLP
from gradnorm.runs.records import Checkpoint, StepRecord
from gradnorm.training.batched.criterion import Criterion, Targets
from gradnorm.training.batched.methods import BatchedMethods
from gradnorm.training.batched.optimizers import batched_optimizer, steps_of
from gradnorm.training.batched.stack import Stack
from gradnorm.training.prefetcher import Prefetcher
from gradnorm.training.run import Run, learning_rate

# Beyond this a network's own products keep a processor busy, and more networks at once only spill its caches.
SMALL_NETWORK = 1_000_000
# Room for outputs that tasks do not have: more than so many times the outputs they have is waste.
MOST_PADDING = 4

# An error stands for a record that could not be: a loss that is not finite, say, or 0 at the first step.
Result = StepRecord | Exception


def partition(runs: Sequence[Run]) -> list[list[int]]:
    """Return which runs step together, as lists of their places; a run that can be in no group is alone."""
    together: dict[Any, list[int]] = {}
    for place, run in enumerate(runs):
        key = _key(run) if fits(run) and _size(run) <= SMALL_NETWORK else place
        together.setdefault(key, []).append(place)
    return list(together.values())


def fits(run: Run) -> bool:
    """Whether a group can step a run: other networks and losses, gradient surgery and very unequal heads cannot.

    Nor can runs that several processes share, whose gradients are averaged within the step.
    """
    if (
        Ranks.joined() is not None
        or not isinstance(run.model, MLP)
        or not all(form_named(task.form).batched for task in run.source.tasks)
    ):
        return False
    outputs = [task.outputs for task in run.source.tasks]
    return run.balancer.method.needs is not Needs.GRAMIAN and max(outputs) * len(outputs) <= MOST_PADDING * sum(outputs)


def _key(run: Run) -> tuple[Any, ...]:
    """Return what runs of one group have in common."""
    s = run.spec
    steps = run.taken, steps_of(run.optimizer_state)
    return (s.dataset, s.batch_size, s.width, s.depth, s.optimizer, s.steps, s.watch_norms, run.device, *steps)


def _size(run: Run) -> int:
    return sum(parameter.numel() for parameter in run.model.parameters())


class Group:
    """N runs that go in step. Takes over their parameters, optimizers and balancers; `settle` before they are read.

    runs: at the same step, of one shape (`partition`).
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        first = runs[0]
        self._spec, self._device = first.spec, first.device
        self._stack = Stack([cast("MLP", run.model) for run in runs], self._spec.batch_size)
        states = [run.optimizer_state for run in runs]
        self._optimizer = batched_optimizer(self._spec.optimizer, self._stack, states)
        self._criterion = Criterion(first.source.tasks, self._spec.batch_size, self._stack.parameters)
        self._methods = BatchedMethods([run.balancer for run in runs], self._stack.parameters)
        sources = {id(run.source): run.source for run in runs}
        self._sources = list(sources.values())
        self._which = [list(sources).index(id(run.source)) for run in runs]
        self._batches = Prefetcher(self._made, self._spec.steps, first.block)
        self._settled = -1

    def step(self) -> list[Result]:
        """Take the next step; an error takes the place of its run's record."""
        return self.advance(*self._arranged(self._batches.take(self.runs[0].taken + 1)))

    def advance(self, inputs: Tensor, targets: Targets) -> list[Result]:
        """Take the next step on what `batch` returned; see `step`."""
        step = self.runs[0].taken + 1
        losses = self._criterion.losses(self._stack.forward(inputs), targets)
        at_heads, factors = self._methods.shares(self._methods.before(losses, step))
        norms = self._stack.backward(
            self._criterion.output_gradients(at_heads),
            factors,
            decay=self._optimizer.decay,
            measure=self._spec.watch_norms or self._methods.due(step),
        )
        rates = [learning_rate(run.spec, step) for run in self.runs]
        self._optimizer.shrink([1 - rate * run.spec.weight_decay for rate, run in zip(rates, self.runs, strict=True)])
        self._optimizer.step(rates)
        found = self._methods.after(losses, norms, step)
        results = [_result(run, step, numbers) for run, numbers in zip(self.runs, found, strict=True)]
        for run in self.runs:
            run.taken = step
        return results

    def retune(self, place: int, changes: Mapping[str, Any]) -> None:
        """Change hyperparameters of one run from the next step on. Raises ValueError, with nothing changed."""
        self.settle()
        self.runs[place].balancer.retune(**changes)
        self._methods = BatchedMethods([run.balancer for run in self.runs], self._stack.parameters)

    def checkpoint(self, place: int) -> Checkpoint:
        """Return the whole state of one run."""
        self.settle()
        return self.runs[place].checkpoint()

    def settle(self) -> None:
        """Bring the runs' optimizers and balancers up to date; their networks always are."""
        taken = self.runs[0].taken
        if self._settled != taken:
            self._settled = taken
            self._methods.settle(taken)
            for place, run in enumerate(self.runs):
                run.optimizer_state = self._optimizer.state_of(place)

    def close(self) -> None:
        """End the thread that makes batches."""
        self._batches.close()

    def batch(self, step: int) -> tuple[Tensor, Targets]:
        """Return what the runs see at step t."""
        return self._arranged(self._made(step, 1)[0])

    def _made(self, first: int, count: int) -> Sequence[Sequence[Batch]]:
        """Return, for each of `count` steps, the batches of the different data: what is done ahead."""
        blocks = [source.block(first, count, self._spec.batch_size) for source in self._sources]
        return list(zip(*blocks, strict=True))

    def _arranged(self, batches: Sequence[Batch]) -> tuple[Tensor, Targets]:
        """Return the batches as the stack wants them: once for all runs, or as often as the data differ."""
        targets = Targets.join([self._criterion.pack(batch.targets) for batch in batches])
        inputs = batches[0].inputs.unsqueeze(0)
        if len(batches) > 1:
            inputs, targets = torch.stack([batch.inputs for batch in batches])[self._which], targets.of(self._which)
        if self._device.type != "cpu":
            inputs, numbers, classes = (
                part.pin_memory().to(self._device, non_blocking=True)
                for part in (inputs, targets.numbers, targets.classes)
            )
            targets = Targets(numbers, classes)
        return inputs, targets


def _result(run: Run, step: int, numbers: Mapping[str, Any]) -> Result:
    for name, loss in zip(run.balancer.names, numbers["losses"], strict=True):
        if not math.isfinite(loss):
            return NonFiniteLossError(name, loss)
        if step == 1 and loss == 0:
            return ZeroFirstLossError(name)
    return StepRecord(step=step, alpha=run.alpha, **numbers)
