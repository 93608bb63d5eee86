"""Every pixel of a room is where its depth says, on a surface that looks as its normal says, with the right label."""

import numpy as np
import pytest

from gradnorm.common.randomness import stream
from gradnorm.rendering.camera import intrinsics
from gradnorm.rendering.parts import LABELS, NAMES, PARTS
from gradnorm.rendering.rooms import RenderedRooms, render, room
from gradnorm.rendering.scene import CLASSES, LAYOUTS
from gradnorm.rendering.views import layout_type, view

SMALL = (96, 128)
FULL = (480, 640)


@pytest.fixture(scope="module")
def rooms():
    """44 small rooms, four of each layout type."""
    return [room(0, index, *SMALL) for index in range(44)]


@pytest.fixture(scope="module")
def large():
    return [(index, room(2, index, *FULL)) for index in (0, 4)]


def points_of(scene):
    """What each pixel shows, in camera coordinates, [3, H, W], metres."""
    return intrinsics(*scene.depth.shape).rays(*scene.depth.shape).astype(float) * scene.depth


def view_of(seed, index):
    return view(stream(seed, "room", index), layout_type(seed, index))


def test_what_a_scene_says_it_is(rooms):
    for each in rooms:
        scene = each.scene
        assert (scene.image.shape, scene.image.dtype) == ((3, *SMALL), np.uint8)
        assert (scene.depth.shape, scene.depth.dtype) == (SMALL, np.float32)
        assert (scene.normals.shape, scene.normals.dtype) == ((3, *SMALL), np.float32)
        assert (scene.labels.shape, scene.labels.dtype) == (SMALL, np.uint8)
        assert (scene.keypoints.shape, scene.keypoints.dtype) == ((48, 2), np.float32)
        known = scene.depth > 0
        assert scene.depth[known].min() >= 0.5
        assert scene.depth.max() <= 10
        np.testing.assert_allclose(np.linalg.norm(scene.normals, axis=0), known, atol=1e-5)
        assert 0.5 < known.mean() < 1
        assert scene.labels.max() <= len(CLASSES)
        # Neither dark nor burnt out.
        assert 50 < scene.image.mean() < 210
        assert scene.image.std() > 10


def test_normals_look_towards_the_camera(rooms):
    rays = intrinsics(*SMALL).rays(*SMALL)
    for each in rooms:
        known = each.scene.depth > 0
        assert ((each.scene.normals * rays).sum(0)[known] < 0).all()


def test_walls_floor_and_ceiling_are_flat_and_where_the_box_is(rooms):
    for index, each in enumerate(rooms):
        found = view_of(0, index)
        x, y, z = np.tensordot(found.turn, points_of(each.scene), 1)
        known = each.scene.depth > 0
        off = {
            "floor": np.abs(y - found.high[1]),
            "ceiling": np.abs(y - found.low[1]),
            "wall": np.minimum.reduce(
                [np.abs(a - end[axis]) for a, axis in ((x, 0), (z, 2)) for end in (found.low, found.high)]
            ),
        }
        for name, distance in off.items():
            here = known & (each.parts == 1 + NAMES.index(name))
            assert distance[here].max(initial=0) < 2e-4


def test_nothing_goes_through_walls(rooms):
    for index, each in enumerate(rooms):
        found = view_of(0, index)
        places = np.tensordot(found.turn, points_of(each.scene), 1)[:, each.scene.depth > 0]
        assert (places > found.low[:, None] - 1e-3).all()
        assert (places < found.high[:, None] + 1e-3).all()


def test_normals_are_those_of_the_depth(large):
    for _, each in large:
        points, normals = points_of(each.scene), each.scene.normals
        across = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
        down = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
        found = np.cross(down, across, axis=0)
        found /= np.linalg.norm(found, axis=0) + 1e-30
        inner = normals[:, 1:-1, 1:-1]
        with np.errstate(divide="ignore"):
            nearness = 1 / each.scene.depth.astype(float)
        # On a plane 1/depth is affine: these are pixels whose neighbours are on the same one.
        flat = np.isfinite(nearness[1:-1, 1:-1])
        for one, other in ((nearness[1:-1, :-2], nearness[1:-1, 2:]), (nearness[:-2, 1:-1], nearness[2:, 1:-1])):
            with np.errstate(invalid="ignore"):
                flat &= np.abs(one + other - 2 * nearness[1:-1, 1:-1]) < 1e-6
        assert flat.mean() > 0.7
        angles = np.degrees(np.arccos(np.clip((found * inner).sum(0)[flat], -1, 1)))
        assert (angles < 1).mean() > 0.999


