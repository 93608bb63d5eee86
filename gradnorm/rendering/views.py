"""Finds an empty room and a camera in it such that the picture has a given layout type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradnorm.common.randomness import stream
from gradnorm.rendering.camera import BOTTOM, LEFT, RIGHT, TOP, Array, rotation
from gradnorm.rendering.layouts import TYPES, visible_edges

# Rooms that are tried at a time, and how often, before a room is called impossible.
TRIES, ROUNDS = 48, 400
# Of keypoints from each other, and of corners from the picture's edges, as parts of the picture.
APART, INSIDE = 0.1, 0.05
NEAREST, FARTHEST = 0.55, 9.8


@dataclass(frozen=True)
class CameraView:
    """An empty room and the camera in it.

    kind: the layout type, 0 … 10.
    low, high: [3], opposite corners of the room, in metres (right, down, forward) from the camera.
    turn: [3, 3], the camera's axes (right, down, forward) as columns.
    walls: the visible walls from left to right; 0 is left, 1 front, 2 right, 3 back.
    points: [points, 2], the keypoints of the layout; (0, 0) and (1, 1) are corners of the picture.
    """

    kind: int
    low: Array
    high: Array
    turn: Array
    walls: tuple[int, ...]
    points: Array


@dataclass(frozen=True)
class _Range:
    """Where a type is looked for: the wall ahead, m; what is to each side of the middle, in parts of that; degrees."""

    ahead: tuple[float, float]
    side: tuple[float, float]
    yaw: tuple[float, float]
    pitch: tuple[float, float]


_RANGES = (
    _Range((3.2, 6.5), (0.25, 0.6), (-9, 9), (-5, 9)),
    _Range((2.2, 5.0), (0.25, 0.65), (-12, 12), (6, 28)),
    _Range((2.2, 5.0), (0.25, 0.65), (-12, 12), (-24, -5)),
    _Range((1.8, 4.5), (0.4, 1.0), (22, 65), (-24, -5)),
    _Range((1.8, 5.0), (0.4, 1.0), (22, 65), (6, 28)),
    _Range((2.4, 4.8), (0.4, 1.0), (22, 65), (-5, 9)),
    _Range((2.9, 5.0), (0.8, 1.3), (-12, 12), (-5, 9)),
    _Range((1.9, 3.0), (0.35, 0.6), (-9, 9), (-5, 6)),
    _Range((1.8, 4.0), (0.8, 1.6), (-16, 16), (-22, -4)),
    _Range((1.6, 4.5), (0.8, 1.6), (-16, 16), (6, 30)),
    _Range((1.5, 2.4), (0.5, 1.1), (25, 62), (-6, 7)),
)


def layout_type(seed: int, index: int) -> int:
    """Return the layout type of a room, 0 … 10. Each block of eleven rooms has all eleven types.

    seed, index: ≥ 0.
    """
    return int(stream(seed, "room layouts", index // len(TYPES)).permutation(len(TYPES))[index % len(TYPES)])


def view(rng: np.random.Generator, kind: int) -> CameraView:
    """Return a random room and camera whose picture has this layout type.

    kind: 0 … 10.
    Raises RuntimeError if none is found in `ROUNDS` × `TRIES` tries.
    """
    layout = TYPES[kind]
    for _ in range(ROUNDS):
        low, high, turn = _proposals(rng, _RANGES[kind])
        visible = visible_edges(low, high, turn)
        fits = _depths_fit(low, high, turn)
        for first in _first_walls(layout.walls):
            points = visible.points(layout, first)
            here = fits & visible.matches(layout, first) & _apart(points)
            if here.any():
                i = int(here.argmax())
                walls = tuple((first + k) % 4 for k in range(layout.walls))
                return CameraView(kind, low[i], high[i], turn[i], walls, points[i])
    raise RuntimeError(f"Found no room of layout type {kind} in {ROUNDS * TRIES} tries.")


def _first_walls(walls: int) -> tuple[int, ...]:
    """Return which walls may be the first from the left, of a camera that looks more or less ahead."""
    return {1: (1,), 2: (0, 1), 3: (0,)}[walls]


def _proposals(rng: np.random.Generator, span: _Range) -> tuple[Array, Array, Array]:
    """Return low and high corners [N, 3] and turns [N, 3, 3]; half of them look to the left instead."""
    draw = rng.random((9, TRIES))
    ahead = span.ahead[0] + draw[0] * (span.ahead[1] - span.ahead[0])
    sides = ahead * (span.side[0] + draw[1:3] * (span.side[1] - span.side[0]))
    behind, height = 0.4 + 2.0 * draw[3], 2.35 + 0.75 * draw[4]
    eye = 1.05 + 0.7 * draw[5]
    yaw = np.radians(span.yaw[0] + draw[6] * (span.yaw[1] - span.yaw[0])) * np.where(draw[8] < 0.5, -1, 1)
    pitch = np.radians(span.pitch[0] + draw[7] * (span.pitch[1] - span.pitch[0]))
    roll = np.radians(1.2) * rng.standard_normal(TRIES)
    low = np.stack([-sides[0], eye - height, -behind], 1)
    high = np.stack([sides[1], eye, ahead], 1)
    return low, high, rotation(yaw, pitch, roll)


def _depths_fit(low: Array, high: Array, turn: Array) -> NDArray[np.bool_]:
    """Return where all that is seen of the empty room is neither too near nor too far, [N]."""
    x, y = np.meshgrid([LEFT, RIGHT], [TOP, BOTTOM])
    rays = np.stack([x.ravel(), y.ravel(), np.ones(4)], -1) @ turn.transpose(0, 2, 1)
    # 1/depth of a plane is affine over the picture, so that it is greatest in a corner of the picture.
    nearness = np.maximum(rays / high[:, None], rays / low[:, None]).max((1, 2))
    forward = turn[:, :, 2]
    farthest = (np.where(forward > 0, high, low) * forward).sum(1)
    return (nearness < 1 / NEAREST) & (farthest < FARTHEST)


def _apart(points: Array) -> NDArray[np.bool_]:
    """Return where keypoints [N, points, 2] are far enough from each other and from edges that they are not on, [N]."""
    unlabelled_pixels = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)
    unlabelled_pixels[:, np.arange(points.shape[1]), np.arange(points.shape[1])] = np.inf
    margin = np.minimum(points, 1 - points).min(-1)
    on_edge = np.abs(margin) < 1e-9
    return (unlabelled_pixels > APART).all((1, 2)) & (on_edge | (margin > INSIDE)).all(1)
