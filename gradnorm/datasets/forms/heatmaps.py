"""Points in a picture, learnt as one map each: squared error against bells, and distances on the test set."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from gradnorm.datasets.forms.base import AnswerView, Array, Form, Meter, ratio

if TYPE_CHECKING:
    from torch import Tensor

    from gradnorm.datasets.base import Task

# Standard deviation of the bell around a point, in sides of the picture: 5 pixels of 320, as in RoomNet.
BELL = 5 / 320
# Height and width of the maps on which a constant answer is judged.
_CONSTANT_MAP = 32
# How many examples' maps are drawn at a time, which bounds memory.
_CHUNK = 64


class Heatmaps(Form):
    """Targets [B, outputs, 2], float32: x and y of each point in [0, 1] of the picture, NaN for a missing point.

    The network puts out one map a point. Targets travel as points, so that batches are small and augmentation
    moves points; the maps are drawn where the loss is taken.
    """

    name: ClassVar[str] = "heatmaps"
    metrics: ClassVar[Mapping[str, bool]] = {"point_error": False}
    headline: ClassVar[str] = "off by {:.1f} % of the diagonal"
    view: ClassVar[AnswerView] = "heatmaps"

    def target_shape(self, outputs: int, size: int, maps: tuple[int, int]) -> tuple[int, ...]:
        """Return (B, outputs, 2)."""
        return size, outputs, 2

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the squared error against `bells`, mean over examples, points and pixels.

        output: maps [B, outputs, h, w].  target: points [B, outputs, 2].
        This is the loss of Chen et al. (2018), section 5.1.
        """
        from torch.nn import functional

        return functional.mse_loss(output, bells(target, output.shape[2], output.shape[3]))

    def count(self, target: Tensor) -> int:
        """Return B: a map without a point is learnt too, as 0 everywhere."""
        return len(target)

    def constant_loss(self, target: Tensor, outputs: int) -> float:
        """Return the variance of the bells over the test set, mean over points and the pixels of 32 × 32 maps."""
        import torch

        mean, square = torch.zeros(2, target.shape[1], _CONSTANT_MAP, _CONSTANT_MAP, dtype=torch.float64)
        for points in target.split(_CHUNK):
            maps = bells(points, _CONSTANT_MAP, _CONSTANT_MAP).double()
            mean += maps.sum(0) / len(target)
            square += maps.square().sum(0) / len(target)
        return (square - mean.square()).mean().item()

    def meter(self, task: Task) -> Meter:
        """Return a meter of distances."""
        return _Distances()

    def answer(self, output: Tensor, target: Tensor) -> tuple[Array, Array]:
        """Return two lists [outputs, 2] of points; the answer is each map's highest pixel."""
        return target[0].numpy(), peaks(output[0]).numpy()


class _Distances(Meter):
    """How far each map's highest pixel is from the true point, in per cent of the picture's diagonal."""

    def __init__(self) -> None:
        self._distances, self._count = 0.0, 0

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take a batch: maps [B, outputs, h, w] and points [B, outputs, 2]."""
        present = ~target.isnan().any(-1)
        self._distances += float((peaks(output) - target)[present].double().norm(dim=-1).sum())
        self._count += int(present.sum())

    def scores(self) -> dict[str, float]:
        """Return the mean over all points that are not missing."""
        return {"point_error": 100 * ratio(self._distances, self._count) / math.sqrt(2)}


def peaks(maps: Tensor) -> Tensor:
    """Return the centre of each map's highest pixel: [..., h, w] → [..., 2], x and y in [0, 1] of the picture."""
    import torch

    height, width = maps.shape[-2:]
    pixel = maps.flatten(-2).argmax(-1)
    return torch.stack([(pixel % width + 0.5) / width, (pixel // width + 0.5) / height], -1)


def bells(points: Tensor, height: int, width: int) -> Tensor:
    """Return a map for each point: exp(−d²/2σ²), where d is the distance to the point and σ is `BELL`.

    points: [B, points, 2], x and y in [0, 1] of the picture, NaN for a missing point.
    Returns [B, points, height, width], in [0, 1]; 0 everywhere for a missing point.
    """
    import torch

    x = (torch.arange(width, device=points.device) + 0.5) / width
    y = (torch.arange(height, device=points.device) + 0.5) / height
    column = ((x - points[..., :1]) / BELL).square().div(-2).exp()
    row = ((y - points[..., 1:]) / BELL).square().div(-2).exp()
    return (row[..., :, None] * column[..., None, :]).nan_to_num(0.0)