def test_keypoints_that_are_corners_are_the_corners_of_the_depth():
    # In a room of type 5 the corner between two walls and the floor is where three planes fitted to the depth meet.
    index = next(i for i in range(11) if layout_type(4, i) == 5)
    each = room(4, index, *FULL)
    camera, scene = intrinsics(*FULL), each.scene
    points, wall = points_of(scene), each.parts == 1 + NAMES.index("wall")
    normals = [scene.normals[:, each.parts == 1 + NAMES.index("ceiling")][:, 0]]
    on = [points[:, each.parts == 1 + NAMES.index("ceiling")]]
    for n in np.unique(scene.normals[:, wall & (scene.depth > 0)].T, axis=0):
        normals.append(n)
        on.append(points[:, wall & (np.abs(scene.normals - n[:, None, None]).max(0) < 1e-6)])
    assert len(normals) == 3
    offsets = [float(np.median(n @ p[:, p[2] > 0])) for n, p in zip(normals, on, strict=True)]
    x, y, z = np.linalg.solve(np.array(normals, float), offsets)
    corner = (x / z * camera.fx + camera.cx, y / z * camera.fy + camera.cy)
    np.testing.assert_allclose(scene.keypoints[LAYOUTS[5]], corner, atol=0.05)


def test_all_classes_occur_and_most_pictures_have_many(rooms):
    found = [set(np.unique(each.scene.labels)) - {0} for each in rooms]
    assert set.union(*found) == set(range(1, 14))
    assert np.median([len(classes) for classes in found]) >= 6
    assert min(len(classes) for classes in found) >= 2


def test_no_colour_gives_a_class_away(rooms):
    # The nearest class mean in RGB finds the class of few pixels.
    pixels = np.concatenate([each.scene.image[:, each.scene.labels > 0].T for each in rooms]).astype(float)
    labels = np.concatenate([each.scene.labels[each.scene.labels > 0] for each in rooms])
    means = np.stack([pixels[labels == k].mean(0) for k in range(1, 14)])
    guess = 1 + ((pixels[::7, None] - means) ** 2).sum(-1).argmin(1)
    recalls = [(guess == k)[labels[::7] == k].mean() for k in range(1, 14)]
    assert np.mean(recalls) < 0.35


def test_labels_are_those_of_the_parts(rooms):
    table = np.array([0, *(CLASSES.index(PARTS[name]) + 1 for name in NAMES)])
    assert tuple(table[1:]) == LABELS
    for each in rooms:
        assert (table[each.parts] == each.scene.labels).all()
        assert ((each.instances > 0) == (each.parts > 0)).all()


@pytest.mark.parametrize("size", [SMALL, FULL, (128, 128)])
def test_edges_and_outlines_have_no_label(size):
    labels = render(1, 3, *size).labels
    border = [max(1, round(8 * n / base)) for n, base in zip(size, FULL, strict=True)]
    inner = labels[border[0] : -border[0], border[1] : -border[1]]
    assert labels.astype(int).sum() == inner.astype(int).sum()
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        assert not ((one != other) & (one > 0) & (other > 0)).any()
    assert (inner > 0).mean() > 0.75


def test_a_room_is_a_function_of_its_seed_and_number():
    one, again, next_, other = render(3, 5, *SMALL), render(3, 5, *SMALL), render(3, 6, *SMALL), render(4, 5, *SMALL)
    for name in ("image", "depth", "normals", "labels", "keypoints"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
    assert (one.image != next_.image).mean() > 0.5
    assert (one.image != other.image).mean() > 0.5


def test_a_room_is_the_same_at_any_size():
    small, big = render(0, 7, *SMALL), render(0, 7, *FULL)
    np.testing.assert_allclose((small.keypoints + 0.5) * 5, big.keypoints + 0.5, rtol=1e-5)
    # Centres of small pixels are centres of every fifth large one.
    depth = big.depth[2::5, 2::5]
    known = (small.depth > 0) & (depth > 0)
    assert known.mean() > 0.7
    assert (np.abs(small.depth - depth)[known] < 1e-4).mean() > 0.999
    both = (small.labels > 0) & (big.labels[2::5, 2::5] > 0)
    assert (small.labels == big.labels[2::5, 2::5])[both].mean() > 0.999
    assert np.abs(small.image.mean((1, 2)) - big.image.mean((1, 2))).max() < 6


def test_rooms_are_rendered_once_and_counted_from_the_first():
    found = RenderedRooms(7, 5, 32, 48, first=10)
    assert len(found) == 5
    assert found[1] is found[1]
    assert found[-1] is found[4]
    np.testing.assert_array_equal(found[1].image, render(7, 11, 32, 48).image)
    assert [scene is found[i] for i, scene in zip((1, 3), found[1::2], strict=True)] == [True, True]
    with pytest.raises(IndexError):
        found[5]
    assert len(list(found)) == 5


def test_no_more_rooms_are_kept_than_there_is_room_for():
    found = RenderedRooms(7, 3, 16, 16, limit=2 * 20 * 16 * 16)
    assert found[1] is found[1]
    assert found[2] is not found[2]
    np.testing.assert_array_equal(found[2].image, render(7, 2, 16, 16).image)
