"""NYU Depth v2 from a small file of the published form, and from files that are not."""

import h5py
import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.io import savemat

from gradnorm.datasets.by_path.nyuv2 import File, NYUv2
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.scenes.nyu_names import class_of
from gradnorm.datasets.scenes.nyu_splits import published_split, random_split
from gradnorm.rendering.scene import CLASSES
from tests.datasets.files import NAMES, SIZE, pictures, room, write_nyu

OPTIONS = {"path": "a.mat", "size": 64, "output_stride": "2"}
# 45:470 and 41:600 of 480 × 640, at 96 × 128.
ROWS, COLUMNS = slice(9, 94), slice(8, 120)


@pytest.fixture
def nyu(data):
    write_nyu(data / "a.mat")
    return data


def test_pictures_come_back_the_right_way_round_and_cut(nyu):
    images, depths, labels = pictures(5)
    file = File(NYUv2(**OPTIONS))
    assert len(file) == 5
    for i in range(5):
        scene = file.scene(i)
        np.testing.assert_array_equal(scene.image, images[i][:, ROWS, COLUMNS])
        np.testing.assert_array_equal(scene.depth, depths[i][ROWS, COLUMNS])
        expected = np.array([0, 5, 12])[np.searchsorted([0, 7, 8], labels[i][ROWS, COLUMNS])]
        np.testing.assert_array_equal(scene.labels, expected)
        assert scene.keypoints is None
        true = room(i)[1][:, ROWS, COLUMNS]
        known = (scene.normals != 0).any(0)
        assert known.mean() > 0.95
        cosine = (scene.normals * true).sum(0)[known]
        assert np.median(np.degrees(np.arccos(np.clip(cosine, -1, 1)))) < 0.1


def test_the_published_size_is_cut_as_the_field_does_it(data):
    write_nyu(data / "a.mat", count=2, size=(480, 640))
    scene = File(NYUv2(path="a.mat", learn_normals=False)).scene(1)
    assert scene.depth.shape == (425, 559)
    np.testing.assert_array_equal(scene.depth, pictures(2, (480, 640))[1][1, 45:470, 41:600])
    assert not scene.normals.any()


def test_the_source_has_the_tasks_that_are_switched_on(nyu):
    dataset = NYUv2(**OPTIONS, learn_normals=False)
    source = dataset.load(0)
    assert dataset.task_names == tuple(task.name for task in source.tasks) == ("classes", "depth")
    assert dataset.task_forms == ("segmentation", "depth")
    assert source.stride == 2
    assert len(source.test.inputs) == 2
    assert source.test.targets[0].unique().tolist() == [-1, 4, 11]
    one, two = source.batch(3, 4), dataset.load(0).batch(3, 4)
    assert torch.equal(one.inputs, two.inputs)
    assert all(torch.equal(a, b) for a, b in zip(one.targets, two.targets, strict=True))


def test_splits_of_both_versions_of_matlab(nyu):
    rows = {"trainNdxs": np.array([[5], [1]], np.uint16), "testNdxs": np.array([[2], [4], [3]], np.uint16)}
    savemat(nyu / "five.mat", rows)
    with h5py.File(nyu / "seven.mat", "w") as file:
        for key, values in rows.items():
            file[key] = values.T.astype(np.float64)
    for name in ("five.mat", "seven.mat"):
        assert published_split(name, 5) == ([4, 0], [1, 3, 2])
        assert NYUv2(splits=name).advice == ""
    test = NYUv2(**OPTIONS, splits="five.mat", augment=False).load(0).test
    assert len(test.inputs) == 3


def test_without_splits_the_rest_is_held_out_and_that_is_said():
    train, test = random_split(1449)
    assert (len(train), len(test)) == (797, 652)
    assert sorted(train + test) == list(range(1449))
    assert "splits.mat" in NYUv2().advice


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ([1, 2], [9], r"should be in 1 … 5, the number of pictures\. Found 9 … 9"),
        ([0, 1], [2], "Found 0 … 1"),
        ([1, 2], [2], "named once"),
        ([1, 1], [2], "named once"),
        ([1.5], [2], "numbers of pictures"),
        ([], [2], "Found none"),
        ([1, np.nan], [2], "numbers of pictures"),
    ],
)
def test_wrong_splits_are_refused(nyu, train, test, words):
    savemat(nyu / "splits.mat", {"trainNdxs": np.array(train), "testNdxs": np.array(test)})
    with pytest.raises(DataError, match=words):
        published_split("splits.mat", 5)


