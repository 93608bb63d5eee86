"""What a run's network, as a checkpoint has it, answers on single test pictures; on the CPU, as plain numpy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Batch, Dataset, Source, Task
from gradnorm.datasets.forms.base import AnswerView, Array
from gradnorm.datasets.forms.registry import form_named
from gradnorm.datasets.problems.base import Problem, Seen
from gradnorm.metrics import task_loss
from gradnorm.models.build import build
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
    axes: of a field, in words.
    """

    task: Task
    view: AnswerView
    truth: Array
    answer: Array
    loss: float
    metrics: Mapping[str, float]
    axes: str = ""


class Showcase(ABC):
    """What there is to look at in the runs of a data set: examples with their truth, and what networks answer."""

    @staticmethod
    def of(dataset: Dataset, seed: int) -> Showcase:
        """Return the showcase of a data set. seed: ≥ 0.  Raises PredictionError if there is nothing to look at."""
        if isinstance(dataset, Problem):
            return SolutionShowcase(dataset)
        return PictureShowcase(dataset.load(seed))

    @abstractmethod
    def __len__(self) -> int:
        """Return how many examples there are."""

    @abstractmethod
    def picture(self, index: int) -> NDArray[np.uint8] | None:
        """Return an example's input, [H, W, C]; None where there is none to show."""

    @abstractmethod
    def answers(self, network: nn.Module, index: int) -> list[Answer]:
        """Return what a network answers on one example."""

    @abstractmethod
    def _initial(self, spec: RunSpec) -> nn.Module:
        """Return the spec's network as it is before training."""

    def network(self, spec: RunSpec, checkpoint: Checkpoint) -> nn.Module:
        """Return the spec's network with a checkpoint's parameters, ready to answer. Raises PredictionError."""
        network = self._initial(spec)
        try:
            network.load_state_dict(unpack(checkpoint, torch.device("cpu")).model)
        except RuntimeError:
            raise PredictionError(
                f"The checkpoint at step {checkpoint.step} should fit the run's network. Found parameters of other "
                "names or shapes: another version wrote it. Train the run again."
            ) from None
        return network.eval()


class SolutionShowcase(Showcase):
    """The solution of a problem. problem: one that has pictures, else it raises PredictionError."""

    def __init__(self, problem: Problem) -> None:
        if not problem.pictures:
            raise PredictionError(f"The problem should have something to look at. Found {problem.name}, which has not.")
        self._problem = problem

    def __len__(self) -> int:
        return self._problem.pictures

    def picture(self, index: int) -> None:
        """Return nothing: a problem has no inputs to show."""

    def answers(self, network: nn.Module, index: int) -> list[Answer]:
        """Return what the problem has to show of a network."""
        return [_seen(seen, self._problem) for seen in self._problem.seen(network, index)]

    def _initial(self, spec: RunSpec) -> nn.Module:
        return build(spec, None)


class PictureShowcase(Showcase):
    """The test pictures of a data set.

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

    def _initial(self, spec: RunSpec) -> nn.Module:
        return build(spec, self._source)

    @torch.no_grad()
    def answers(self, network: nn.Module, index: int) -> list[Answer]:
        """Return a network's answers on one test picture, one a task."""
        one = slice(index, index + 1)
        outputs = network(self._source.test.inputs[one])
        shown = zip(outputs, _pairs(self._source), self._levels, strict=True)
        return [_answer(output, target[one], task, levels) for output, (target, task), levels in shown]


def _seen(seen: Seen, problem: Problem) -> Answer:
    """Return an answer of what a problem shows. Its error is relative, ‖answer − truth‖₂/‖truth‖₂."""
    scale = 255 if seen.view == "picture" else 1
    truth, answer = (part.astype(float) / scale for part in (seen.truth, seen.answer))
    error = float(np.linalg.norm(answer - truth) / max(np.linalg.norm(truth), 1e-12))
    axes = ", ".join(
        f"{name} {way} from {low:.3g} to {high:.3g}".replace("-", "−")
        for way, (name, low, high) in (("to the right", seen.across), ("upwards", seen.up))
        if name
    )
    task = Task(seen.name, "", 1)
    return Answer(
        task, seen.view, seen.truth, seen.answer, float(np.mean((answer - truth) ** 2)), {problem.metric: error}, axes
    )


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
