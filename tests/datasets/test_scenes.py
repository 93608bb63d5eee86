"""Batches of scenes: targets as their forms say, and augmentation against the geometry worked out anew."""

import numpy as np
import pytest
import torch

from gradnorm.datasets.builtin.rooms import Rooms
from gradnorm.datasets.by_path.nyuv2 import CAMERA
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.scenes.cache import LazyScenes, SceneCache
from gradnorm.datasets.scenes.normals import Camera, normals_from_depth
from gradnorm.datasets.scenes.source import SceneSource
from gradnorm.datasets.scenes.views import SceneView, augmented, picture, target, whole
from gradnorm.rendering.scene import Scene
from tests.datasets.files import room

SIZE = (96, 128)
ALL = ("classes", "depth", "normals", "keypoints")


def scene(index=0, keypoints=False):
    depth, normals, labels = room(index, SIZE)
    image = np.random.default_rng(index).integers(0, 256, (3, *SIZE), np.uint8)
    points = np.full((48, 2), np.nan, np.float32)
    points[:3] = [[0, 0], [127, 95], [63.5, 47.5]]
    return Scene(image, depth, normals.astype(np.float32), labels.astype(np.uint8), points if keypoints else None)


def source(wanted=ALL[:3], count=4, test=3, size=(64, 64), stride=2, seed=0, augment=True, **options):
    scenes = [scene(i, **options) for i in range(count)]
    return SceneSource(scenes, scenes[:test], wanted, size=size, stride=stride, seed=seed, augment=augment)


def angles(found, true):
    return np.degrees(np.arccos(np.clip((found * true).sum(0), -1, 1)))


def test_targets_are_as_their_forms_say():
    found = source(ALL, keypoints=True)
    for batch, n in ((found.test, 3), (found.batch(1, 5), 5)):
        classes, depth, normals, points = batch.targets
        assert (batch.inputs.dtype, tuple(batch.inputs.shape)) == (torch.uint8, (n, 3, 64, 64))
        assert (classes.dtype, tuple(classes.shape)) == (torch.int64, (n, 32, 32))
        assert (depth.dtype, tuple(depth.shape)) == (torch.float32, (n, 1, 32, 32))
        assert (normals.dtype, tuple(normals.shape)) == (torch.float32, (n, 3, 32, 32))
        assert (points.dtype, tuple(points.shape)) == (torch.float32, (n, 48, 2))
        assert set(classes.unique().tolist()) <= {6, 7}
        torch.testing.assert_close(normals.norm(dim=1), torch.ones(n, 32, 32))
    assert [task.name for task in found.tasks] == list(ALL)
    assert found.slow
    assert found.stride == 2
    assert found.shape == (3, 64, 64)


def test_a_batch_is_a_function_of_seed_step_and_size():
    one, two, other = source(), source(), source(seed=1)
    two.batch(1, 3)
    for a, b in zip(
        [one.batch(5, 4).inputs, *one.batch(5, 4).targets],
        [two.batch(5, 4).inputs, *two.batch(5, 4).targets],
        strict=True,
    ):
        assert torch.equal(a, b)
    assert not torch.equal(one.batch(5, 4).inputs, one.batch(6, 4).inputs)
    assert not torch.equal(one.batch(5, 4).inputs, other.batch(5, 4).inputs)


def test_the_test_set_and_plain_batches_are_not_augmented():
    plain = source(size=SIZE, stride=1, augment=False)
    batch = plain.batch(1, 6)
    whole_images = [torch.from_numpy(scene(i).image) for i in range(4)]
    assert all(any(torch.equal(image, known) for known in whole_images) for image in batch.inputs)
    assert torch.equal(plain.test.inputs, torch.stack(whole_images[:3]))
    np.testing.assert_array_equal(plain.test.targets[1][2, 0].numpy(), scene(2).depth)