def test_what_is_no_splits_file_is_refused(nyu):
    (nyu / "text.mat").write_text("1 2 3" * 30)
    (nyu / "large.mat").write_bytes(b"\0" * 70_000)
    savemat(nyu / "other.mat", {"trainNdxs": np.ones((1, 1))})
    for name, words in (
        ("text.mat", "could not be read"),
        ("large.mat", "65,536"),
        ("other.mat", "testNdxs is missing"),
    ):
        with pytest.raises(DataError, match=words):
            published_split(name, 5)


def test_normals_and_keypoints_from_files(nyu):
    points = np.full((5, 48, 2), np.nan)
    points[:, 0] = [8, 9]
    np.save(nyu / "layout.npy", points)
    (nyu / "normals").mkdir()
    given = np.zeros((*SIZE, 3))
    given[..., 2] = -2
    given[:40] = np.nan
    for i in range(5):
        np.save(nyu / "normals" / f"{i}.npy", given)
    dataset = NYUv2(**OPTIONS, normals_folder="normals", layout_file="layout.npy", learn_keypoints=True)
    scene = File(dataset).scene(2)
    np.testing.assert_array_equal(scene.keypoints[0], [0, 0])
    assert not scene.normals[:, :31].any()
    np.testing.assert_array_equal(scene.normals[:, 31:].reshape(3, -1).T, np.tile([0, 0, -1], (54 * 112, 1)))
    source = dataset.load(0)
    assert [task.name for task in source.tasks] == ["classes", "depth", "normals", "keypoints"]
    np.testing.assert_allclose(source.test.targets[3][0, 0].numpy(), [0.5 / 112, 0.5 / 85], rtol=1e-5)
    (nyu / "normals" / "3.npy").unlink()
    with pytest.raises(DataError, match=r"normals/3\.npy"):
        dataset.load(0)


def test_normals_files_that_link_out_of_the_root_are_refused(nyu):
    (nyu / "normals").mkdir()
    for i in range(5):
        np.save(nyu.parent / f"{i}.npy", np.zeros((*SIZE, 3)))
        (nyu / "normals" / f"{i}.npy").symlink_to(nyu.parent / f"{i}.npy")
    with pytest.raises(DataError, match="should lie below"):
        File(NYUv2(**OPTIONS, normals_folder="normals"))


def bad_depths(values):
    depths = pictures(5)[1]
    depths[1] = values
    return {"depths": depths}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (bad_depths(np.nan), "Picture 1 should have depths in metres. Found no number at all"),
        (bad_depths(2500), "at most 100. Found 2500"),
        ({"labels": np.full((5, *SIZE), 10, np.uint16)}, r"labels in 0 … 9, the number of names\. Found 10 … 10"),
    ],
)
def test_pictures_of_nonsense_are_refused_by_number(data, other, words):
    write_nyu(data / "a.mat", **other)
    with pytest.raises(DataError, match=words):
        File(NYUv2(**OPTIONS)).scene(1)


def test_some_unknown_depths_become_0(data):
    depths = pictures(5)[1]
    depths[0, 40:60, 40:60], depths[0, 70, 70], depths[0, 71, 71] = np.nan, -1, np.inf
    write_nyu(data / "a.mat", depths=depths)
    scene = File(NYUv2(**OPTIONS)).scene(0)
    assert not scene.depth[31:51, 32:52].any()
    assert scene.depth[61, 62] == scene.depth[62, 63] == 0
    assert (scene.depth == 0).sum() == 402
    assert not scene.normals[:, 31:51, 32:52].any()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"images": None}, "should have 'images'. Found #refs#, accelData, depths"),
        ({"depths": np.zeros((4, *SIZE), np.float32)}, "'depths' should have the shape 5 × 128 × 96. Found 4"),
        ({"labels": np.zeros((5, *SIZE), np.float32)}, "'labels' should hold unsigned whole or signed whole numbers"),
        ({"images": np.zeros((5, 3, *SIZE), np.uint16)}, "bytes"),
        ({"images": np.zeros((5, 3, 128, 96), np.uint8)}, "'depths' should have the shape 5 × 96 × 128"),
        ({"images": np.zeros((5, 4, *SIZE), np.uint8)}, "the shape N × 3 × N × N"),
    ],
)
def test_odd_layouts_get_one_sentence(data, other, words):
    write_nyu(data / "a.mat", **other)
    with pytest.raises(DataError, match=words):
        NYUv2(**OPTIONS).load(0)


