"""Reads scenes from files when they are needed, and caches them in memory in fewer bytes."""

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
class _PackedScene:
    """A scene whose depth is in millimetres (uint16) and whose normals are in 127ths (int8)."""

    image: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    normals: NDArray[np.int8]
    labels: NDArray[np.uint8]
    keypoints: NDArray[np.float32] | None

    @property
    def bytes(self) -> int:
        return self.image.nbytes + self.depth.nbytes + self.normals.nbytes + self.labels.nbytes


class LazyScenes(Sequence[Scene]):
    """A sequence of scenes, each read when it is indexed.

    read: returns the scene of a row; several threads may call it at once.
    rows: the rows that make up the sequence, in order.
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
        return LazyScenes(self._read, self._rows[index]) if isinstance(index, slice) else self._read(self._rows[index])


class SceneCache:
    """A cache of scenes: reads the scene of each row once, as long as memory allows.

    read: returns the scene of a row; several threads may call it at once.
    limit: the most bytes to hold; scenes beyond it are read again each time.
    Depths are rounded to millimetres (up to 65 m) and normals to about 0.2°. Scenes that are not held are rounded as
    well, so that a result does not depend on what was read before.
    """

    def __init__(self, read: Callable[[int], Scene], limit: int = 1_600_000_000) -> None:
        self._read, self._room = read, limit
        self._small: dict[int, _PackedScene] = {}
        self._lock = Lock()

    def __call__(self, row: int) -> Scene:
        """Return the scene of a row. Raises what `read` raises."""
        small = self._small.get(row)
        if small is None:
            small = _pack(self._read(row))
            with self._lock:
                if row not in self._small and small.bytes <= self._room:
                    self._small[row] = small
                    self._room -= small.bytes
        return _unpack(small)


def _pack(scene: Scene) -> _PackedScene:
    depth = np.clip(scene.depth * 1000, 0, 65_535).round().astype(np.uint16)
    # A copy, since a view would hold the whole picture that it was cut from in memory.
    image, labels = np.array(scene.image, order="C"), np.array(scene.labels, order="C")
    return _PackedScene(image, depth, (scene.normals * 127).round().astype(np.int8), labels, scene.keypoints)


def _unpack(small: _PackedScene) -> Scene:
    depth = (small.depth * np.float32(0.001)).astype(np.float32)
    return Scene(small.image, depth, unit(small.normals.astype(np.float32)), small.labels, small.keypoints)
