"""Normals from depth, against planes whose normals are known."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradnorm.datasets.by_path.nyuv2 import CAMERA
from gradnorm.datasets.scenes.normals import Camera, normals_from_depth, unit
from tests.datasets.files import plane, room


def angles(found, true):
    """Return degrees between [3, n] and [3, n]."""
    return np.degrees(np.arccos(np.clip((found * true).sum(0), -1, 1)))


@settings(max_examples=25)
@given(st.floats(-70, 70), st.floats(-70, 70), st.floats(0.5, 8))
def test_a_tilted_plane_has_its_normal(pan, tilt, distance):
    pan, tilt = np.radians(pan), np.radians(tilt)
    normal = (np.sin(pan), np.sin(tilt), -np.cos(pan) * np.cos(tilt))
    normal, depth = plane(normal, distance)
    assume(np.isfinite(depth).all() and depth.max() < 10 * depth.min())
    found = normals_from_depth(depth.astype(np.float32), CAMERA.scaled(0.2, 0.2), 2)
    assert angles(found.reshape(3, -1), normal[:, None]).max() < 0.5


def test_a_wall_seen_from_the_front_faces_the_camera():
    _, depth = plane((0, 0, -1), 2.5)
    found = normals_from_depth(depth.astype(np.float32), CAMERA.scaled(0.2, 0.2), 2)
    np.testing.assert_allclose(found.reshape(3, -1).T, np.tile([0, 0, -1], (found[0].size, 1)), atol=1e-4)


def test_a_room_with_a_crease_and_a_box():
    size = (240, 320)
    camera = CAMERA.scaled(0.5, 0.5)
    depth, true, _ = room(2, size)
    side, near = plane((0.3, 0.2, -1), 1.4, size)
    depth[80:160, 100:170] = near[80:160, 100:170]
    true[:, 80:160, 100:170] = side[:, None, None]
    found = normals_from_depth(depth, camera, 3)
    known = (found != 0).any(0)
    errors = angles(found[:, known], true[:, known])
    assert known.mean() > 0.98
    assert np.median(errors) < 0.1
    assert np.percentile(errors, 99) < 2


def test_kinects_noise_leaves_a_few_degrees():
    depth, true, _ = room(1, (480, 640))
    depth += np.random.default_rng(0).normal(size=depth.shape) * 0.0015 * depth**2
    found = normals_from_depth(depth, CAMERA, 5)
    # 1.5 cm of noise on a wall 3 m away, over 121 points that reach 1.9 cm to each side: 14 / (11 · 19) = 4°.
    assert np.median(angles(found.reshape(3, -1), true.reshape(3, -1))) < 5


def test_unknown_depths_and_single_points_have_no_normal():
    _, depth = plane((0, 0.2, -1), 2)
    depth = depth.astype(np.float32)
    depth[20:50, 30:90] = 0
    depth[35, 60] = 2
    found = normals_from_depth(depth, CAMERA.scaled(0.2, 0.2), 2)
    assert not found[:, 20:50, 30:90].any()
    assert (np.abs(np.linalg.norm(found[:, :18], axis=0) - 1) < 1e-5).all()


def test_scaling_a_camera_keeps_the_rays_of_corners():
    camera, small = Camera(500, 510, 319.5, 239.5), Camera(500, 510, 319.5, 239.5).scaled(0.25, 0.5)
    # The picture's left edge is at −0.5, whatever its size.
    assert (-0.5 - small.cx) / small.fx == pytest.approx((-0.5 - camera.cx) / camera.fx)
    assert (239.5 - small.cy) / small.fy == pytest.approx((479.5 - camera.cy) / camera.fy)


def test_unit_leaves_nothing_as_it_is():
    np.testing.assert_allclose(unit(np.array([[3, 0], [4, 0], [0, 0]], np.float32)), [[0.6, 0], [0.8, 0], [0, 0]])