def test_pictures_of_another_aspect_are_refused(data):
    write_nyu(data / "a.mat", size=(96, 96))
    with pytest.raises(DataError, match="640 × 480, or of that aspect"):
        NYUv2(**OPTIONS).load(0)


def test_names_that_lead_nowhere_are_refused(nyu):
    with h5py.File(nyu / "a.mat", "r+") as file:
        names = file["names"][...]
        file["#refs#/external"] = h5py.ExternalLink("other.h5", "x")
        far = file.create_dataset("#refs#/far", (2, 1), np.uint16, external=[("/etc/passwd", 0, 4)])
        for reference, words in (
            (h5py.Reference(), "refers to nothing"),
            (file["#refs#"].ref, "Found a group"),
            (file["depths"].ref, "unsigned whole"),
            (far.ref, "in the file itself"),
            (file.create_dataset("#refs#/long", data=np.ones((300, 1), np.uint16)).ref, "at most 256"),
        ):
            changed = names.copy()
            changed[0, 1] = reference
            del file["names"]
            file.create_dataset("names", data=changed, dtype=h5py.ref_dtype)
            file.flush()
            with pytest.raises(DataError, match=rf"'names\[1\]' .*{words}"):
                File(NYUv2(**OPTIONS))


def test_damaged_data_are_told_from_absent_ones(nyu):
    with h5py.File(nyu / "a.mat") as file:
        start = file["depths"].id.get_chunk_info(0).byte_offset
    with (nyu / "a.mat").open("r+b") as raw:
        raw.seek(start + 512)
        raw.write(b"\xff" * 64)
        raw.seek(start)
        raw.write(b"\xff" * 64)
    file = File(NYUv2(**OPTIONS))
    with pytest.raises(DataError, match="damaged"):
        [file.scene(i) for i in range(5)]


def test_options_are_checked():
    for options, words in (
        ({"size": 100}, "multiple of 32"),
        ({"learn_classes": False, "learn_depth": False, "learn_normals": False}, "At least one task"),
        ({"learn_keypoints": True}, "layout_file"),
        ({"output_stride": "3"}, "output_stride"),
    ):
        with pytest.raises(ValidationError, match=words):
            NYUv2(**options)


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("bed", "bed|bunk bed|mattress"),
        ("books", "book|books|text books"),
        ("ceiling", "ceiling"),
        ("chair", "chair|dining chair|chairs"),
        ("floor", "floor|floor mat|rug"),
        (
            "furniture",
            "cabinet|bookshelf|shelves|dresser|night stand|refridgerator|counter|tv stand|file cabinet|bench",
        ),
        (
            "objects",
            "pillow|mirror|clothes|paper|towel|shower curtain|box|whiteboard|person|toilet|sink|lamp|bathtub|bag",
        ),
        ("objects", "table lamp|lamp shade|chess board|wall decoration|bottle|placemat thing"),
        ("picture", "picture|painting|poster"),
        ("sofa", "sofa"),
        ("table", "table|coffee table|desk|tables"),
        ("tv", "television|tv"),
        ("wall", "wall|door"),
        ("window", "window|blinds|curtain|Curtains|roman shades"),
    ],
)
def test_names_have_the_class_of_the_published_tables(group, names):
    assert {name: CLASSES[class_of(name) - 1] for name in names.split("|")} == dict.fromkeys(names.split("|"), group)


def test_unknown_names_are_not_labelled():
    assert [class_of(name) for name in ("unknown", "", "  ")] == [0, 0, 0]
    assert all(0 <= class_of(name) <= 13 for name in NAMES)
