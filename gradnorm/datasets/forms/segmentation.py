"""A class for each pixel: cross entropy over labelled pixels, and mIoU on the test set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gradnorm.datasets.forms.base import AnswerView, Array, Form, Meter, ratio
from gradnorm.datasets.forms.classification import entropy
from gradnorm.methods.base import Kind

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task

NO_LABEL = -1


class Segmentation(Form):
    """Targets [B, h, w], int64: classes from 0 to outputs − 1, −1 for a pixel without a label."""

    name: ClassVar[str] = "segmentation"
    kind: ClassVar[Kind] = "classification"
    metrics: ClassVar[Mapping[str, bool]] = {"miou": True, "pixel_accuracy": True, "iou_error": False}
    headline: ClassVar[str] = "mIoU {:.2f}"
    view: ClassVar[AnswerView] = "segmentation"
    integer: ClassVar[bool] = True

    def target_shape(self, outputs: int, size: int, maps: tuple[int, int]) -> tuple[int, ...]:
        """Return (B, h, w)."""
        return size, *maps

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the cross entropy, mean over labelled pixels. output: logits [B, outputs, h, w].  target: [B, h, w].

        This is the loss of Chen et al. (2018), section 5.1.
        """
        from torch.nn import functional

        total = functional.cross_entropy(output, target, ignore_index=NO_LABEL, reduction="sum")
        return total / _labelled(target).sum().clamp(min=1)

    def count(self, target: Tensor) -> int:
        """Return the number of labelled pixels."""
        return int(_labelled(target).sum())

    def constant_loss(self, target: Tensor, outputs: int) -> float:
        """Return the entropy of the labelled pixels' classes, in nats."""
        return entropy(target[_labelled(target)], outputs)

    def meter(self, task: Task) -> Meter:
        """Return a meter of mIoU and pixel accuracy."""
        return _Confusion(task.outputs)

    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return two maps [h, w] of classes; the truth is −1 where there is no label."""
        return target[0].numpy(), output[0].argmax(0).numpy()


class _Confusion(Meter):
    """Intersection over union and pixel accuracy, from one confusion matrix of all labelled pixels.

    mIoU is the mean over the classes that occur in the labels or in the answers.
    """

    def __init__(self, classes: int) -> None:
        import torch

        self._confusion = torch.zeros(classes, classes, dtype=torch.int64)

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: logits [B, outputs, h, w] and classes [B, h, w]."""
        import torch

        labelled = _labelled(target)
        pairs = target[labelled] * len(self._confusion) + output.argmax(1)[labelled]
        counts = torch.bincount(pairs, minlength=self._confusion.numel())
        self._confusion += counts.view_as(self._confusion).cpu()

    def scores(self) -> dict[str, float]:
        """Return mIoU and pixel accuracy, both in [0, 1], and 100·(1 − mIoU) in per cent, as the paper has it."""
        both = self._confusion.diagonal()
        either = self._confusion.sum(0) + self._confusion.sum(1) - both
        present = either > 0
        miou = float((both[present] / either[present]).mean()) if bool(present.any()) else math.nan
        accuracy = ratio(int(both.sum()), int(self._confusion.sum()))
        return {"miou": miou, "pixel_accuracy": accuracy, "iou_error": 100 * (1 - miou)}


def _labelled(target: Tensor) -> Tensor:
    """Return which pixels have a label: flags [B, h, w]."""
    return target != NO_LABEL
