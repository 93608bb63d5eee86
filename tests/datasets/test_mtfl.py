"""MTFL from folders in its format, made here: what is read, what is refused, and what is said of it."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gradnorm.datasets.by_path.mtfl import ATTRIBUTES, Face, Mtfl
from gradnorm.datasets.readers.folders import DataError
from gradnorm.models.landmarks import Landmarks

POINTS = "50 150 100 60 140 80 80 120 160 160"


def picture(path, size=(200, 200), color=(255, 0, 0), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path, **options)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A data root with a small MTFL: three faces to train on, one to test on."""
    root = tmp_path / "data"
    monkeypatch.setenv("GRADNORM_DATA", str(root))
    folder = root / "mtfl"
    picture(folder / "lfw_5590" / "Anna_0001.jpg", quality=95)
    picture(folder / "net_7876" / "0_1_1.jpg", size=(100, 400), color=(0, 255, 0))
    picture(folder / "AFLW" / "b.png", color=(0, 0, 255))
    (folder / "training.txt").write_text(
        f" lfw_5590\\Anna_0001.jpg {POINTS} 2 1 2 3\n"
        f"net_7876\\0_1_1.jpg {POINTS.replace('150', '100').replace('140', '90')} 1 2 1 5 \r\n"
        f"   AFLW\\b.png {POINTS} 1 1 2 1\n\n"
    )
    (folder / "testing.txt").write_text(f"AFLW/b.png {POINTS} 1 2 2 2")
    return root


def add(root, *lines, to="training.txt"):
    file = root / "mtfl" / to
    file.write_text(file.read_text() + "".join(f"{line}\n" for line in lines))


def refusal(**options):
    with pytest.raises(DataError) as caught:
        Mtfl(path="mtfl", **options).load(0)
    return str(caught.value)


@pytest.mark.parametrize(("size", "channels"), [("40", 1), ("160", 3)])
def test_faces_are_read_as_they_are(root, size, channels):
    dataset = Mtfl(path="mtfl", size=size)
    source = dataset.load(0)
    assert source.shape == (channels, int(size), int(size))
    assert tuple(task.name for task in source.tasks) == dataset.task_names
    assert tuple(task.form for task in source.tasks) == dataset.task_forms
    assert [task.outputs for task in source.tasks] == [10, 2, 2, 2, 5]
    points, *classes = source.test.targets
    # x and y in turn, in parts of 200 pixels: eyes, nose, corners of the mouth.
    torch.testing.assert_close(points, torch.tensor([[0.25, 0.4, 0.75, 0.4, 0.5, 0.6, 0.3, 0.8, 0.7, 0.8]]))
    assert [int(c[0]) for c in classes] == [0, 1, 1, 1]
    x = source.test.inputs
    assert x.dtype == torch.uint8
    # Blue, or its share 0.114 of grey.
    assert x[0, :, 3, 3].tolist() == ([29] if size == "40" else [0, 0, 255])


def test_points_are_in_parts_of_the_width_and_of_the_height(root):
    rows = Mtfl(path="mtfl").load(0).batch(1, 40)
    tall = rows.targets[4] == 4
    expected = torch.tensor([0.5, 0.2, 1.0, 0.2, 1.0, 0.3, 0.6, 0.4, 0.9, 0.4])
    assert 0 < int(tall.sum()) < 40
    torch.testing.assert_close(rows.targets[0][tall], expected.expand(int(tall.sum()), 10))
    # Inputs and targets stay together: of green, 0.587 is grey.
    assert set(rows.inputs[tall][:, 0, 20, 20].tolist()) == {150}


def test_a_resized_picture_is_not_turned_or_mirrored(root):
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[:40, 40:, 0] = 255  # red at the top right
    Image.fromarray(pixels).save(root / "mtfl" / "AFLW" / "c.png")
    (root / "mtfl" / "testing.txt").write_text("AFLW/c.png 1 2 3 4 5 6 7 8 9 10 1 2 2 2")
    found = Mtfl(path="mtfl", size="160").load(0).test.inputs[0]
    assert found[:, 30, 130].tolist() == [255, 0, 0]
    assert found[:, 30, 30].tolist() == found[:, 130, 130].tolist() == [0, 0, 0]


