"""Rendered rooms, written as NYUv2's file and read by NYUv2's loader, come back as they were rendered."""

import numpy as np
import pytest

from gradnorm.cli import main
from gradnorm.datasets.by_path.nyuv2 import File, NYUv2
from gradnorm.rendering.rooms import room

FILES = {"path": "rooms.mat", "splits": "splits.mat", "layout_file": "layouts.npy", "learn_keypoints": True}


def degrees(found, true):
    """Return the angles between unit vectors [3, H, W] where both are known."""
    known = found.any(0) & true.any(0)
    return np.degrees(np.arccos(np.clip((found * true).sum(0)[known], -1, 1)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "size"), [(2, (96, 128)), pytest.param(24, (480, 640), marks=pytest.mark.slow)], ids=["small", "whole"]
)
def test_rooms_in_nyuv2_s_layout_come_back_as_they_were_rendered(data, count, size):
    height, width = size
    given = ["data", "rooms", "--count", str(count), "--size", f"{height}x{width}", "--out", str(data / "rooms.mat")]
    assert main([*given, "--splits", str(data / "splits.mat"), "--layouts", str(data / "layouts.npy")]) == 0

    options = NYUv2(**FILES, size=64)
    file = File(options)
    assert len(file) == count
    top, left = round(45 * height / 480), round(41 * width / 640)
    cut = (slice(top, round(470 * height / 480)), slice(left, round(600 * width / 640)))
    angles = []
    for i in range(count):
        found, true = file.scene(i), room(0, i, height, width).scene
        np.testing.assert_array_equal(found.image, true.image[:, *cut])
        np.testing.assert_array_equal(found.depth, true.depth[cut])
        np.testing.assert_array_equal(found.labels, true.labels[cut])
        np.testing.assert_allclose(found.keypoints, true.keypoints - [left, top], atol=1e-3)
        angles.append(degrees(found.normals, true.normals[:, *cut]))
        # The median is one over the picture: where there is a depth, only at edges, where no plane fits, is no normal.
        assert angles[-1].size > 0.9 * (found.depth > 0).sum()
        assert np.median(angles[-1]) < 2
    assert np.median(np.concatenate(angles)) < 2

    source = options.load(0)
    training = round(count * 795 / 1449)
    assert (len(source.test.inputs), source.batch(1, 2).inputs.shape) == (count - training, (2, 3, 64, 64))
