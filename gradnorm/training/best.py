"""The best network of a run by its validation loss, and when a run has gone without a better one for too long."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from gradnorm.datasets.base import Batch, Task
from gradnorm.metrics import constant_losses, evaluate


@dataclass(frozen=True)
class Best:
    """The best network so far.

    score: its validation loss, see `validation_loss`.  step: the number of steps it had taken.
    parameters: its state dict, copied.
    """

    score: float
    step: int
    parameters: Mapping[str, Tensor]


def validation_loss(
    predict: Callable[[Tensor], Sequence[Tensor]], validation: Batch, tasks: Sequence[Task], trained: Sequence[int]
) -> float:
    """Return the mean L_i/C_i of the trained tasks on the validation rows, C_i the loss of the best constant answer.

    Trained tasks count alike, whatever their units. One whose validation targets are all equal counts with its loss.
    predict: takes inputs and returns T outputs.  trained: indices from 0, at least one.
    """
    losses, _ = evaluate(predict, validation, tasks)
    constants = constant_losses(validation, tasks)
    return sum(losses[i] / (constants[i] or 1) for i in trained) / len(trained)
