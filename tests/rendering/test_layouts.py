"""Keypoints lie where the room's planes meet, in LSUN's order, and each type is what it says."""

import numpy as np
import pytest

from gradnorm.common.randomness import stream
from gradnorm.rendering.camera import BOTTOM, LEFT, RIGHT, TOP, intrinsics, rotation
from gradnorm.rendering.layouts import TYPES, keypoints, visible_edges
from gradnorm.rendering.scene import LAYOUTS
from gradnorm.rendering.views import layout_type, view

# Which keypoints (from 1) outline which surface, of the walls from the left, the floor and the ceiling: LSUN's.
OUTLINES = (
    ({1, 2, 3, 4}, {1, 3, 5, 7}, {5, 6, 7, 8}, {3, 4, 5, 6}, {1, 2, 7, 8}),
    ({1, 2, 3}, {1, 2, 4, 5}, {4, 5, 6}, {1, 3, 4, 6}, set()),
    ({1, 2, 3}, {1, 3, 4, 6}, {4, 5, 6}, set(), {1, 2, 4, 5}),
    ({1, 2, 3}, {1, 3, 4}, None, set(), {1, 2, 4}),
    ({1, 2, 3}, {1, 3, 4}, None, {1, 2, 4}, set()),
    ({1, 2, 4, 5}, {1, 3, 4, 6}, None, {4, 5, 6}, {1, 2, 3}),
    ({1, 2, 3, 4}, None, None, {3, 4}, {1, 2}),
    ({1, 2}, {1, 2, 3, 4}, {3, 4}, set(), set()),
    ({1, 2}, None, None, set(), {1, 2}),
    ({1, 2}, None, None, {1, 2}, set()),
    ({1, 2}, {1, 2}, None, set(), set()),
)
SEEDS = range(6)


def a_view(seed, kind):
    return view(stream(seed, "test"), kind)


def planes_of(found, point):
    """The planes, as (axis, place), that should meet in a keypoint, numbered from 1."""
    *walls, floor, ceiling = OUTLINES[found.kind]
    planes = []
    for wall, outline in zip(found.walls, [w for w in walls if w is not None], strict=True):
        if point in outline:
            axis = 0 if wall % 2 == 0 else 2
            planes.append((axis, (found.high if wall in (1, 2) else found.low)[axis]))
    if point in floor:
        planes.append((1, found.high[1]))
    if point in ceiling:
        planes.append((1, found.low[1]))
    return planes


@pytest.mark.parametrize("kind", range(11))
def test_keypoints_are_where_planes_meet(kind):
    height, width = 480, 640
    camera = intrinsics(height, width)
    for seed in SEEDS:
        found = a_view(seed, kind)
        points = keypoints(kind, found.points, height, width)
        there = np.flatnonzero(~np.isnan(points).any(1))
        assert there.tolist() == list(range(LAYOUTS[kind], LAYOUTS[kind + 1]))
        for number, (x, y) in enumerate(points[there], 1):
            ray = found.turn @ [(x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1]
            planes = planes_of(found, number)
            assert len(planes) in (2, 3)
            depths = [place / ray[axis] for axis, place in planes]
            assert np.ptp(depths) < 1e-4 * depths[0]
            assert 0 < depths[0] < 10
            # Where only two planes meet, it is the picture's edge that ends the line between them.
            edge = min(x + 0.5, width - 0.5 - x, y + 0.5, height - 0.5 - y)
            assert edge == pytest.approx(0, abs=1e-3) if len(planes) == 2 else edge > 10


@pytest.mark.parametrize("kind", range(11))
def test_just_the_walls_of_a_type_are_in_the_picture(kind):
    x, y = np.meshgrid(np.linspace(LEFT, RIGHT, 300), np.linspace(TOP, BOTTOM, 300))
    *walls, floor, ceiling = OUTLINES[kind]
    for seed in SEEDS:
        found = a_view(seed, kind)
        rays = np.stack([x, y, np.ones_like(x)], -1) @ found.turn.T
        low, high = (end / rays for end in (found.low, found.high))
        exits = np.concatenate([low, high], -1)
        hit = np.where(exits > 0, exits, np.inf).argmin(-1)
        named = {0: "left", 1: "ceiling", 2: "back", 3: "right", 4: "floor", 5: "front"}
        there = {named[k] for k in np.unique(hit)}
        wanted = {("left", "front", "right", "back")[wall] for wall in found.walls}
        assert len(wanted) == sum(wall is not None for wall in walls)
        assert there - {"floor", "ceiling"} == wanted
        assert ("floor" in there, "ceiling" in there) == (bool(floor), bool(ceiling))


def test_a_room_by_hand():
    # Corners of the wall ahead are seen at X/Z = ±1/4, Y/Z = ±1/4, and its edges run away from the middle.
    low, high, turn = np.array([[-1.0, -1, -1]]), np.array([[1.0, 1, 4]]), np.eye(3)[None]
    found = visible_edges(low, high, turn)
    assert found.matches(TYPES[0], 0).all()
    assert not any(found.matches(layout, first).any() for layout in TYPES[1:] for first in range(4))
    points = found.points(TYPES[0], 0)[0] * (RIGHT - LEFT, BOTTOM - TOP) + (LEFT, TOP)
    q = 0.25
    wanted = [(-q, -q), (TOP, TOP), (-q, q), (-BOTTOM, BOTTOM), (q, q), (BOTTOM, BOTTOM), (q, -q), (-TOP, TOP)]
    np.testing.assert_allclose(points, wanted, atol=1e-9)


def test_tables_have_as_many_points_as_roomnet():
    assert [len(layout.points) for layout in TYPES] == np.diff(LAYOUTS).tolist()


def test_each_block_of_eleven_has_all_types():
    for seed in (0, 5):
        kinds = [layout_type(seed, index) for index in range(55)]
        assert all(sorted(kinds[i : i + 11]) == list(range(11)) for i in range(0, 55, 11))
        assert kinds[:11] != kinds[11:22]


def test_the_camera_turns_the_way_it_says():
    right, down, forward = rotation(*(np.array(a) for a in (0.3, 0.0, 0.0))).T
    assert forward[0] == pytest.approx(np.sin(0.3))
    assert rotation(*(np.array(a) for a in (0.0, 0.2, 0.0)))[1, 2] == pytest.approx(np.sin(0.2))
    assert rotation(*(np.array(a) for a in (0.0, 0.0, 0.1)))[1, 0] == pytest.approx(np.sin(0.1))
    np.testing.assert_allclose([right, down], [[np.cos(0.3), 0, -np.sin(0.3)], [0, 1, 0]], atol=1e-12)
    turn = rotation(*(np.array(a) for a in (0.4, -0.3, 0.2)))
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_intrinsics_of_a_smaller_picture_see_the_same():
    big, small = intrinsics(480, 640), intrinsics(128, 128)
    assert (big.fx, big.fy, big.cx, big.cy) == (518.86, 519.47, 325.58, 253.74)
    for x, y in ((-0.5, 0.2), (0.3, -0.4)):
        assert x * small.fx + small.cx == pytest.approx((x * big.fx + big.cx + 0.5) * 128 / 640 - 0.5)
        assert y * small.fy + small.cy == pytest.approx((y * big.fy + big.cy + 0.5) * 128 / 480 - 0.5)
    rays = big.rays(480, 640)
    np.testing.assert_allclose(rays[:, 10, 600], [(600 - 325.58) / 518.86, (10 - 253.74) / 519.47, 1], rtol=1e-6)
