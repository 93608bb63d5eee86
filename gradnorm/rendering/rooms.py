"""Renders pictures of rooms. Each is a function of a seed and an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from gradnorm.common.randomness import stream
from gradnorm.rendering.camera import Array, Floats, intrinsics
from gradnorm.rendering.furnish import Furnished, furnish
from gradnorm.rendering.layouts import keypoints
from gradnorm.rendering.light import light
from gradnorm.rendering.paint import Paint
from gradnorm.rendering.parts import LABELS, NAMES, SKY, Material
from gradnorm.rendering.raster import CEILING, box_faces, draw, room_faces
from gradnorm.rendering.scene import Scene
from gradnorm.rendering.sensor import depth_known, photograph, unlabelled_pixels
from gradnorm.rendering.textures import Textures
from gradnorm.rendering.views import layout_type, view

Index = NDArray[np.intp]
# Height of the skirting board, metres.
_SKIRTING = 0.07


@dataclass(frozen=True)
class Room:
    """A rendered room with its layout type, parts and instances.

    scene: the picture with its depth, normals, labels and keypoints.
    kind: the layout's type, 0 … 10.
    parts: [H, W], uint8: 0 unlabelled, else 1 + the index of the visible part in `parts.NAMES`.
    instances: [H, W], uint8: 0 unlabelled, else the number of the piece among those of its name, from 1.
    """

    scene: Scene
    kind: int
    parts: NDArray[np.uint8]
    instances: NDArray[np.uint8]


def render(seed: int, index: int, height: int, width: int) -> Scene:
    """Return a rendered room. It depends on (seed, index) alone, except that noise differs between sizes.

    seed, index: ≥ 0.
    height, width: ≥ 16, in pixels; the picture is squeezed if they are not 3 : 4.

    Depth, in [0.5, 10] m, normals and labels are exact. As in NYUv2 (Silberman et al., ECCV 2012), all three are 0 in a
    border and where glass gives no depth, and labels are 0 along the outlines of things.
    """
    return room(seed, index, height, width).scene


def room(seed: int, index: int, height: int, width: int) -> Room:
    """Return the room that `render` shows, with its type, parts and instances. Arguments are those of `render`."""
    rng = stream(seed, "room", index)
    paint, kind = Paint(rng), layout_type(seed, index)
    seen = view(rng, kind)
    furnished = furnish(paint, seen)
    shell, lights = _shell(paint), light(paint, seen, furnished.standing)
    camera = intrinsics(height, width)
    boxes = box_faces(furnished.centre, furnished.half, furnished.angle, seen.turn)
    faces = room_faces(seen.low, seen.high, seen.turn).joined(boxes)
    owners = faces.owner.tolist()
    materials = [shell[-1 - owner] if owner < 0 else furnished.boxes[owner].material for owner in owners]
    surfaces = Textures(rng, materials, faces.half)
    affine = faces.affine(camera)
    nearness, face = draw(faces, affine, camera, height, width)

    depth = (1 / nearness).astype(np.float32, copy=False)
    s, t = _places(affine, face, depth)
    known = depth_known(paint, surfaces.kind.take(face) == SKY, s + t)
    normals = faces.normal.astype(np.float32).T.copy().take(face, 1)
    light_ = lights.on((camera.rays(height, width) * depth).reshape(3, -1), normals.reshape(3, -1))
    flat = face.ravel()
    grain = depth.ravel() / np.float32(min(camera.fx, camera.fy))
    colours = surfaces.colours(flat, s.ravel(), t.ravel(), grain)
    # A skirting board.
    colours[:, (flat < CEILING) & (t.ravel() < _SKIRTING)] = np.array(shell[-1].low)[:, None]
    image = photograph(paint, (colours * (light_ + surfaces.glow.take(flat))).reshape(3, height, width))
    part, instance = (np.array(each, np.uint8).take(face) for each in _numbers(owners, furnished))
    labels = np.array((0, *LABELS), np.uint8).take(part)
    labelled = ~unlabelled_pixels(labels, nearness)
    points = keypoints(kind, seen.points, height, width)
    scene = Scene(image, depth * known, normals * known, labels * labelled, points)
    return Room(scene, kind, part * labelled, instance * labelled)


def _shell(paint: Paint) -> tuple[Material, ...]:
    """Return the materials of the room's own faces and of its skirting board; one wall may differ from the others."""
    walls = [paint.wall()] * 4
    if paint.chance(0.3):
        walls[paint.pick(1, 1, 1, 1)] = paint.wall()
    return (*walls, paint.ceiling(), paint.floor(), paint.hard())


def _places(affine: Array, face: Index, depth: Floats) -> tuple[Floats, Floats]:
    """Return where on its face each pixel is, in metres along the face's two axes, both [H, W]."""
    x, y = np.arange(depth.shape[1], dtype=np.float32), np.arange(depth.shape[0], dtype=np.float32)[:, None]
    a, b, c, d, e, f = affine[:, 1:].reshape(-1, 6).astype(np.float32).T.copy()
    a, b, c, d, e, f = (each.take(face) for each in (a, b, c, d, e, f))
    return depth * (a * x + b * y + c), depth * (d * x + e * y + f)


def _numbers(owners: Sequence[int], furnished: Furnished) -> tuple[list[int], list[int]]:
    """Return each face's part, and which of the pieces with such a part it belongs to, both from 1."""
    shell = (*["wall"] * 4, "ceiling", "floor")
    counted: dict[str, dict[int, int]] = {name: {} for name in NAMES}
    parts, instances = [], []
    for owner in owners:
        name = shell[-1 - owner] if owner < 0 else furnished.boxes[owner].name
        pieces = counted[name]
        piece = -1 if owner < 0 else furnished.pieces[owner]
        parts.append(1 + NAMES.index(name))
        instances.append(pieces.setdefault(piece, 1 + len(pieces)))
    return parts, instances


class RenderedRooms(Sequence[Scene]):
    """The rooms `first` … `first + count − 1` of a seed. Each is rendered when it is first indexed, and then cached.

    seed, first, count: ≥ 0.
    height, width: see `render`.
    limit: the most bytes to cache; rooms beyond it are rendered each time. A scene takes 20 bytes a pixel: 0.33 MB at
        128 × 128, 6.1 MB at 480 × 640.
    """

    def __init__(
        self, seed: int, count: int, height: int, width: int, first: int = 0, *, limit: int = 2_000_000_000
    ) -> None:
        self._seed, self._first, self._height, self._width = seed, first, height, width
        self._kept: list[Scene | None] = [None] * count
        self._room = limit // (20 * height * width)

    def __len__(self) -> int:
        return len(self._kept)

    @overload
    def __getitem__(self, index: int) -> Scene: ...

    @overload
    def __getitem__(self, index: slice) -> list[Scene]: ...

    def __getitem__(self, index: int | slice) -> Scene | list[Scene]:
        """Return the scene of an index, or the scenes of a slice. Raises IndexError beyond the last."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        kept = self._kept[at]
        if kept is None:
            kept = render(self._seed, self._first + at, self._height, self._width)
            if at < self._room:
                self._kept[at] = kept
        return kept
