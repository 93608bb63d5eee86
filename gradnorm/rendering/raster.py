"""Finds the visible face of each pixel, and its depth.

Over the picture, 1/depth of a plane is an affine function of the pixel. So is 1/depth times a coordinate on the plane.
A face is therefore three affine functions, and every depth is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradnorm.rendering.camera import Array, Floats, Intrinsics

# Faces nearer than this are not drawn, in metres.
NEAR = 0.3
# Each face of a box: its axis, the way it looks along that, and the two axes that lie in it (right, up, out).
_SIDES = tuple((axis, way, *across) for axis, across in enumerate(((2, 1), (0, 2), (0, 1))) for way in (1.0, -1.0))
# Of the room: left, front, right, back, ceiling, floor as (axis, at its high end, axes in it).
_WALLS = ((0, 0, (2, 1)), (2, 1, (0, 1)), (0, 1, (2, 1)), (2, 0, (0, 1)), (1, 0, (0, 2)), (1, 1, (0, 2)))
CEILING, FLOOR, ROOM = 4, 5, 6


@dataclass(frozen=True)
class Faces:
    """F rectangles in camera coordinates, in metres.

    normal: [F, 3], of length 1, towards the camera.
    middle: [F, 3], the origin of the coordinates on the face.
    across: [F, 2, 3], two orthogonal unit vectors in the face.
    half: [F, 2], how far the face extends along them, to either side.
    owner: [F], the index of the box; −1 … −6 for the room's left, front, right and back wall, ceiling and floor.
    """

    normal: Array
    middle: Array
    across: Array
    half: Array
    owner: NDArray[np.intp]

    def joined(self, other: Faces) -> Faces:
        """Return these faces, followed by others."""
        names = ("normal", "middle", "across", "half", "owner")
        return Faces(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))

    def affine(self, camera: Intrinsics) -> Array:
        """Return 1/depth, and both coordinates on the face over depth, as coefficients of (x, y, 1): [F, 3, 3]."""
        inverse = _over_picture(self.normal, camera) / (self.normal * self.middle).sum(-1, keepdims=True)
        begun = (self.across * self.middle[:, None]).sum(-1, keepdims=True)
        places = _over_picture(self.across, camera) - begun * inverse[:, None]
        return np.concatenate([inverse[:, None], places], 1)


def room_faces(low: Array, high: Array, turn: Array) -> Faces:
    """Return the six faces of a room, as seen from inside.

    low, high: [3], opposite corners, in metres (right, down, forward) from the camera.
    turn: [3, 3], the camera's axes as columns.
    Coordinates on a wall are counted from the low corner, and upwards from the floor.
    """
    corners = np.stack([low, high])
    axes = turn * np.array([[1.0], [-1.0], [1.0]])
    normal, middle, across = [], [], []
    for axis, end, others in _WALLS:
        point = np.array([low[0], high[1], low[2]])
        point[axis] = corners[end, axis]
        normal.append(turn[axis] * (1 - 2 * end))
        middle.append(point @ turn)
        across.append(axes[list(others)])
    return Faces(np.array(normal), np.array(middle), np.array(across), np.full((6, 2), np.inf), -1 - np.arange(6))


def box_faces(centre: Array, half: Array, angle: Array, turn: Array) -> Faces:
    """Return the faces of N boxes that face the camera and lie wholly in front of it.

    centre: [N, 3], in metres (right, down, forward) from the camera.
    half: [N, 3], half of the sizes.
    angle: [N], about the upright axis, in radians.
    turn: [3, 3], the camera's axes as columns.
    """
    zero, one = np.zeros_like(angle), np.ones_like(angle)
    right = np.stack([np.cos(angle), zero, np.sin(angle)], -1)
    up = np.stack([zero, -one, zero], -1)
    out = np.stack([np.sin(angle), zero, -np.cos(angle)], -1)
    axes, centre = np.stack([right, up, out], 1) @ turn, centre @ turn
    axis, way, first, second = (np.array(column) for column in zip(*_SIDES, strict=True))
    normal = axes[:, axis] * way[:, None]
    middle = centre[:, None] + normal * half[:, axis][..., None]
    across = np.stack([axes[:, first], axes[:, second]], 2)
    sizes = np.stack([half[:, first], half[:, second]], 2)
    owner = np.broadcast_to(np.arange(len(angle))[:, None], normal.shape[:2])
    # The nearest of a rectangle's corners is this much nearer than its middle.
    reach = np.abs(across[..., 2] * sizes).sum(-1)
    kept = ((normal * middle).sum(-1) < -1e-4) & (middle[..., 2] - reach > NEAR)
    return Faces(normal[kept], middle[kept], across[kept], sizes[kept], owner[kept])


def _over_picture(vectors: Array, camera: Intrinsics) -> Array:
    """Return vector · ray as coefficients of (x, y, 1), [..., 3]."""
    x, y = vectors[..., 0] / camera.fx, vectors[..., 1] / camera.fy
    return np.stack([x, y, vectors[..., 2] - x * camera.cx - y * camera.cy], -1)


def draw(faces: Faces, affine: Array, camera: Intrinsics, height: int, width: int) -> tuple[Floats, NDArray[np.intp]]:
    """Return 1/depth and the index of the visible face, both [height, width].

    faces: the first six are the room's.  affine: `Faces.affine`, [F, 3, 3].
    camera: of a picture of this size.  height, width: in pixels.
    """
    walls = _Lines(affine[:ROOM, :1], height, width)
    # Inside a box the next wall ahead is the one with the greatest 1/depth, which needs no edges.
    nearness, seen = np.zeros((height, width), np.float32), np.zeros((height, width), np.intp)
    for i in range(ROOM):
        inverse = walls.over(i, 0, slice(None), slice(None))
        ahead = inverse > nearness
        np.copyto(nearness, inverse, where=ahead)
        np.copyto(seen, i, where=ahead)
    edges = _edges(affine[ROOM:], faces.half[ROOM:])
    lines = _Lines(edges, height, width)
    left, right, top, bottom = _bounds(faces, camera, height, width)
    for i in np.flatnonzero((left < right) & (top < bottom)):
        rows, across = slice(top[i], bottom[i]), slice(left[i], right[i])
        maps = lines.over(int(i), slice(None), rows, across)
        there = nearness[rows, across]
        ahead = (maps[1:].min(0) >= 0) & (maps[0] > there)
        np.copyto(there, maps[0], where=ahead)
        np.copyto(seen[rows, across], i + ROOM, where=ahead)
    return nearness, seen


class _Lines:
    """Affine functions of the pixel, made of a part along x and a part along y."""

    def __init__(self, affine: Array, height: int, width: int) -> None:
        x, y, constant = np.moveaxis(affine[..., None, :], -1, 0)
        self._x = (x * np.arange(width)).astype(np.float32)
        self._y = (y * np.arange(height) + constant).astype(np.float32)

    def over(self, which: int, function: int | slice, rows: slice, columns: slice) -> Floats:
        """Return functions over a part of the picture."""
        return self._y[which, function, rows, None] + self._x[which, function, None, columns]


def _edges(affine: Array, half: Array) -> Array:
    """Return 1/depth, and four functions that are ≥ 0 inside of each edge, [F, 5, 3]."""
    inverse, places = affine[:, :1], affine[:, 1:]
    reach = half[..., None] * inverse
    return np.concatenate([inverse, reach - places, reach + places], 1)


def _bounds(faces: Faces, camera: Intrinsics, height: int, width: int) -> tuple[NDArray[np.intp], ...]:
    """Return first and last column and row (not included) of each face but the room's."""
    reach = faces.across[ROOM:] * faces.half[ROOM:, :, None]
    signs = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    corners = faces.middle[ROOM:, None] + np.einsum("ij,fjk->fik", signs, reach)
    x = corners[..., 0] / corners[..., 2] * camera.fx + camera.cx
    y = corners[..., 1] / corners[..., 2] * camera.fy + camera.cy
    lows = (np.ceil(side.min(1)).clip(0, size).astype(np.intp) for side, size in ((x, width), (y, height)))
    highs = ((np.floor(side.max(1)) + 1).clip(0, size).astype(np.intp) for side, size in ((x, width), (y, height)))
    (left, top), (right, bottom) = lows, highs
    return left, right, top, bottom
