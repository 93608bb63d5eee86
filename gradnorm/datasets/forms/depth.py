"""The distance of each pixel: squared error over valid pixels, and three errors on the test set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gradnorm.datasets.forms.base import AnswerView, Array, Form, Meter, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task


class Depth(Form):
    """Targets [B, 1, h, w], float32: metres, 0 for a pixel whose depth is unknown."""

    name: ClassVar[str] = "depth"
    metrics: ClassVar[Mapping[str, bool]] = {"rmse": False, "abs_error": False, "rel_error": False}
    headline: ClassVar[str] = "RMSE {:.2f} m"
    view: ClassVar[AnswerView] = "depth"
    outputs: ClassVar[int | None] = 1

    def target_shape(self, outputs: int, size: int, maps: tuple[int, int]) -> tuple[int, ...]:
        """Return (B, 1, h, w)."""
        return size, 1, *maps

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the squared error in m², mean over valid pixels; both arguments are [B, 1, h, w].

        This is the loss of Chen et al. (2018), section 5.1.
        """
        valid = _valid(target)
        total = (output - target).where(valid, 0.0).square().sum()
        return total / valid.sum().clamp(min=1)

    def count(self, target: Tensor) -> int:
        """Return the number of pixels whose depth is known."""
        return int(_valid(target).sum())

    def constant_loss(self, target: Tensor, outputs: int) -> float:
        """Return the variance of the known depths, in m²; NaN if there are none."""
        depths = target[_valid(target)].double()
        return depths.var(correction=0).item() if len(depths) else math.nan

    def meter(self, task: Task) -> Meter:
        """Return a meter of the three errors."""
        return _Errors()

    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return two maps [h, w] in metres; the truth is NaN where it is unknown."""
        truth = target[0]
        return truth.where(_valid(truth), math.nan)[0].numpy(), output[0, 0].numpy()


class _Errors(Meter):
    """Errors over all valid pixels, in metres; the relative error is a multiple of the true depth."""

    def __init__(self) -> None:
        self._squares, self._gaps, self._ratios, self._count = 0.0, 0.0, 0.0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: both are [B, 1, h, w]."""
        valid = _valid(target)
        truth = target[valid].double()
        gap = (output[valid].double() - truth).abs()
        self._squares += float(gap.square().sum())
        self._gaps += float(gap.sum())
        self._ratios += float((gap / truth).sum())
        self._count += len(truth)

    def scores(self) -> dict[str, float]:
        """Return root mean square, mean absolute and mean relative error."""
        return {
            "rmse": math.sqrt(ratio(self._squares, self._count)),
            "abs_error": ratio(self._gaps, self._count),
            "rel_error": ratio(self._ratios, self._count),
        }


def _valid(target: Tensor) -> Tensor:
    """Return where the depth is known: flags of the target's shape."""
    return target > 0
