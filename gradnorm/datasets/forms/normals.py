"""The direction that each pixel's surface faces: 1 − cos of the angle, and angles on the test set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gradnorm.datasets.forms.base import AnswerView, Array, Form, Meter, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task

# The median angle comes from a histogram whose bins are a hundredth of a degree wide.
_BINS = 18_000


class Normals(Form):
    """Targets [B, 3, h, w], float32: vectors (x, y, z) of length 1, 0 for a pixel whose normal is unknown."""

    name: ClassVar[str] = "normals"
    metrics: ClassVar[Mapping[str, bool]] = {
        "angle_mean": False,
        "angle_median": False,
        "within_11": True,
        "within_22": True,
        "within_30": True,
        "cosine_error": False,
    }
    headline: ClassVar[str] = "mean angle {:.1f}°"
    view: ClassVar[AnswerView] = "normals"
    outputs: ClassVar[int | None] = 3

    def target_shape(self, outputs: int, size: int, maps: tuple[int, int]) -> tuple[int, ...]:
        """Return (B, 3, h, w)."""
        return size, 3, *maps

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return 1 − cos of the angle, in [0, 2], mean over valid pixels; both arguments are [B, 3, h, w].

        The output may have any length. This is the loss of Chen et al. (2018), section 5.1.
        """
        valid = _valid(target)
        total = (1 - _cosines(output, target)).where(valid, 0.0).sum()
        return total / valid.sum().clamp(min=1)

    def count(self, target: Tensor) -> int:
        """Return the number of pixels whose normal is known."""
        return int(_valid(target).sum())

    def constant_loss(self, target: Tensor, outputs: int) -> float:
        """Return 1 − ‖mean normal‖, the loss of the mean direction; NaN if no normal is known."""
        vectors = target.movedim(1, -1)[_valid(target)].double()
        return 1 - vectors.mean(0).norm().item()

    def meter(self, task: Task) -> Meter:
        """Return a meter of angles."""
        return _Angles()

    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return two maps [h, w, 3] of vectors of length 1; the truth is NaN where it is unknown."""
        from torch.nn import functional

        truth = target[0].where(_valid(target)[0], math.nan)
        return truth.movedim(0, -1).numpy(), functional.normalize(output[0], dim=0).movedim(0, -1).numpy()


class _Angles(Meter):
    """Angles between answer and truth over all valid pixels, in degrees."""

    def __init__(self) -> None:
        import torch

        self._histogram = torch.zeros(_BINS, dtype=torch.float64)
        self._angles, self._cosines, self._count = 0.0, 0.0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: both are [B, 3, h, w]."""
        import torch

        cosine = _cosines(output, target)[_valid(target)].double().clamp(-1, 1)
        angles = torch.rad2deg(torch.arccos(cosine))
        bins = (angles * (_BINS / 180)).long().clamp(max=_BINS - 1)
        self._histogram += torch.bincount(bins, minlength=_BINS).cpu()
        self._angles += float(angles.sum())
        self._cosines += float(1 - cosine.abs().mean()) * len(angles) if len(angles) else 0.0
        self._count += len(angles)

    def scores(self) -> dict[str, float]:
        """Return mean and median angle, the shares within 11.25°, 22.5° and 30°, and the mean of 1 − |cos|.

        The median is exact to 0.01°. 1 − |cos| is the error that Chen et al. (2018) report.
        """
        import torch

        below = self._histogram.cumsum(0)
        median = int(torch.searchsorted(below, self._count / 2)) if self._count else math.nan

        def within(degrees: float) -> float:
            return ratio(float(below[round(degrees * _BINS / 180) - 1]), self._count)

        return {
            "angle_mean": ratio(self._angles, self._count),
            "angle_median": (median + 0.5) * 180 / _BINS,
            "within_11": within(11.25),
            "within_22": within(22.5),
            "within_30": within(30.0),
            "cosine_error": ratio(self._cosines, self._count),
        }


def _valid(target: Tensor) -> Tensor:
    """Return where the normal is known: flags [B, h, w]. Known normals have length 1, unknown ones length 0."""
    return target.square().sum(1) > 0.25


def _cosines(output: Tensor, target: Tensor) -> Tensor:
    """Return the cosine of the angle at each pixel, [B, h, w]; 0 where the target is 0."""
    from torch.nn import functional

    return (functional.normalize(output, dim=1) * target).sum(1)
