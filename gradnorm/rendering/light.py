"""Lights a room: two lamps, ambient light, and less of it in corners and under furniture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradnorm.rendering.camera import Array, Floats
from gradnorm.rendering.furnish import PlacedPiece
from gradnorm.rendering.paint import Paint
from gradnorm.rendering.views import CameraView

# Cells per metre in the map of the floor's shadows.
_PER_METRE = 16


@dataclass(frozen=True)
class Lamp:
    """A point light.

    at: [3], camera coordinates, in metres.
    colour: [3], linear RGB.
    reach: the distance at which it is half as bright, in metres.
    """

    at: Floats
    colour: Floats
    reach: float


@dataclass(frozen=True)
class Light:
    """All light of a room.

    lamps: its point lights.
    ambient: [3], linear RGB.
    shadows: [cells along z, cells along x], how much darker the floor is, in [0, 1].
    view: the room and the camera.
    """

    lamps: tuple[Lamp, ...]
    ambient: Floats
    shadows: Floats
    view: CameraView

    def on(self, points: Floats, normals: Floats) -> Floats:
        """Return the light on N points, linear RGB [3, N].

        points: [3, N], camera coordinates, in metres.
        normals: [3, N], camera coordinates, of length 1.
        """
        turn = self.view.turn.astype(np.float32)
        room = turn @ points
        up = -(turn[1] @ normals)
        around = self._open(room) * (0.95 + 0.05 * up) * self._floor_shadow(room)
        total = self.ambient[:, None] * around
        for lamp in self.lamps:
            way = lamp.at[:, None] - points
            square = (way * way).sum(0)
            facing = np.maximum((way * normals).sum(0), 0) / np.sqrt(square)
            total += lamp.colour[:, None] * (facing * around / (1 + square / lamp.reach**2))
        return total

    def _open(self, room: Floats) -> Floats:
        """Return a factor below 1 near the room's edges, [N], from the distance to the second nearest face."""
        low, high = (end.astype(np.float32)[:, None] for end in (self.view.low, self.view.high))
        x, y, z = np.minimum(room - low, high - room)
        near = np.maximum(np.minimum(x, y), np.minimum(np.maximum(x, y), z))
        return 1 - 0.3 * np.exp(near * np.float32(-1 / 0.3))

    def _floor_shadow(self, room: Floats) -> Floats:
        """Return a factor below 1 on the floor near and under furniture, [N]."""
        rows, columns = self.shadows.shape
        x = ((room[0] - np.float32(self.view.low[0])) * _PER_METRE).astype(np.int32).clip(0, columns - 1)
        z = ((room[2] - np.float32(self.view.low[2])) * _PER_METRE).astype(np.int32).clip(0, rows - 1)
        above = np.float32(self.view.high[1]) - room[1]
        return 1 - self.shadows[z, x] * np.clip(1 - 8 * above, 0, 1)


def light(paint: Paint, view: CameraView, standing: Sequence[PlacedPiece]) -> Light:
    """Return random light: a lamp under the ceiling, and cooler light from one side.

    view: the room and the camera.  standing: the pieces that darken the floor.
    """
    low, high = view.low, view.high
    size = high - low
    above = low + size * (paint.between(0.3, 0.7), 0.2, paint.between(0.35, 0.7))
    side = low + size * (paint.between(0, 1), paint.between(0.2, 0.5), paint.between(0.1, 0.9))
    side[0] = (low if paint.chance(0.5) else high)[0] * 0.55
    warm = paint.between(0, 1)
    colour = np.array([1.0, 0.9 - 0.08 * warm, 0.85 - 0.3 * warm])
    cool = np.array([0.85, 0.93, 1.0])
    lamps = (
        Lamp((above @ view.turn).astype(np.float32), (paint.between(0.5, 1.0) * colour).astype(np.float32), 2.2),
        Lamp((side @ view.turn).astype(np.float32), (paint.between(0.2, 0.9) * cool).astype(np.float32), 2.5),
    )
    ambient = paint.between(0.3, 0.55) * (0.5 * colour + 0.5 * cool)
    return Light(lamps, ambient.astype(np.float32), _shadows(low, high, standing), view)


def _shadows(low: Array, high: Array, standing: Sequence[PlacedPiece]) -> Floats:
    """Return how much darker the floor is, [cells along z, cells along x], in [0, 1]."""
    columns, rows = (int((high - low)[axis] * _PER_METRE) + 1 for axis in (0, 2))
    x = (np.arange(columns) + 0.5) / _PER_METRE + low[0]
    z = ((np.arange(rows) + 0.5) / _PER_METRE + low[2])[:, None]
    light = np.ones((rows, columns))
    for each in standing:
        piece = each.piece
        if piece.foot > 0 or piece.height < 0.05:
            continue
        c, s = np.cos(each.angle), np.sin(each.angle)
        along, out = (x - each.x) * c + (z - each.z) * s, (x - each.x) * s - (z - each.z) * c
        beyond = np.maximum(np.abs(along) - piece.width / 2, np.abs(out - piece.depth / 2) - piece.depth / 2)
        light *= 1 - 0.55 * np.clip(1 - (beyond + 0.05) / 0.3, 0, 1) ** 2
    return (1 - light).astype(np.float32)
