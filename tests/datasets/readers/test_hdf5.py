"""Foreign HDF5 files: what is refused before anything of it is read."""

import h5py
import numpy as np
import pytest

from gradnorm.datasets.readers import hdf5
from gradnorm.datasets.readers.folders import DataError


@pytest.fixture
def file(data):
    with h5py.File(data / "a.mat", "w") as file:
        yield file


def test_an_array_is_found_and_read_in_parts(file):
    file["images"] = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    found = hdf5.dataset(file, "images", (None, 3, 4), "u")
    np.testing.assert_array_equal(found[1], np.arange(12, 24).reshape(3, 4))


def test_other_keys_shapes_and_dtypes_are_named(file):
    file["depths"] = np.zeros((2, 3), np.float32)
    file.create_group("group")
    file["nothing"] = h5py.Empty("f4")
    for key, shape, kinds, words in (
        ("images", (2, 3), "f", r"a\.mat should have 'images'\. Found depths, group, nothing"),
        ("depths", (2, 4), "f", r"'depths' should have the shape 2 × 4\. Found 2 × 3"),
        ("depths", (2, 3), "u", r"'depths' should hold unsigned whole numbers\. Found dtype float32"),
        ("depths", (2, 3), "O", r"'depths' should hold references to objects"),
        ("group", (2, 3), "f", "Found a group"),
        ("nothing", (None,), "f", "Found 0"),
    ):
        with pytest.raises(DataError, match=words):
            hdf5.dataset(file, key, shape, kinds)


def test_what_points_to_other_files_is_refused(data, file):
    secret = data.parent / "secret"
    secret.write_bytes(b"\x01\x02\x03\x04")
    with h5py.File(data.parent / "other.h5", "w") as other:
        other["x"] = np.zeros(4, np.uint8)
    file.create_dataset("external", (4,), np.uint8, external=[(str(secret), 0, 4)])
    layout = h5py.VirtualLayout((4,), np.uint8)
    layout[:] = h5py.VirtualSource(str(data.parent / "other.h5"), "x", (4,))
    file.create_virtual_dataset("virtual", layout)
    file["elsewhere"] = h5py.ExternalLink(str(data.parent / "other.h5"), "x")
    file["plain"] = np.zeros(4, np.uint8)
    file["soft"] = h5py.SoftLink("/plain")
    for key in ("external", "virtual", "elsewhere", "soft"):
        with pytest.raises(DataError, match=f"'{key}' .*should be in the file itself"):
            hdf5.dataset(file, key, (4,), "u")
    # Text and lists of unknown length could be of any size.
    file["text"] = "text"
    with pytest.raises(DataError, match="Found dtype object"):
        hdf5.dataset(file, "text", (), "u")


def test_declaring_more_than_is_held_is_refused(file):
    file.create_dataset("sparse", (1 << 20, 1 << 10), np.uint8, chunks=(1, 1 << 10))
    file.create_dataset("huge", (1 << 40, 8), np.uint8, chunks=(1, 8))
    file.create_dataset("zeros", data=np.zeros((100, 1 << 20), np.uint8), compression="gzip", compression_opts=9)
    for key in ("sparse", "huge", "zeros"):
        with pytest.raises(DataError, match=f"'{key}' should hold what it declares"):
            hdf5.dataset(file, key, (None, None), "u")
    file.create_dataset("chunk", (1, 1 << 24, 9), np.uint8, chunks=(1, 1 << 24, 9))
    file["chunk"][0, 0, 0] = 1
    with pytest.raises(DataError, match="chunks of at most"):
        hdf5.dataset(file, "chunk", (None, None, None), "u")


@pytest.mark.slow
def test_noise_that_compresses_a_little_passes(file):
    noise = np.random.default_rng(0).integers(0, 4, (70, 1 << 20), np.uint8)
    file.create_dataset("noise", data=noise, compression="gzip", compression_opts=1)
    assert hdf5.dataset(file, "noise", (None, 1 << 20), "u").shape[0] == 70


def test_a_filter_that_is_a_plug_in_is_refused(data, file):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((4,))
    # Optional, so that a data set can be made with it although it is not there.
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    h5py.h5d.create(file.id, b"zstd", h5py.h5t.STD_U8LE, h5py.h5s.create_simple((4,)), plan)
    with pytest.raises(DataError, match="Found filter 32015"):
        hdf5.dataset(file, "zstd", (4,), "u")


@pytest.mark.parametrize(
    "content", [b"", b"MATLAB 5.0 MAT-file, Platform: GLNXA64", b"\x89HDF\r\n\x1a\n" + b"\0" * 100]
)
def test_what_is_no_hdf5_file_is_refused(data, content):
    (data / "b.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"b\.mat should be an HDF5 file"):
        hdf5.opened(data / "b.mat")
    with pytest.raises(DataError, match="HDF5"):
        hdf5.opened(data)
