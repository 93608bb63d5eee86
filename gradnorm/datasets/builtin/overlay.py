"""A handwritten digit over a garment, after Multi-MNIST (Sabour et al., 2017), from two sources."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Batch, Source, Task
from gradnorm.datasets.tabular.table import FILES, MeasuredDataset, standard_deviation

SIZE, PICTURE = 36, 28
# Each picture is shifted at random by up to this many pixels down and right: the digit from the top left corner, the
# garment from where the range of the digit ends.
_SHIFT = (SIZE - PICTURE) // 2
# Of the 10,000 pictures of each source, the first are used for training only and the others for the test only.
TRAIN, TEST = 8_000, 2_000
GARMENTS = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
DIGITS = tuple(map(str, range(10)))
_HEADER = {1: 8, 3: 16}


class Overlay(MeasuredDataset):
    """Which digit, which garment, how much ink, and the picture again."""

    name: ClassVar[str] = "overlay"
    title: ClassVar[str] = "Digit over garment"
    summary: ClassVar[str] = (
        "A digit over a garment: both classes, ink (sum of pixels, 0 to 1 each) and reconstruction."
    )
    recommended: ClassVar[Mapping[str, Any]] = {
        "optimizer": "adam",
        "steps": 1000,
        "alpha": 1.5,
        "weight_learning_rate": 0.05,
    }
    networks: ClassVar[tuple[str, ...]] = ("cnn",)

    @property
    def task_names(self) -> tuple[str, ...]:
        """digit, garment, ink, reconstruction."""
        return ("digit", "garment", "ink", "reconstruction")

    @property
    def task_forms(self) -> tuple[str, ...]:
        """Two classifications, two regressions."""
        return ("classification", "classification", "regression", "regression")

    def load(self, seed: int) -> Source:
        """Return pairs of 8,000 digits and 8,000 garments for training, and 2,000 pairs of others for the test."""
        return OverlaySource(self, seed)


class OverlaySource(Source):
    """New pairs at every step: the digit to the top left of the garment, both shifted, the brighter pixel of the two.

    options: decide the units of the targets.  seed: of the batches, ≥ 0.
    """

    def __init__(self, options: Overlay, seed: int) -> None:
        self._seed = seed
        self._digits, self._garments = (labelled_pictures(f"{name}-t10k") for name in ("mnist", "fashion"))
        pictures, _, _ = self._pairs(stream(0, "overlay units"), TEST, test=False)
        flat = _levels(pictures)
        self._units = [
            options.measured(name, values.mean(0), standard_deviation(values), unit)
            for name, values, unit in (
                ("ink", flat.sum(1, keepdims=True), "full pixels"),
                ("reconstruction", flat, "full pixels"),
            )
        ]
        classes = [
            Task("digit", "classification", 10, classes=DIGITS),
            Task("garment", "classification", 10, classes=GARMENTS),
        ]
        self.tasks = (*classes, *(task for task, _, _ in self._units))
        self.test = self._batch(stream(0, "overlay test"), TEST, test=True)

    def batch(self, step: int, size: int) -> Batch:
        """See `Source.batch`."""
        return self._batch(stream(self._seed, "overlay batch", step), size, test=False)

    def _batch(self, random: np.random.Generator, size: int, *, test: bool) -> Batch:
        import torch

        pictures, digits, garments = self._pairs(random, size, test=test)
        flat = _levels(pictures)
        measured = [
            torch.from_numpy(((values - shift) / factor).astype(np.float32))
            for values, (_, shift, factor) in zip((flat.sum(1, keepdims=True), flat), self._units, strict=True)
        ]
        return Batch(
            torch.from_numpy(pictures[:, None]), (torch.from_numpy(digits), torch.from_numpy(garments), *measured)
        )

    def _pairs(
        self, random: np.random.Generator, size: int, *, test: bool
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Return pictures [B, 36, 36] and both classes [B]."""
        low, high = (TRAIN, TRAIN + TEST) if test else (0, TRAIN)
        pictures = np.zeros((size, SIZE, SIZE), np.uint8)
        labels: list[NDArray[np.int64]] = []
        for corner, (images, classes) in zip((0, _SHIFT), (self._digits, self._garments), strict=True):
            chosen = random.integers(low, high, size)
            corners = random.integers(corner, corner + _SHIFT + 1, (size, 2))
            for picture, image, (y, x) in zip(pictures, images[chosen], corners, strict=True):
                part = picture[y : y + PICTURE, x : x + PICTURE]
                np.maximum(part, image, out=part)
            labels.append(classes[chosen])
        return pictures, labels[0], labels[1]


def _levels(pictures: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the pixels of each picture as a row of numbers in [0, 1]: [B, 1296]."""
    return pictures.reshape(len(pictures), -1) / 255.0


def labelled_pictures(name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pictures [N, 28, 28] and classes [N] from a pair of IDX files. name: "mnist-t10k" or "fashion-t10k"."""
    images = _idx(f"{name}-images-idx3-ubyte.gz", 3).reshape(-1, PICTURE, PICTURE)
    return images, _idx(f"{name}-labels-idx1-ubyte.gz", 1).astype(np.int64)


def _idx(name: str, dimensions: int) -> NDArray[np.uint8]:
    """Return the bytes of an IDX file after its header: four bytes of magic number, four for each dimension."""
    return np.frombuffer(gzip.decompress((FILES / name).read_bytes())[_HEADER[dimensions] :], np.uint8)
