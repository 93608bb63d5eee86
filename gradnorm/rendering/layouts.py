"""RoomNet's 11 layout types: which edges of the room are visible, and the order of their keypoints.

The walls that are seen are numbered from the left, 0 … 2. Their edges are `c` with the ceiling and `f` with the floor,
from left to right, and `v` with the next wall, from the ceiling to the floor; `<` is an edge's first end, `>` its
last: a corner of the room where that is in the picture, else where the edge leaves the picture. Types, walls and
orders are those of LSUN's room layout challenge, from which RoomNet took them (Lee et al., ICCV 2017); for types 6 to
10 our order is from the left and from above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradnorm.rendering.camera import BOTTOM, LEFT, RIGHT, TOP, Array, in_picture
from gradnorm.rendering.scene import LAYOUTS


@dataclass(frozen=True)
class RoomLayout:
    """A layout type. Edges and their ends are written as above.

    walls: the number of visible walls, 1 … 3.
    edges: the visible edges.
    corners: the ends of edges between walls that are corners of the room.
    points: the ends of edges that are the keypoints, in order.
    """

    walls: int
    edges: tuple[str, ...]
    corners: tuple[str, ...]
    points: tuple[str, ...]


def _room_layout(walls: int, edges: str, corners: str, points: str) -> RoomLayout:
    return RoomLayout(walls, tuple(edges.split()), tuple(corners.split()), tuple(points.split()))


TYPES = (
    _room_layout(3, "c0 c1 c2 f0 f1 f2 v0 v1", "v0< v0> v1< v1>", "v0< c0< v0> f0< v1> f2> v1< c2>"),
    _room_layout(3, "f0 f1 f2 v0 v1", "v0> v1>", "v0> v0< f0< v1> v1< f2>"),
    _room_layout(3, "c0 c1 c2 v0 v1", "v0< v1<", "v0< c0< v0> v1< c2> v1>"),
    _room_layout(2, "c0 c1 v0", "v0<", "v0< c0< v0> c1>"),
    _room_layout(2, "f0 f1 v0", "v0>", "v0> f0< v0< f1>"),
    _room_layout(2, "c0 c1 f0 f1 v0", "v0< v0>", "v0< c0< c1> v0> f0< f1>"),
    _room_layout(1, "c0 f0", "", "c0< c0> f0< f0>"),
    _room_layout(3, "v0 v1", "", "v0< v0> v1< v1>"),
    _room_layout(1, "c0", "", "c0< c0>"),
    _room_layout(1, "f0", "", "f0< f0>"),
    _room_layout(2, "v0", "", "v0< v0>"),
)


@dataclass(frozen=True)
class VisibleEdges:
    """Which of the 12 edges of N rooms are in the picture.

    edges: [N, 12], bool: of walls left, front, right, back their edges with the ceiling, then with the floor, then with
        the next wall.
    ends: [N, 12, 2, 2], both ends of what is seen of each edge, in the picture, (0, 0) … (1, 1) its corners.
    corners: [N, 12, 2], whether that end is a corner of the room.
    """

    edges: NDArray[np.bool_]
    ends: Array
    corners: NDArray[np.bool_]

    def matches(self, layout: RoomLayout, first: int) -> NDArray[np.bool_]:
        """Return which of the N rooms have this layout, [N].

        first: the room's wall that is wall 0 of the layout.
        """
        edges = np.zeros(12, bool)
        edges[[_edge(edge, first) for edge in layout.edges]] = True
        corners = np.zeros((4, 2), bool)
        for corner in layout.corners:
            corners[_edge(corner, first) - 8, int(corner[2] == ">")] = True
        # A corner of the room ends an edge between walls, so these tell of all corners.
        return (self.edges == edges).all(1) & (self.corners[:, 8:] == corners).all((1, 2))

    def points(self, layout: RoomLayout, first: int) -> Array:
        """Return the keypoints of the layout in each room, [N, points, 2]; arguments as for `matches`."""
        at = [(_edge(point, first), int(point[2] == ">")) for point in layout.points]
        edges, ends = zip(*at, strict=True)
        return self.ends[:, list(edges), list(ends)]


def _edge(name: str, first: int) -> int:
    return "cfv".index(name[0]) * 4 + (first + int(name[1])) % 4


def visible_edges(low: Array, high: Array, turn: Array) -> VisibleEdges:
    """Return which edges of N rooms are visible.

    low, high: [N, 3], two opposite corners in metres (right, down, forward) from the camera, which is inside.
    turn: [N, 3, 3], the camera's axes as columns.
    """
    ends = _edges(low, high) @ turn[:, None]
    x, y, z = np.moveaxis(ends, -1, 0)
    # Each ≥ 0 on the picture's side of one of its four edges.
    inside = np.stack([x - LEFT * z, RIGHT * z - x, y - TOP * z, BOTTOM * z - y], -1)
    first, last = inside[:, :, 0], inside[:, :, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        cut = first / (first - last)
    enters = np.where(first < 0, np.where(last < 0, np.inf, cut), 0.0).max(-1)
    leaves = np.where(last < 0, np.where(first < 0, -np.inf, cut), 1.0).min(-1)
    edges = enters < leaves
    along = np.where(edges[..., None], np.stack([enters, leaves], -1), 0.0)[..., None]
    cuts = ends[:, :, :1] + along * (ends[:, :, 1:] - ends[:, :, :1])
    with np.errstate(divide="ignore", invalid="ignore"):
        places = in_picture(cuts)
    return VisibleEdges(edges, places, edges[..., None] & np.stack([enters == 0, leaves == 1], -1))


def _edges(low: Array, high: Array) -> Array:
    """Return both ends of the 12 edges of each room, [N, 12, 2, 3]."""
    x = np.stack([low[:, 0], high[:, 0], high[:, 0], low[:, 0]], 1)
    z = np.stack([high[:, 2], high[:, 2], low[:, 2], low[:, 2]], 1)
    top, bottom = (np.stack([x, np.broadcast_to(y[:, None], x.shape), z], -1) for y in (low[:, 1], high[:, 1]))
    ceiling, floor = (np.stack([np.roll(corners, 1, 1), corners], 2) for corners in (top, bottom))
    return np.concatenate([ceiling, floor, np.stack([top, bottom], 2)], 1)


def keypoints(kind: int, points: Array, height: int, width: int) -> NDArray[np.float32]:
    """Return all 48 keypoints in pixels, [48, 2]; NaN for those of other types.

    kind: the type, 0 … 10; points: [points, 2], as `VisibleEdges.points` gives them.
    """
    all_points = np.full((LAYOUTS[-1], 2), np.nan, np.float32)
    all_points[LAYOUTS[kind] : LAYOUTS[kind + 1]] = points * (width, height) - 0.5
    return all_points