def test_more_test_scenes_than_one_thread_reads_are_in_order():
    scenes = [scene(i % 5) for i in range(40)]
    found = SceneSource(scenes, scenes, ("depth",), size=SIZE, stride=1, seed=0, augment=False)
    for i in (0, 17, 39):
        np.testing.assert_array_equal(found.test.targets[0][i, 0].numpy(), scene(i % 5).depth)


def test_a_flip_agrees_with_the_normals_of_the_flipped_depth():
    # The mirrored camera has its principal point mirrored.
    camera = CAMERA.scaled(0.2, 0.2)
    mirrored = Camera(camera.fx, camera.fy, SIZE[1] - 1 - camera.cx, camera.cy)
    one = scene(3)
    view = SceneView(0, 0, *SIZE, flip=True)
    depth, given = target("depth", one, view, SIZE)[0], target("normals", one, view, SIZE)
    again = normals_from_depth(depth, mirrored, 2)
    np.testing.assert_array_equal(depth, one.depth[:, ::-1])
    assert np.percentile(angles(again, given), 95) < 0.1
    assert angles(target("normals", one, whole(one), SIZE)[:, :, ::-1], given).max() > 10
    np.testing.assert_array_equal(picture(one, view, SIZE).numpy(), one.image[:, :, ::-1])


def test_a_zoom_agrees_with_the_normals_of_the_zoomed_depth():
    """The zoomed picture, taken for one by a camera of the same focal length, shows the normals that are given."""
    one = scene(3)
    view = SceneView(top=30, left=20, height=64, width=80, scale=1.5)
    camera = CAMERA.scaled(0.2, 0.2)
    maps = (64, 80)
    # Without resizing, the zoomed picture's focal length is that of the whole over the scale.
    moved = Camera(camera.fx / 1.5, camera.fy / 1.5, camera.cx - 20, camera.cy - 30)
    depth, given = target("depth", one, view, maps)[0], target("normals", one, view, maps)
    np.testing.assert_allclose(depth * 1.5, one.depth[30:94, 20:100], rtol=1e-6)
    again = normals_from_depth(depth, moved, 2)
    assert np.percentile(angles(again, given), 95) < 0.2
    # x and y of all points stay as they were, as what is twice as near looks twice as large.
    u = np.arange(80)
    np.testing.assert_allclose(
        (u - moved.cx) / moved.fx * depth, (u + 20 - camera.cx) / camera.fx * one.depth[30:94, 20:100], rtol=1e-5
    )


def test_all_that_is_drawn_lies_in_the_scene():
    one = scene()
    random = np.random.default_rng(0)
    views = [augmented(one, random.random(7).tolist(), True) for _ in range(300)]
    views += [augmented(one, [value] * 7, True) for value in (0.0, 1 - 2**-53)]
    for view in views:
        assert 0 <= view.top <= view.top + view.height <= SIZE[0]
        assert 0 <= view.left <= view.left + view.width <= SIZE[1]
        assert 1 <= view.scale <= 1.52
        assert view.scale == pytest.approx(SIZE[0] / view.height, rel=0.01)
        assert all(0.8 <= factor <= 1.2 for factor in view.jitter)
    assert 0.3 < np.mean([view.flip for view in views]) < 0.7
    assert {view.top + view.height for view in views} >= {SIZE[0]}


def test_unknown_values_do_not_bleed():
    one = scene()
    one.depth[::2] = 0
    one.normals[:, ::2] = 0
    one.labels[::2] = 0
    view = SceneView(3, 5, 61, 77, 1.3, True)
    classes, depth, normals = (target(task, one, view, (23, 31)) for task in ("classes", "depth", "normals"))
    unknown = depth[0] == 0
    assert 0.2 < unknown.mean() < 0.8
    assert set(np.unique(depth[0][~unknown] * np.float32(1.3))) <= set(np.unique(one.depth / np.float32(1.3) * 1.3))
    np.testing.assert_array_equal(classes == -1, unknown)
    np.testing.assert_array_equal((normals == 0).all(0), unknown)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=0)[~unknown], 1, rtol=1e-5)


