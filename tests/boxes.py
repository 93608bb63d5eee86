"""Empty rooms, 32 × 32, with everything that can be learnt of a scene: a data set of the tests alone."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from gradnorm.datasets.base import Batch, Dataset, Source, Task

SIZE, TEST = 32, 6
CLASSES = ("ceiling", "floor", "wall")
FORMS: dict[str, str] = {"classes": "segmentation", "depth": "depth", "normals": "normals", "keypoints": "heatmaps"}
TASKS = (
    Task("classes", "segmentation", 3, classes=CLASSES),
    Task("depth", "depth", 1, "m"),
    Task("normals", "normals", 3),
    Task("keypoints", "heatmaps", 6),
)


class Boxes(Dataset):
    """The inside of a box, seen from its middle; what lies in one corner of the picture is not known."""

    name: ClassVar[str] = "boxes"
    title: ClassVar[str] = "Boxes"
    summary: ClassVar[str] = "Rooms for tests."
    networks: ClassVar[tuple[str, ...]] = ("segnet",)

    @property
    def task_names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(FORMS)

    @property
    def task_forms(self) -> tuple[str, ...]:
        """One of each kind of map."""
        return tuple(FORMS.values())

    def load(self, seed: int) -> Source:
        """Return fresh boxes at every step."""
        return BoxSource(seed)


class BoxSource(Source):
    """Boxes of random height, width and depth, in metres."""

    tasks = TASKS

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.test = self._batch(np.random.default_rng(0), TEST)

    def batch(self, step: int, size: int) -> Batch:
        """See `Source.batch`."""
        return self._batch(np.random.default_rng((self._seed, step)), size)

    def _batch(self, random: np.random.Generator, size: int) -> Batch:
        rooms = [_box(*random.uniform(1, 2, 2), random.uniform(2, 5)) for _ in range(size)]
        inputs, *targets = (torch.from_numpy(np.stack(part)) for part in zip(*rooms, strict=True))
        return Batch(inputs, tuple(targets))


def _box(half_width: float, half_height: float, far: float):
    """Return picture, classes, depth, normals and keypoints of one box: x right, y down, z away."""
    along = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    x, y = np.meshgrid(along, along)
    reach = np.stack([np.full_like(x, far), half_width / np.abs(x), half_height / np.abs(y)])
    side, depth = reach.argmin(0), reach.min(0).astype(np.float32)
    zero = np.zeros_like(x)
    facing = [
        np.stack([zero, zero, zero - 1]),
        np.stack([-np.sign(x), zero, zero]),
        np.stack([zero, -np.sign(y), zero]),
    ]
    normals = np.choose(side, facing).astype(np.float32)
    classes = np.where(side < 2, 2, np.where(y > 0, 1, 0))
    light = (0.3 + 0.6 * np.abs(normals[0]) + 0.2 * normals[1] + 0.2) * 255 / (1 + depth / 4)
    corners = np.array([(i, j) for i in (-1, 1) for j in (-1, 1)]) * [half_width / far, half_height / far]
    # Of six points a box has four: the first and the last belong to another type of room.
    points = np.full((6, 2), np.nan, np.float32)
    points[1:5] = (corners + 1) / 2
    picture = np.clip(np.stack([light, light * 0.9, light * 0.8]), 0, 255).astype(np.uint8)
    corner = slice(0, SIZE // 4), slice(0, SIZE // 4)
    classes[corner], depth[corner], normals[:, *corner] = -1, 0, 0
    return picture, classes.astype(np.int64), depth[None], normals, points
