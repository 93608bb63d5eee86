"""Numbers: mean squared error, and R² on the test set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gradnorm.datasets.forms.base import AnswerView, Array, Form, Meter

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task


class Regression(Form):
    """Targets [B, outputs], float32, in the task's unit."""

    name: ClassVar[str] = "regression"
    metrics: ClassVar[Mapping[str, bool]] = {"r2": True}
    headline: ClassVar[str] = "R² {:.2f}"
    view: ClassVar[AnswerView] = "regression"
    batched: ClassVar[bool] = True

    def target_shape(self, outputs: int, size: int, maps: tuple[int, int]) -> tuple[int, ...]:
        """Return (B, outputs)."""
        return size, outputs

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the squared error, mean over examples and outputs; both arguments are [B, outputs]."""
        from torch.nn import functional

        return functional.mse_loss(output, target)

    def count(self, target: Tensor) -> int:
        """Return B."""
        return len(target)

    def constant_loss(self, target: Tensor, outputs: int) -> float:
        """Return the variance of the targets, mean over outputs."""
        return target.double().var(dim=0, correction=0).mean().item()

    def constant_metrics(self, target: Tensor, outputs: int) -> dict[str, float]:
        """Return an R² of 0, which is that of the mean."""
        return {"r2": 0.0}

    def meter(self, task: Task) -> Meter:
        """Return a meter of R²."""
        return _R2()

    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return two vectors [outputs]."""
        return target[0].numpy(), output[0].numpy()


class _R2(Meter):
    """R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)², pooled over outputs; ȳ is the test mean of each output.

    1 is perfect, 0 is as good as the mean, and there is no lower bound.
    """

    def __init__(self) -> None:
        self._missed = 0.0
        self._targets: list[Tensor] = []

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: both are [B, outputs]."""
        self._missed += float((output - target).double().square().sum())
        self._targets.append(target)

    def scores(self) -> dict[str, float]:
        """Return R²; NaN if all targets are equal."""
        import torch

        y = torch.cat(self._targets).double()
        total = float((y - y.mean(0)).square().sum())
        return {"r2": 1 - self._missed / total if total > 0 else math.nan}
