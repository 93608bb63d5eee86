"""One run stepped by itself, by autograd and torch's own optimizers: any network, any method."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from gradnorm.datasets.base import Batch
from gradnorm.datasets.forms.registry import form_named
from gradnorm.metrics import task_losses
from gradnorm.runs.records import Checkpoint, StepRecord
from gradnorm.training.batched.group import Result
from gradnorm.training.batched.optimizers import MOMENTUM
from gradnorm.training.prefetcher import Prefetcher
from gradnorm.training.processes import Part, average
from gradnorm.training.run import Run, learning_rate, to_device, use_threads

# Threads that read and turn pictures for a GPU; a CPU that trains has no core to spare for more than one.
READERS = 8


@torch.no_grad()
def shrink(parameters: Iterable[torch.Tensor], by: float) -> None:
    """Multiply parameters by 1 − by, as weight decay does (Loshchilov and Hutter, 2019): by = η·λ, and 0 for none."""
    if by:
        for parameter in parameters:
            parameter.mul_(1 - by)


@dataclass(frozen=True)
class Graph:
    """The losses of one step, and where they are measured: what `Balancer.backward` takes."""

    losses: Sequence[torch.Tensor | None]
    shared: Sequence[torch.Tensor]
    features: torch.Tensor | None
    trunk: Sequence[torch.Tensor]


class AutogradStepper:
    """What a `Group` of one is to its user, for a run that can be in no group."""

    def __init__(self, run: Run) -> None:
        self._run, self._part = run, Part.own()
        parameters, rate = run.model.parameters(), run.spec.learning_rate
        self._optimizer = (
            torch.optim.SGD(parameters, lr=rate, momentum=MOMENTUM)
            if run.spec.optimizer == "sgd"
            else torch.optim.Adam(parameters, lr=rate)
        )
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": dict(run.optimizer_state), "param_groups": groups})
        slow = run.source.slow
        readers = min(READERS, os.cpu_count() or 1) if slow and run.device.type != "cpu" else 1
        self._batches = Prefetcher(self._made, run.spec.steps, run.block, readers)

    def step(self) -> list[Result]:
        """Take the next step; an error takes the place of the record."""
        if self._run.device.type == "cpu":
            use_threads(self._run.spec.threads)
        try:
            return [self._step()]
        except Exception as error:
            self._run.taken += 1
            return [error]

    def retune(self, place: int, changes: Mapping[str, Any]) -> None:
        """Change hyperparameters from the next step on. Raises ValueError."""
        self._run.balancer.retune(**changes)

    def settle(self) -> None:
        """Bring what the run holds up to date."""
        self._run.optimizer_state = self._optimizer.state_dict()["state"]

    def checkpoint(self, place: int) -> Checkpoint:
        """Return the whole state of the run."""
        self.settle()
        return self._run.checkpoint()

    def close(self) -> None:
        """End the threads that make batches."""
        self._batches.close()

    def _made(self, first: int, count: int) -> Sequence[Batch]:
        """Return the batches of some steps: what is done ahead."""
        return self._run.source.block(first, count, self._run.spec.batch_size)

    def _step(self) -> StepRecord:
        run, step = self._run, self._run.taken + 1
        made = self._batches.take(step)
        rate = learning_rate(run.spec, step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        graph, alpha = self._graph(made, step), run.alpha
        balance = run.balancer.backward(graph.losses, shared=graph.shared, features=graph.features, trunk=graph.trunk)
        average(parameter.grad for parameter in run.model.parameters() if parameter.grad is not None)
        shrink(run.model.parameters(), rate * run.spec.weight_decay)
        self._optimizer.step()
        # Statistics of batch normalisation: each process has gathered those of its own part.
        average(buffer for buffer in run.model.buffers() if buffer.is_floating_point())
        run.taken = step
        numbers: dict[str, Any] = balance.numbers()
        return StepRecord(step=step, alpha=alpha, **numbers)

    def _graph(self, made: Batch, step: int) -> Graph:
        """Return the losses of a batch. made: as the source has made it, on the CPU."""
        run, tasks = self._run, self._run.source.tasks
        # Looked at on the processor, where there is nothing to wait for.
        counts = [form_named(task.form).count(target) for target, task in zip(made.targets, tasks, strict=True)]
        own = self._part.of(made)
        batch = to_device(own, run.device)
        features = run.network.shared(batch.inputs)
        losses = task_losses(run.network.predict(features), batch.targets, tasks)
        W = tuple(run.network.last_shared_layer.parameters())
        weighed = self._part.weighed(losses, counts, own, tasks)
        # At the first step all have to be there.
        present = [loss if step == 1 or n else None for loss, n in zip(weighed, counts, strict=True)]
        return Graph(present, W, features, (*run.network.trunk.parameters(), *W))