def test_the_batch_is_a_function_of_seed_and_step(root):
    one, two, other = (Mtfl(path="mtfl").load(seed) for seed in (3, 3, 4))
    two.batch(1, 64)
    assert torch.equal(one.batch(9, 64).inputs, two.batch(9, 64).inputs)
    assert not torch.equal(one.batch(9, 64).inputs, one.batch(10, 64).inputs)
    assert not torch.equal(one.batch(9, 64).inputs, other.batch(9, 64).inputs)


@pytest.mark.parametrize("size", ["40", "160"])
def test_its_network_takes_its_pictures(root, size):
    dataset = Mtfl(path="mtfl", size=size)
    assert dataset.networks == ("landmarks",)
    source = dataset.load(0)
    net = Landmarks(int(dataset.size), source.shape[0], source.tasks, width=0.2)
    assert [tuple(y.shape) for y in net(source.batch(1, 2).inputs)] == [(2, task.outputs) for task in source.tasks]


BAD = {
    "14 fields": "AFLW/b.png 50 150 100 60 140 80 80 120 160 160 1 1 1",
    "16 fields": f"AFLW/b.png {POINTS} 1 1 1 1 1",
    "'left' for a number": "AFLW/b.png left 150 100 60 140 80 80 120 160 160 1 1 1 1",
    "a point at no finite place": "AFLW/b.png nan 150 100 60 140 80 80 120 160 160 1 1 1 1",
    "a point far outside": "AFLW/b.png 5000 150 100 60 140 80 80 120 160 160 1 1 1 1",
    "gender 3": f"AFLW/b.png {POINTS} 3 1 1 1",
    "glasses 1.5": f"AFLW/b.png {POINTS} 1 1 1.5 1",
    "pose 0": f"AFLW/b.png {POINTS} 1 1 1 0",
    "no picture 'AFLW/gone.jpg'": f"AFLW\\gone.jpg {POINTS} 1 1 1 1",
    "no picture '../../outside.png'": f"..\\..\\outside.png {POINTS} 1 1 1 1",
    "no picture '/etc/hostname'": f"/etc/hostname {POINTS} 1 1 1 1",
    "'testing.txt' is no sound JPEG": f"testing.txt {POINTS} 1 1 1 1",
    "'AFLW' is ": f"AFLW {POINTS} 1 1 1 1",
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_line_is_told_with_its_number_and_left_out_only_if_asked(root, what):
    picture(root.parent / "outside.png")
    add(root, BAD[what], f"AFLW/b.png {POINTS} 1 1 2 4")
    told = refusal()
    assert f"training.txt line 5: {what}" in told
    assert "Found 1 bad line:" in told
    assert "--skip-bad" in told
    source = Mtfl(path="mtfl", skip_bad=True).load(0)
    # The three that were there, and the one after the bad line.
    assert set(source.batch(1, 200).targets[4].tolist()) == {2, 4, 0, 3}


def test_of_many_bad_lines_the_first_few_are_told_and_all_are_counted(root):
    add(root, *["nonsense"] * 7)
    add(root, "", "nonsense", to="testing.txt")
    told = refusal()
    assert "Found 8 bad lines" in told
    assert [f"line {n}:" in told for n in (5, 6, 9, 10)] == [True, True, True, False]


def test_bad_lines_of_both_files_are_told(root):
    add(root, "nonsense")
    add(root, "", "nonsense", to="testing.txt")
    told = refusal()
    assert "training.txt line 5: 1 fields" in told
    assert "testing.txt line 2: 1 fields" in told


def test_a_list_without_a_good_line_is_refused(root):
    (root / "mtfl" / "testing.txt").write_text("nonsense\n")
    assert "testing.txt should have at least one face. Found none, and 1 bad line." in refusal(skip_bad=True)


def test_a_missing_list_is_told(root):
    (root / "mtfl" / "testing.txt").unlink()
    assert "testing.txt" in refusal()


def test_links_out_of_the_root_are_refused(root):
    picture(root.parent / "outside.png")
    (root / "mtfl" / "link.png").symlink_to(root.parent / "outside.png")
    add(root, f"link.png {POINTS} 1 1 1 1")
    assert "training.txt line 5: no picture 'link.png'" in refusal()
    (root / "away").symlink_to(root.parent)
    for path in ("away", "..", str(root.parent)):
        with pytest.raises(DataError, match="below"):
            Mtfl(path=path).load(0)


def test_a_folder_has_to_be_given():
    with pytest.raises(DataError, match=r"training\.txt.*Found none.*--path"):
        Mtfl().load(0)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("side", [5_000, 12_000, 30_000])
def test_a_small_file_with_a_huge_picture_is_not_decoded(root, side):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (root / "mtfl" / "bomb.png").write_bytes(bomb)
    add(root, f"bomb.png {POINTS} 1 1 1 1")
    assert "training.txt line 5: 'bomb.png' is a picture of more than 16,777,216 pixels" in refusal()


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_picture_that_is_cut_off_is_told(root, suffix):
    file = root / "mtfl" / f"cut.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    file.write_bytes(file.read_bytes()[:2000])
    add(root, f"cut.{suffix} {POINTS} 1 1 1 1")
    assert f"'cut.{suffix}' is no sound JPEG or PNG" in refusal()


def test_other_formats_are_not_read(root):
    Image.new("RGB", (9, 9)).save(root / "mtfl" / "a.bmp")
    add(root, f"a.bmp {POINTS} 1 1 1 1")
    assert "'a.bmp' is no sound JPEG or PNG" in refusal()


names = st.text(st.characters(categories=["L", "N"], include_characters="_-."), min_size=1)
coordinates = st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 5)
faces = st.builds(
    Face,
    st.lists(names, min_size=1, max_size=3).map("/".join),
    coordinates,
    coordinates,
    st.tuples(*[st.integers(0, len(classes) - 1) for classes in ATTRIBUTES.values()]),
)


