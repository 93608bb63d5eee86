"""Points of a face, learnt as numbers: squared error, and distances relative to that of the eyes on the test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gradnorm.datasets.forms.base import AnswerView, Array, Meter, ratio
from gradnorm.datasets.forms.regression import Regression

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task

# A face whose error is above this counts as a failure, in per cent of the distance between the eyes.
FAILURE = 10


class Landmarks(Regression):
    """Targets [B, outputs], float32: x and y of each point in turn, in [0, 1] of the picture.

    The first two points are the eyes. The loss is that of any regression.
    """

    name: ClassVar[str] = "landmarks"
    metrics: ClassVar[Mapping[str, bool]] = {"landmark_error": False, "failure": False}
    headline: ClassVar[str] = "off by {:.1f} % of the eyes’ distance"
    view: ClassVar[AnswerView] = "landmarks"

    def meter(self, task: Task) -> Meter:
        """Return a meter of distances."""
        return _Distances()

    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return two lists of points, [outputs / 2, 2]."""
        return target[0].unflatten(0, (-1, 2)).numpy(), output[0].unflatten(0, (-1, 2)).numpy()


class _Distances(Meter):
    """Mean distance of a face's points in per cent of the distance between its eyes."""

    def __init__(self) -> None:
        self._errors, self._failures, self._count = 0.0, 0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: both are [B, outputs]."""
        answer, truth = (points.double().unflatten(1, (-1, 2)) for points in (output, target))
        between = (truth[:, 0] - truth[:, 1]).norm(dim=-1)
        errors = 100 * (answer - truth).norm(dim=-1).mean(1) / between
        self._errors += float(errors.sum())
        self._failures += int((errors > FAILURE).sum())
        self._count += len(errors)

    def scores(self) -> dict[str, float]:
        """Return the mean error, and the share of faces whose error is above 10 %, both in per cent."""
        return {
            "landmark_error": ratio(self._errors, self._count),
            "failure": 100 * ratio(self._failures, self._count),
        }
