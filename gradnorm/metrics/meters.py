"""Test metrics, one meter a form of target: what all examples give, pooled, not a mean of batches' means."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from gradnorm.datasets.base import Form, Task
from gradnorm.metrics.losses import cosines, peaks, valid

# Angles are counted in steps of a hundredth of a degree.
_STEPS = 18_000


class Meter(ABC):
    """Gathers one task's outputs and targets, a batch at a time; tensors as `task_loss` takes them."""

    @abstractmethod
    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""

    @abstractmethod
    def scores(self) -> dict[str, float]:
        """Return the metrics that `METRICS` names for the form; NaN where nothing valid was seen."""


def meter(task: Task) -> Meter:
    """Return the meter of a task."""
    kinds: dict[Form, type[Meter]] = {
        "regression": R2,
        "classification": Accuracy,
        "depth": Depth,
        "normals": Normals,
        "heatmaps": Points,
        "landmarks": Landmarks,
    }
    return Segmentation(task.outputs) if task.form == "segmentation" else kinds[task.form]()


class R2(Meter):
    """R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)², pooled over outputs, ȳ the test mean of each output.

    1 is perfect, 0 is the mean, there is no lower bound.
    """

    def __init__(self) -> None:
        self._missed = 0.0
        self._targets: list[Tensor] = []

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""
        self._missed += float((output - target).double().square().sum())
        self._targets.append(target)

    def scores(self) -> dict[str, float]:
        """Return R²."""
        y = torch.cat(self._targets).double()
        total = float((y - y.mean(0)).square().sum())
        return {"r2": 1 - self._missed / total if total > 0 else math.nan}


class Accuracy(Meter):
    """The share of examples whose class is right."""

    def __init__(self) -> None:
        self._right, self._seen = 0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""
        self._right += int((output.argmax(1) == target).sum())
        self._seen += len(target)

    def scores(self) -> dict[str, float]:
        """Return the accuracy."""
        return {"accuracy": _ratio(self._right, self._seen)}


class Segmentation(Meter):
    """Intersection over union and pixel accuracy, from one confusion matrix of all labelled pixels.

    mIoU is the mean over the classes that occur in the labels or in the answers.
    """

    def __init__(self, classes: int) -> None:
        self._confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""
        known = valid(target, "segmentation")
        pairs = target[known] * len(self._confusion) + output.argmax(1)[known]
        counts = torch.bincount(pairs, minlength=self._confusion.numel())
        self._confusion += counts.view_as(self._confusion).cpu()

    def scores(self) -> dict[str, float]:
        """Return mIoU and pixel accuracy, both in [0, 1], and the paper's 100 − mIoU in per cent."""
        both = self._confusion.diagonal()
        either = self._confusion.sum(0) + self._confusion.sum(1) - both
        there = either > 0
        miou = float((both[there] / either[there]).mean()) if bool(there.any()) else math.nan
        accuracy = _ratio(int(both.sum()), int(self._confusion.sum()))
        return {"miou": miou, "pixel_accuracy": accuracy, "iou_error": 100 * (1 - miou)}


class Depth(Meter):
    """Errors of depth over all valid pixels, in metres; the relative one is in units of the true depth."""

    def __init__(self) -> None:
        self._squares, self._gaps, self._ratios, self._seen = 0.0, 0.0, 0.0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""
        known = valid(target, "depth")
        truth = target[known].double()
        gap = (output[known].double() - truth).abs()
        self._squares += float(gap.square().sum())
        self._gaps += float(gap.sum())
        self._ratios += float((gap / truth).sum())
        self._seen += len(truth)

    def scores(self) -> dict[str, float]:
        """Return root mean square, mean absolute and mean relative error."""
        return {
            "rmse": math.sqrt(_ratio(self._squares, self._seen)),
            "abs_error": _ratio(self._gaps, self._seen),
            "rel_error": _ratio(self._ratios, self._seen),
        }


class Normals(Meter):
    """Angles between normals over all valid pixels, in degrees."""

    def __init__(self) -> None:
        self._counts = torch.zeros(_STEPS, dtype=torch.float64)
        self._angles, self._cosines, self._seen = 0.0, 0.0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""
        cosine = cosines(output, target)[valid(target, "normals")].double().clamp(-1, 1)
        angles = torch.rad2deg(torch.arccos(cosine))
        steps = (angles * (_STEPS / 180)).long().clamp(max=_STEPS - 1)
        self._counts += torch.bincount(steps, minlength=_STEPS).cpu()
        self._angles += float(angles.sum())
        self._cosines += float(1 - cosine.abs().mean()) * len(angles) if len(angles) else 0.0
        self._seen += len(angles)

    def scores(self) -> dict[str, float]:
        """Return mean and median angle (the latter to 0.01°), shares within three bounds, and the paper's 1 − |cos|."""
        below = self._counts.cumsum(0)
        median = int(torch.searchsorted(below, self._seen / 2)) if self._seen else math.nan

        def within(degrees: float) -> float:
            return _ratio(float(below[round(degrees * _STEPS / 180) - 1]), self._seen)

        return {
            "angle_mean": _ratio(self._angles, self._seen),
            "angle_median": (median + 0.5) * 180 / _STEPS,
            "within_11": within(11.25),
            "within_22": within(22.5),
            "within_30": within(30.0),
            "cosine_error": _ratio(self._cosines, self._seen),
        }


class Points(Meter):
    """How far each map's highest place is from the true point, in per cent of the picture's diagonal."""

    def __init__(self) -> None:
        self._distances, self._seen = 0.0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""
        found = peaks(output)
        known = ~target.isnan().any(-1)
        self._distances += float((found - target)[known].double().norm(dim=-1).sum())
        self._seen += int(known.sum())

    def scores(self) -> dict[str, float]:
        """Return the mean over all points that there are."""
        return {"point_error": 100 * _ratio(self._distances, self._seen) / math.sqrt(2)}


class Landmarks(Meter):
    """Mean distance of the points in per cent of the distance of the eyes; a failure is a face above 10 %."""

    def __init__(self) -> None:
        self._errors, self._failures, self._seen = 0.0, 0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch."""
        found, truth = (points.double().unflatten(1, (-1, 2)) for points in (output, target))
        between = (truth[:, 0] - truth[:, 1]).norm(dim=-1)
        errors = 100 * (found - truth).norm(dim=-1).mean(1) / between
        self._errors += float(errors.sum())
        self._failures += int((errors > 10).sum())
        self._seen += len(errors)

    def scores(self) -> dict[str, float]:
        """Return mean error and share of failures, both in per cent."""
        return {
            "landmark_error": _ratio(self._errors, self._seen),
            "failure": 100 * _ratio(self._failures, self._seen),
        }


def _ratio(total: float | int, seen: int) -> float:
    return total / seen if seen else math.nan
