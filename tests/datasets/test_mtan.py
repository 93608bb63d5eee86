"""The folder that MTAN distributes, sound and damaged."""

import numpy as np
import pytest

from gradnorm.cli import main
from gradnorm.datasets.by_path.mtan import MTAN, Folder
from gradnorm.datasets.readers.folders import DataError
from tests.datasets.files import pictures, room, write_mtan

OPTIONS = {"path": "nyuv2", "size": 32, "output_stride": "2"}


@pytest.fixture
def mtan(data):
    write_mtan(data / "nyuv2")
    return data / "nyuv2"


def test_pictures_come_back(mtan):
    images, depths, labels = pictures(4, (18, 24))
    folder = Folder(MTAN(**OPTIONS), "train")
    assert folder.numbers == [0, 1, 2, 3]
    for i in folder.numbers:
        scene = folder.scene(i)
        np.testing.assert_array_equal(scene.image, images[i])
        np.testing.assert_array_equal(scene.depth, depths[i])
        np.testing.assert_array_equal(scene.labels, labels[i])
        np.testing.assert_allclose(scene.normals, room(i, (18, 24))[1], atol=1e-6)
    source = MTAN(**OPTIONS).load(0)
    assert source.test.inputs.shape == (2, 3, 32, 32)
    assert source.test.targets[0].unique().tolist() == [-1, 6, 7]
    assert source.batch(1, 3).targets[2].shape == (3, 3, 16, 16)


def test_files_of_what_is_not_learnt_need_not_exist(mtan):
    for split in ("train", "val"):
        for file in (mtan / split / "normal").iterdir():
            file.unlink()
    assert len(MTAN(**OPTIONS, learn_normals=False).load(0).tasks) == 2
    with pytest.raises(DataError, match="4 are missing or malformed"):
        MTAN(**OPTIONS).load(0)


def test_missing_and_malformed_files_are_named_and_counted(mtan):
    (mtan / "train" / "depth" / "1.npy").unlink()
    (mtan / "train" / "label" / "2.npy").write_text("nothing")
    np.save(mtan / "train" / "normal" / "2.npy", np.zeros((18, 24, 4)))
    np.save(mtan / "train" / "image" / "3.npy", np.zeros((9, 24, 3)))
    np.save(mtan / "train" / "image" / "7.npy", np.array([None]), allow_pickle=True)
    with pytest.raises(DataError) as error:
        MTAN(**OPTIONS).load(0)
    text = str(error.value)
    # Picture 7 lacks three files besides.
    assert "8 are missing or malformed" in text
    assert "train/depth/1.npy" in text
    assert "train/label/2.npy" in text
    assert "18 × 24 × 3. Found 18 × 24 × 4" in text
    assert "And 5 more." in text
    folder = Folder(MTAN(**OPTIONS, skip_bad=True), "train")
    assert folder.numbers == [0]


def test_nothing_left_is_refused(mtan):
    for file in (mtan / "val" / "image").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="2 are missing"):
        MTAN(**OPTIONS, skip_bad=True).load(0)
    for part in ("label", "depth", "normal"):
        for file in (mtan / "val" / part).iterdir():
            file.unlink()
    with pytest.raises(DataError, match="Found no such file"):
        MTAN(**OPTIONS).load(0)
    with pytest.raises(DataError, match="should be at"):
        MTAN(path="other").load(0)


def test_a_link_out_of_the_root_is_refused(mtan, tmp_path):
    file = mtan / "train" / "image" / "0.npy"
    file.rename(tmp_path / "0.npy")
    file.symlink_to(tmp_path / "0.npy")
    with pytest.raises(DataError, match="should lie below"):
        MTAN(**OPTIONS).load(0)


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        ("depth", np.full((18, 24, 1), np.nan), r"depth/0\.npy should have depths in metres"),
        ("normal", np.full((18, 24, 3), np.inf), r"normal/0\.npy should be vectors"),
        ("image", np.full((18, 24, 3), 255.0), r"image/0\.npy should be in 0 … 1\. Found 255 … 255"),
        ("image", np.full((18, 24, 3), np.nan), r"image/0\.npy should be in 0 … 1\. Found nan"),
        ("label", np.full((18, 24), 13), r"label/0\.npy should be in -1 … 12\. Found 13"),
    ],
)
def test_values_out_of_range_are_refused_by_file(mtan, part, values, words):
    np.save(mtan / "train" / part / "0.npy", values)
    with pytest.raises(DataError, match=words):
        Folder(MTAN(**OPTIONS), "train").scene(0)


def test_the_folder_may_be_named_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRADNORM_DATA", "")  # so that what the command line sets for itself is taken back
    monkeypatch.delenv("GRADNORM_DATA")
    write_mtan(tmp_path / "nyuv2")
    given = ["--size", "32", "--channels", "0.05", "--steps", "1", "--batch-size", "2", "--device", "cpu"]
    assert main(["train", "--dataset", f"mtan:{tmp_path / 'nyuv2'}", *given]) == 0
    assert "Finished all 1 steps." in capsys.readouterr().out