@given(faces, st.sampled_from(["", " ", "  \t"]), st.sampled_from([" ", "  ", "\t"]), st.booleans())
def test_a_line_says_what_was_written(face, lead, between, backslashes):
    path = face.picture.replace("/", "\\") if backslashes else face.picture
    numbers = [*map(repr, face.x), *map(repr, face.y), *(str(label + 1) for label in face.classes)]
    assert Face.parse(lead + between.join([path, *numbers]) + lead) == face


@given(st.text())
def test_any_other_text_is_refused_in_words(text):
    with pytest.raises(ValueError, match=r"fields|number|place|gender|smile|glasses|pose"):
        Face.parse(text)


@pytest.mark.parametrize("line", ["a", ""])
def test_a_list_longer_than_the_pictures_that_fit_is_not_read_to_its_end(root, line):
    (root / "mtfl" / "training.txt").write_text(f"{line}\n" * 14_000)
    assert "Found more than 13,981 lines in training.txt. Take the smaller size" in refusal(size="160")


def test_a_line_without_an_end_is_a_bad_line(root):
    (root / "mtfl" / "training.txt").write_text("1 " * 3000)
    assert "training.txt line 1: 2048 fields" in refusal()


@pytest.mark.slow
def test_of_a_huge_picture_nobody_warns_besides(root):
    picture(root / "mtfl" / "huge.png", size=(9500, 9500))
    add(root, f"huge.png {POINTS} 1 1 1 1")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        assert "'huge.png' is a picture of more than 16,777,216 pixels" in refusal()
    assert not warned