def test_pictures_are_resized_with_antialiasing():
    checks = np.indices(SIZE).sum(0) % 2 * 255
    one = scene()
    one.image[:] = checks
    small = picture(one, whole(one), (24, 32))
    assert int((small.float() - 127.5).abs().max()) <= 8


def test_jitter_by_hand():
    one = scene()
    view = SceneView(0, 0, *SIZE, jitter=(0.9, 1.0, 1.0))
    np.testing.assert_allclose(picture(one, view, SIZE).numpy(), one.image * 0.9, atol=0.51)
    grey = picture(one, SceneView(0, 0, *SIZE, jitter=(1.0, 1.0, 0.0)), SIZE).numpy()
    np.testing.assert_allclose(grey[1], np.tensordot([0.299, 0.587, 0.114], one.image, 1), atol=0.51)
    flat = picture(one, SceneView(0, 0, *SIZE, jitter=(1.0, 0.0, 1.0)), SIZE).numpy()
    np.testing.assert_allclose(flat, one.image.mean(), atol=0.51)


def test_keypoints_go_with_the_view():
    one = scene(keypoints=True)
    points = target("keypoints", one, whole(one), SIZE)
    # The centre of the first pixel lies half a pixel inside.
    np.testing.assert_allclose(points[:3], [[0.5 / 128, 0.5 / 96], [127.5 / 128, 95.5 / 96], [0.5, 0.5]], rtol=1e-5)
    assert np.isnan(points[3:]).all()
    part = target("keypoints", one, SceneView(24, 32, 48, 64), SIZE)
    np.testing.assert_allclose(part[2], [0.5, 0.5])
    assert np.isnan(part[:2]).all()
    assert np.isnan(target("keypoints", scene(), whole(one), SIZE)).all()


def test_scenes_with_keypoints_are_never_flipped():
    for wanted, flips in ((("depth",), True), (("depth", "keypoints"), False)):
        one = scene(keypoints=True)
        one.depth[:] = np.linspace(1, 2, SIZE[1], dtype=np.float32)
        found = SceneSource([one], [one], wanted, size=SIZE, stride=1, seed=0, augment=True)
        depth = found.batch(1, 16).targets[0]
        assert bool((depth[:, 0, 0, 0] > depth[:, 0, 0, -1]).any()) == flips


def test_no_scenes_are_refused():
    with pytest.raises(DataError, match="Found 0 and 1"):
        SceneSource([], [scene()], ("depth",), size=SIZE, stride=1, seed=0, augment=False)


def test_kept_scenes_are_those_that_were_read_whatever_is_kept():
    asked = []

    def read(row):
        asked.append(row)
        return scene(row)

    small = scene(0).image.nbytes * 3
    kept, none = SceneCache(read, limit=2 * small), SceneCache(scene, limit=0)
    found = LazyScenes(kept, [2, 0, 1])
    assert len(found) == 3
    for i, row in ((0, 2), (1, 0), (2, 1), (0, 2), (1, 0), (2, 1)):
        again, one = none(row), scene(row)
        for field in ("image", "depth", "normals", "labels"):
            np.testing.assert_array_equal(getattr(found[i], field), getattr(again, field))
        np.testing.assert_array_equal(again.image, one.image)
        np.testing.assert_allclose(again.depth, one.depth, atol=0.0005001)
        assert angles(again.normals, one.normals).max() < 0.4
    # The third does not fit, and is read for each of four fields, twice.
    assert asked == [2, 0] + [1] * 8
    assert [len(part) for part in (found[1:], found[:0])] == [2, 0]


def test_a_test_set_that_would_fill_the_memory_is_refused_before_it_is_rendered():
    with pytest.raises(DataError, match=r"at most 8 GiB. Found 5,000 pictures of 10.5 MiB. Take a smaller size"):
        Rooms(count=20_000, size=640, output_stride="1").load(0)
