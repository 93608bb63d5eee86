"""The file has NYUv2's layout, read as anybody would read it."""

import os

import h5py
import numpy as np
import pytest
from scipy.io import loadmat
from scipy.io.matlab import matfile_version

from gradnorm.cli import main
from gradnorm.rendering.nyu_file import COUNT, IDS, names, write_mat, write_splits
from gradnorm.rendering.parts import NAMES, PARTS
from gradnorm.rendering.rooms import room
from gradnorm.rendering.scene import CLASSES

SIZE = (48, 64)


@pytest.fixture(scope="module")
def rooms():
    return [room(0, index, *SIZE) for index in range(3)]


@pytest.fixture(scope="module")
def path(rooms, tmp_path_factory):
    path = tmp_path_factory.mktemp("rooms") / "rooms.mat"
    write_mat(path, iter(rooms), 3)
    return path


def text(file, reference):
    return "".join(chr(c) for c in file[reference][:, 0])


def test_maps_have_their_axes_reversed(path, rooms):
    with h5py.File(path) as file:
        for name, shape, dtype, kind in (
            ("images", (3, 3, 64, 48), "uint8", b"uint8"),
            ("depths", (3, 64, 48), "float32", b"single"),
            ("rawDepths", (3, 64, 48), "float32", b"single"),
            ("labels", (3, 64, 48), "uint16", b"uint16"),
            ("instances", (3, 64, 48), "uint8", b"uint8"),
            ("accelData", (4, 3), "float32", b"single"),
        ):
            assert (file[name].shape, file[name].dtype, file[name].attrs["MATLAB_class"]) == (shape, dtype, kind)
        for i, each in enumerate(rooms):
            np.testing.assert_array_equal(file["images"][i].transpose(0, 2, 1), each.scene.image)
            np.testing.assert_array_equal(file["depths"][i].T, each.scene.depth)
            np.testing.assert_array_equal(file["rawDepths"][i].T, each.scene.depth)
            np.testing.assert_array_equal(file["instances"][i].T, each.instances)
        assert file.attrs["description"] == "rendered, not NYUv2"


def test_labels_are_told_by_the_names_in_the_file(path, rooms):
    with h5py.File(path) as file:
        found = [text(file, reference) for reference in file["names"][0]]
        assert file["names"].shape == (1, 894)
        assert (file["names"].attrs["MATLAB_class"], file[file["names"][0, 0]].attrs["MATLAB_class"]) == (
            b"cell",
            b"char",
        )
        table = np.array([0, *(CLASSES.index(PARTS[name]) + 1 if name in PARTS else 255 for name in found)])
        for i, each in enumerate(rooms):
            np.testing.assert_array_equal(table[file["labels"][i].T], each.scene.labels)
    assert found == names()
    assert len(set(found)) == COUNT
    assert set(IDS) == set(NAMES)


def test_strings_are_cells_of_characters(path):
    with h5py.File(path) as file:
        for name in ("sceneTypes", "scenes", "rawDepthFilenames", "rawRgbFilenames"):
            assert file[name].shape == (1, 3)
            assert all(text(file, reference) for reference in file[name][0])
            assert file[file[name][0, 0]].dtype == np.uint16
        assert text(file, file["rawRgbFilenames"][0, 2]) == "rendered/r-00003.ppm"
        assert "#refs#" in file


def test_matlab_would_know_it_for_its_own(path):
    raw = path.read_bytes()
    assert raw.startswith(b"MATLAB 7.3 MAT-file")
    assert raw[512:520] == b"\x89HDF\r\n\x1a\n"
    assert matfile_version(str(path)) == (2, 0)
    with pytest.raises(NotImplementedError, match="HDF"):
        loadmat(path)


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_rooms_than_was_said_leaves_nothing(rooms, tmp_path, count):
    with pytest.raises(ValueError, match=f"There should be {count} rooms. Found 3"):
        write_mat(tmp_path / "rooms.mat", rooms, count)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("count", "sizes"), [(1449, (795, 654)), (2, (1, 1)), (3, (2, 1)), (20, (11, 9))])
def test_splits_have_nyu_s_proportion(tmp_path, count, sizes):
    assert write_splits(tmp_path / "splits.mat", count) == sizes
    found = loadmat(tmp_path / "splits.mat")
    assert (found["trainNdxs"].shape, found["testNdxs"].shape) == ((sizes[0], 1), (sizes[1], 1))
    assert [*found["trainNdxs"][:, 0], *found["testNdxs"][:, 0]] == list(range(1, count + 1))


def test_the_command_writes_all_three(tmp_path, capsys):
    out, splits, layouts = tmp_path / "rooms.mat", tmp_path / "splits.mat", tmp_path / "layouts.npy"
    given = ["data", "rooms", "--count", "2", "--size", "32x48", "--seed", "5"]
    assert main([*given, "--out", str(out), "--splits", str(splits), "--layouts", str(layouts)]) == 0
    said = capsys.readouterr()
    assert said.out.count("rendered, not NYUv2") == 3
    assert said.err == ""
    with h5py.File(out) as file:
        np.testing.assert_array_equal(file["images"][1].transpose(0, 2, 1), room(5, 1, 32, 48).scene.image)
    assert loadmat(splits)["testNdxs"].tolist() == [[2]]
    points = np.load(layouts)
    assert (points.shape, points.dtype) == ((2, 48, 2), np.float32)
    np.testing.assert_array_equal(points[1], room(5, 1, 32, 48).scene.keypoints)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], "count should be from 1 to 100,000. Found 0. Set it with --count."),
        (["--count", "1", "--splits", "s.mat"], "count should be from 2, for --splits, to 100,000. Found 1."),
        (["--count", "2", "--size", "480"], "Found '480'. Set it with --size."),
        (["--count", "2", "--size", "480x4"], "size should be HEIGHTxWIDTH, each in [32, 2048]"),
        (["--count", "2", "--seed", "-1"], "seed should be at least 0. Found -1."),
        (["--count", "2", "--out", "missing/rooms.mat"], "missing/rooms.mat"),
        (["--count", "2", "--splits", "missing/splits.mat"], "missing/splits.mat"),
        (["--count", "2", "--layouts", "missing/layouts.npy"], "missing/layouts.npy"),
        (["--count", "many"], "many"),
        (["--count", "2", "--out", "."], "should be a file, or not be there yet. Found a folder."),
        (["--count", "2", "--splits", "rooms.mat"], "should be different files. Found one twice."),
        (["--count", "2", "--layouts", "./rooms.mat"], "should be different files. Found one twice."),
    ],
)
def test_wrong_use_is_one_clear_line_and_no_file(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(["data", "rooms", "--out", "rooms.mat", "--size", "32x32", *arguments])
    except SystemExit as end:
        code = end.code
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert message in said.err
    assert said.err.startswith("gradnorm")
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--out", "--splits", "--layouts"])
def test_a_device_or_pipe_is_not_replaced(tmp_path, capsys, option):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    given = ["data", "rooms", "--count", "2", "--size", "32x32", "--out", str(tmp_path / "rooms.mat")]
    assert main([*given, option, str(pipe)]) == 2
    assert "Found a device or pipe." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [pipe]
    assert pipe.is_fifo()


def test_ctrl_c_leaves_nothing_and_says_so(tmp_path, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gradnorm.rendering.rooms.room", interrupted)
    assert main(["data", "rooms", "--count", "2", "--out", str(tmp_path / "rooms.mat")]) == 130
    assert "rooms.mat was not written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
