"""Places furniture along the visible walls, on them, and on the floor between them and the camera."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from gradnorm.rendering import clutter, furniture
from gradnorm.rendering.camera import Array, in_picture
from gradnorm.rendering.layouts import TYPES
from gradnorm.rendering.paint import Paint
from gradnorm.rendering.parts import Box, Piece
from gradnorm.rendering.views import CameraView

Maker = Callable[[Paint], Piece]
Kinds = tuple[tuple[Maker, float], ...]
Span = tuple[float, float]
# x, z and height from, then to, m.
_Extent = tuple[float, float, float, float, float, float]
# What stands at a wall, and hangs on one, with how often it is tried.
_STANDING: Kinds = (
    (furniture.bed, 2.2),
    (furniture.sofa, 1.8),
    (furniture.bookshelf, 1.2),
    (furniture.desk, 0.8),
    (furniture.television, 1.2),
    (furniture.cabinet, 0.6),
    (furniture.dresser, 0.5),
    (furniture.night_stand, 0.4),
    (furniture.chair, 0.4),
    (clutter.floor_lamp, 0.3),
    (clutter.plant, 0.3),
    (clutter.door, 0.35),
    (clutter.heap, 0.3),
)
_HANGING: Kinds = (
    (clutter.picture, 1.2),
    (clutter.window, 1.0),
    (clutter.wall_screen, 0.6),
    (clutter.wall_shelf, 0.9),
    (clutter.wall_cabinet, 0.3),
)
_FREE: tuple[Maker, ...] = (furniture.coffee_table, furniture.table, clutter.rug, furniture.chair, clutter.heap)
# Kinds of which a room may have several.
_SEVERAL = frozenset(
    {furniture.chair, clutter.picture, clutter.window, clutter.heap, clutter.plant, clutter.wall_shelf}
)
# At which heights a piece should be seen, m: the first three where it stands, the last three where it hangs.
_HEIGHTS = (0.2, 0.8, 1.4, 1.8, 2.1)
# Of two that rival each other a room has one.
_RIVALS: Mapping[Maker, Maker] = MappingProxyType(
    {furniture.television: clutter.wall_screen, clutter.wall_screen: furniture.television}
)
# Depth that a piece must leave before the camera, m; the part of the picture that one may take, and must.
CLEAR, MOST, LEAST = 0.75, 0.42, 0.002
# What is kept between things, and what is so flat that things may stand on it, m.
_GAP, _FLAT = 0.02, 0.02


@dataclass(frozen=True)
class PlacedPiece:
    """A piece at its place in the room.

    x, z: of the middle of its back, in metres to the right of and ahead of the camera.
    angle: from the camera's right to the piece's right, in radians, anticlockwise as seen from below.
    """

    piece: Piece
    x: float
    z: float
    angle: float

    def at(self, x: Array, z: Array) -> tuple[Array, Array]:
        """Return x and z in the room of points in the piece's own coordinates. x, z: metres, of any shape."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        return self.x + x * c + z * s, self.z + x * s - z * c

    def outline(self) -> tuple[Array, Array]:
        """Return x and z of its four corners, [4] each, in metres."""
        w, depth = self.piece.width / 2, self.piece.depth
        return self.at(np.array([-w, w, w, -w]), np.array([0, 0, depth, depth]))


@dataclass(frozen=True)
class Furnished:
    """The N boxes of a furnished room, in metres (right, down, forward) from the camera.

    centre, half: [N, 3], centres and half sizes.
    angle: [N], about the upright axis, in radians.
    boxes: N, with names and materials.
    pieces: N, the index of the piece that each box belongs to.
    standing: the pieces.
    """

    centre: Array
    half: Array
    angle: Array
    boxes: tuple[Box, ...]
    pieces: tuple[int, ...]
    standing: tuple[PlacedPiece, ...]


def furnish(paint: Paint, view: CameraView) -> Furnished:
    """Return a room with random furniture, things on the walls and clutter.

    view: the empty room and the camera.
    """
    room = _Room(paint, view)
    # The window comes first, before anything tall takes its place.
    if paint.chance(0.65):
        room.hang(view.walls[paint.pick(*(1,) * len(view.walls))], ((clutter.window, 1.0),))
    for wall in view.walls:
        room.line(wall)
    # If no floor is visible, more things hang on the walls.
    for _ in range(2 if any(edge[0] == "f" for edge in TYPES[view.kind].edges) else 4):
        for wall in view.walls:
            room.hang(wall)
    room.fill()
    room.light()
    return _collected(room.standing, float(view.high[1]))


