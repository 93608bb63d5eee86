"""Scenes from files: read when they are asked for, and kept in memory in fewer bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import overload

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.scenes.normals import unit
from gradnorm.rendering.scene import Scene


@dataclass(frozen=True)
class _Small:
    """A scene with depth in millimetres, uint16, and normals in 127ths, int8."""

    image: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    normals: NDArray[np.int8]
    labels: NDArray[np.uint8]
    keypoints: NDArray[np.float32] | None

    @property
    def bytes(self) -> int:
        return self.image.nbytes + self.depth.nbytes + self.normals.nbytes + self.labels.nbytes


class Lazy(Sequence[Scene]):
    """Scenes that are read when they are asked for.

    read: gives the scene of a row, and may be asked from several threads.  rows: which ones, in order.
    """

    def __init__(self, read: Callable[[int], Scene], rows: Sequence[int]) -> None:
        self._read, self._rows = read, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Scene: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Scene]: ...
    def __getitem__(self, index: int | slice) -> Scene | Sequence[Scene]:
        return Lazy(self._read, self._rows[index]) if isinstance(index, slice) else self._read(self._rows[index])


class Kept:
    """Reads the scene of each row once, while there is room for what was read.

    read: see `Lazy`.  limit: bytes to keep; scenes beyond are read again each time.
    Depths are rounded to millimetres (at most 65 m) and normals to about 0.2°, kept or not, so that what comes back
    does not depend on what was asked for before.
    """

    def __init__(self, read: Callable[[int], Scene], limit: int = 1_600_000_000) -> None:
        self._read, self._room = read, limit
        self._small: dict[int, _Small] = {}
        self._lock = Lock()

    def __call__(self, row: int) -> Scene:
        """Return the scene of a row."""
        small = self._small.get(row)
        if small is None:
            small = _shrunk(self._read(row))
            with self._lock:
                if row not in self._small and small.bytes <= self._room:
                    self._small[row] = small
                    self._room -= small.bytes
        return _grown(small)


def _shrunk(scene: Scene) -> _Small:
    depth = np.clip(scene.depth * 1000, 0, 65_535).round().astype(np.uint16)
    # A copy of its own, since a view would keep the whole picture that it was cut from.
    image, labels = np.array(scene.image, order="C"), np.array(scene.labels, order="C")
    return _Small(image, depth, (scene.normals * 127).round().astype(np.int8), labels, scene.keypoints)


def _grown(small: _Small) -> Scene:
    depth = (small.depth * np.float32(0.001)).astype(np.float32)
    return Scene(small.image, depth, unit(small.normals.astype(np.float32)), small.labels, small.keypoints)
