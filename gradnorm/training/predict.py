"""What a run's network, as a checkpoint has it, answers on single test pictures; on the CPU, as plain numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Batch, Source, Task
from gradnorm.datasets.forms.base import AnswerView, Array
from gradnorm.datasets.forms.registry import form_named
from gradnorm.metrics import task_loss
from gradnorm.models.build import build
from gradnorm.models.network import Network
from gradnorm.runs.records import Checkpoint
from gradnorm.training.checkpoint import unpack


class PredictionError(ValueError):
    """A checkpoint that does not fit its network; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """What a network says of one test example, beside the truth.

    truth, answer: arrays whose shapes `AnswerView` lists. A regression that gives every pixel of the input again is a
        picture.
    The answer is known everywhere.  loss: as in training.  metrics: see `Form.metrics`, of this example alone.
    """

    task: Task
    view: AnswerView
    truth: Array
    answer: Array
    loss: float
    metrics: Mapping[str, float]


class Showcase:
    """The test pictures of a data set, and what networks answer on them.

    source: of pictures; only its test set is kept.  Raises PredictionError for a source of vectors.
    """

    def __init__(self, source: Source) -> None:
        if len(source.shape) != 3:
            raise PredictionError(f"The inputs should be pictures. Found vectors of {source.shape[0]} numbers.")
        self._source = _TestOnly(source)
        self._levels = tuple(_levels(source.test.inputs, y, t) for y, t in _pairs(source))

    def __len__(self) -> int:
        return len(self._source.test.inputs)

    def picture(self, index: int) -> NDArray[np.uint8]:
        """Return a test picture, [H, W, C]."""
        return self._source.test.inputs[index].movedim(0, -1).numpy()

    def network(self, spec: RunSpec, checkpoint: Checkpoint) -> Network:
        """Return the spec's network with a checkpoint's parameters, ready to answer. Raises PredictionError."""
        network = build(spec, self._source)
        try:
            network.load_state_dict(unpack(checkpoint, torch.device("cpu")).model)
        except RuntimeError:
            raise PredictionError(
                f"The checkpoint at step {checkpoint.step} should fit the run's network. Found parameters of other "
                "names or shapes: another version wrote it. Train the run again."
            ) from None
        return network.eval()

    @torch.no_grad()
    def answers(self, network: Network, index: int) -> list[Answer]:
        """Return a network's answers on one test picture, one a task."""
        one = slice(index, index + 1)
        outputs = network(self._source.test.inputs[one])
        shown = zip(outputs, _pairs(self._source), self._levels, strict=True)
        return [_answer(output, target[one], task, levels) for output, (target, task), levels in shown]


class _TestOnly(Source):
    """A source whose training data may be forgotten."""

    def __init__(self, source: Source) -> None:
        self.tasks, self.test, self.stride = source.tasks, source.test, source.stride

    def batch(self, step: int, size: int) -> Batch:
        raise NotImplementedError("Only the test set is kept.")


def _pairs(source: Source) -> list[tuple[Tensor, Task]]:
    return list(zip(source.test.targets, source.tasks, strict=True))


def _answer(output: Tensor, target: Tensor, task: Task, levels: tuple[Tensor, Tensor] | None) -> Answer:
    """Return one answer from tensors of a single example."""
    form = form_named(task.form)
    meter = form.meter(task)
    meter.add(output, target)
    loss = float(task_loss(output, target, task))
    if levels is None:
        truth, answer = form.answer(output, target)
        return Answer(task, form.view, truth, answer, loss, meter.scores())
    truth, answer = (_pixels(part, levels) for part in (target, output))
    return Answer(task, "picture", truth, answer, loss, meter.scores())


def _levels(inputs: Tensor, target: Tensor, task: Task) -> tuple[Tensor, Tensor] | None:
    """Return a and b of shape [C, H, W] if a task's targets are the pictures' pixels but for units: pixel = a + b·y.

    None where they are not, as for all that is no regression onto as many numbers as the picture has pixels.
    """
    shape = inputs.shape[1:]
    if form_named(task.form).view != "regression" or task.outputs != prod(shape):
        return None
    x, y = inputs.flatten(1).double(), target.double()
    away = y - y.mean(0)
    spread = away.square().sum(0)
    slope = ((x - x.mean(0)) * away).sum(0) / spread.clamp(min=1e-12)
    # A pixel that never changes says nothing of the unit.
    slope = slope.where(spread > 1e-9, 255.0)
    offset = x.mean(0) - slope * y.mean(0)
    exact = bool(((offset + slope * y - x).abs() < 1).all())
    return (offset.view(shape), slope.view(shape)) if exact else None


def _pixels(values: Tensor, levels: tuple[Tensor, Tensor]) -> NDArray[np.uint8]:
    """Return [1, C·H·W] in a target's unit as a picture [H, W, C]."""
    offset, slope = levels
    pixels = offset + slope * values[0].double().view(offset.shape)
    return pixels.round().clamp(0, 255).to(torch.uint8).movedim(0, -1).numpy()