def _collected(standing: Sequence[PlacedPiece], floor: float) -> Furnished:
    boxes = [box for each in standing for box in each.piece.boxes]
    origin = np.array([(s.x, s.z, s.angle, s.piece.foot) for s in standing for _ in s.piece.boxes]).reshape(-1, 4)
    own = np.array([(b.x, b.y, b.z, b.angle, *b.half) for b in boxes]).reshape(-1, 7)
    c, s = np.cos(origin[:, 2]), np.sin(origin[:, 2])
    x = origin[:, 0] + own[:, 0] * c + own[:, 2] * s
    z = origin[:, 1] + own[:, 0] * s - own[:, 2] * c
    y = floor - origin[:, 3] - own[:, 1]
    angle = origin[:, 2] - own[:, 3]
    pieces = tuple(i for i, each in enumerate(standing) for _ in each.piece.boxes)
    return Furnished(np.stack([x, y, z], 1), own[:, 4:], angle, tuple(boxes), pieces, tuple(standing))


class _Room:
    """A room that is being furnished."""

    def __init__(self, paint: Paint, view: CameraView) -> None:
        self.paint, self.view = paint, view
        self.standing: list[PlacedPiece] = []
        self.height = float(view.high[1] - view.low[1])
        self._spans: dict[int, tuple[Span, Span]] = {}
        self._made: set[Maker] = set()
        self._taken: list[_Extent] = []

    def line(self, wall: int) -> None:
        """Let pieces stand side by side along a wall, from the left to the right of what is seen of it."""
        paint = self.paint
        at, last = self._span(wall)[0]
        at += paint.between(0, 0.4)
        for _ in range(9):
            if at > last - 0.3:
                return
            maker, piece = self._make(_STANDING)
            along = at + piece.width / 2
            if piece.height < self.height - 0.1 and self._fits(self._at_wall(piece, wall, along)):
                self._made |= {maker, _RIVALS.get(maker, maker)}
                at += piece.width + paint.between(0.05, 0.5)
            elif paint.chance(0.4):
                at += 0.3

    def hang(self, wall: int, kinds: Kinds = _HANGING) -> None:
        """Hang something on a wall where there is room."""
        paint = self.paint
        first, last = self._span(wall)[1]
        maker, piece = self._make(kinds)
        for _ in range(6):
            foot = min(piece.foot + paint.between(-0.1, 0.25), self.height - piece.height - 0.08)
            piece = replace(piece, foot=foot)
            along = paint.between(first, max(first, last))
            if self._fits(self._at_wall(piece, wall, along)):
                self._made |= {maker, _RIVALS.get(maker, maker)}
                return

    def fill(self) -> None:
        """Put tables, chairs, a rug and clutter on what is seen of the floor."""
        for maker, chance in zip(_FREE, (0.5, 0.6, 0.5, 0.6, 0.9), strict=True):
            if not self.paint.chance(chance):
                continue
            piece = maker(self.paint)
            placed = self._anywhere(piece)
            if placed is not None and maker is furniture.table:
                self._chairs(placed)

    def _chairs(self, table: PlacedPiece) -> None:
        """Put chairs around a table, facing it."""
        w, depth = table.piece.width, table.piece.depth
        for x in (-w / 4, w / 4):
            for z, turned in ((-0.3, 0.0), (depth + 0.3, math.pi)):
                if self.paint.chance(0.65):
                    chair = furniture.chair(self.paint)
                    place = table.at(np.array(x), np.array(z))
                    angle = table.angle + turned + self.paint.between(-0.2, 0.2)
                    self._fits(PlacedPiece(chair, float(place[0]), float(place[1]), angle))

    def _anywhere(self, piece: Piece) -> PlacedPiece | None:
        low, high = self.view.low, self.view.high
        for _ in range(6):
            x, z = self.paint.between(low[0], high[0]), self.paint.between(0.8, high[2])
            angle = math.pi / 2 * self.paint.pick(1, 1, 1, 1) + self.paint.between(-0.15, 0.15)
            standing = PlacedPiece(piece, x, z, angle)
            if self._fits(standing):
                return standing
        return None

    def light(self) -> None:
        """Hang a lamp from the ceiling."""
        if self.paint.chance(0.6):
            self._anywhere(clutter.ceiling_lamp(self.paint, self.height))

    def _make(self, kinds: Kinds) -> tuple[Maker, Piece]:
        left = [(maker, weight) for maker, weight in kinds if maker not in self._made or maker in _SEVERAL]
        maker = left[self.paint.pick(*(weight for _, weight in left))][0]
        return maker, maker(self.paint)

    def _at_wall(self, piece: Piece, wall: int, along: float) -> PlacedPiece:
        """Return a piece with its back to a wall, `along` metres from the wall's left end."""
        low, high = self.view.low, self.view.high
        x, z = ((low[0], low[2]), (low[0], high[2]), (high[0], high[2]), (high[0], low[2]))[wall]
        angle = math.pi / 2 * (1 - wall)
        return PlacedPiece(piece, x + along * math.cos(angle), z + along * math.sin(angle), angle)

    def _span(self, wall: int) -> tuple[Span, Span]:
        """Return from where to where along a wall things that stand, and that hang, are in the picture."""
        if wall not in self._spans:
            self._spans[wall] = self._seen_along(wall)
        return self._spans[wall]

    def _seen_along(self, wall: int) -> tuple[Span, Span]:
        low, high = self.view.low, self.view.high
        at = np.linspace(0, float((high - low)[2 if wall % 2 == 0 else 0]), 17)
        x, z = self._at_wall(Piece((), 0, 0, 0), wall, 0).at(at, np.full_like(at, 0.1))
        points = np.empty((len(_HEIGHTS), len(at), 3))
        points[..., 0], points[..., 1], points[..., 2] = x, high[1] - np.array(_HEIGHTS)[:, None], z
        points = points @ self.view.turn
        ahead = points[..., 2] > 0.4
        places = in_picture(np.where(ahead[..., None], points, 1.0))
        shown = ahead & (places > 0).all(-1) & (places < 1).all(-1)
        return _ends(at[shown[:3].any(0)]), _ends(at[shown[2:].any(0)])

    def _fits(self, standing: PlacedPiece) -> bool:
        """Keep a piece if it is in the room, in the picture but not all over it, and in nothing's way."""
        piece, low, high = standing.piece, self.view.low, self.view.high
        x, z = standing.outline()
        extent = (float(x.min()), float(z.min()), piece.foot, float(x.max()), float(z.max()), piece.foot + piece.height)
        left, near, _, right, far, _ = extent
        # What stands at a wall touches it, but for rounding.
        e = 1e-6
        within = low[0] - e < left and right < high[0] + e and low[2] - e < near and far < high[2] + e
        flat = piece.height < _FLAT
        if not within or (not flat and _meets(extent, self._taken)) or not self._shown(standing, x, z):
            return False
        if not flat:
            self._taken.append(extent)
        self.standing.append(standing)
        return True

    def _shown(self, standing: PlacedPiece, x: Array, z: Array) -> bool:
        piece, floor = standing.piece, self.view.high[1]
        ys = (floor - piece.foot, floor - piece.foot - piece.height)
        points = np.concatenate([np.stack([x, np.full(4, y), z], 1) for y in ys]) @ self.view.turn
        if points[:, 2].min() < CLEAR:
            return False
        places = in_picture(points)
        start, end = places.min(0).clip(0, 1), places.max(0).clip(0, 1)
        part = float(np.prod(end - start))
        return LEAST < part < (1.0 if piece.height < _FLAT else MOST)


def _ends(at: Array) -> Span:
    return (float(at[0]), float(at[-1])) if len(at) else (0.0, 0.0)


def _meets(one: _Extent, others: Sequence[_Extent]) -> bool:
    left, near, foot, right, far, top = (*(low - _GAP for low in one[:3]), *(high + _GAP for high in one[3:]))
    return any(
        left < x1 and x0 < right and near < z1 and z0 < far and foot < y1 and y0 < top
        for x0, z0, y0, x1, z1, y1 in others
    )
