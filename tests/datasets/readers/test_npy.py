"""Untrusted .npy files: which are refused, and that nothing is unpickled or read before."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.datasets.readers import npy
from gradnorm.datasets.readers.folders import DataError


def write(path, header, body=b"", version=1):
    text = header.encode("latin1")
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + text + body)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2"])
def test_arrays_come_back(data, order, dtype):
    values = np.asarray(np.random.default_rng(0).normal(size=(3, 4, 2)), dtype, order)
    np.save(data / "a.npy", values)
    np.testing.assert_array_equal(npy.read("a.npy", (None, 4, 2), "f"), values)
    memory_map = npy.memory_map("a.npy", (3, 4, 2), "f")
    assert isinstance(memory_map, np.memmap)
    assert not memory_map.flags.writeable


def test_another_shape_or_dtype_is_refused_with_both_named(data):
    np.save(data / "a.npy", np.zeros((3, 4)))
    with pytest.raises(DataError, match=r"a\.npy should have the shape N × 5\. Found 3 × 4"):
        npy.read("a.npy", (None, 5), "f")
    with pytest.raises(DataError, match="a single number"):
        npy.read("a.npy", (), "f")
    with pytest.raises(DataError, match=r"unsigned whole numbers\. Found dtype float64"):
        npy.read("a.npy", (3, 4), "u")
    np.save(data / "empty.npy", np.zeros((0, 4)))
    with pytest.raises(DataError, match="Found 0 × 4"):
        npy.read("empty.npy", (None, 4), "f")


class Bomb:
    def __reduce__(self):
        import os

        return os.mkdir, (Bomb.path,)


def test_nothing_is_unpickled(data):
    Bomb.path = str(data / "was-run")
    np.save(data / "a.npy", np.array([Bomb()], object), allow_pickle=True)
    (data / "b.npy").write_bytes(pickle.dumps(Bomb()))
    for name in ("a.npy", "b.npy"):
        with pytest.raises(DataError):
            npy.read(name, (1,), "f")
    assert not (data / "was-run").exists()


@pytest.mark.parametrize(
    "shape", ["(1000000, 1000000)", "(4611686018427387904, 4)", "(65536, 65536, 65536, 65536, 4)", "(3, 2)"]
)
def test_a_header_that_claims_more_than_there_is(data, shape):
    write(data / "a.npy", f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n", b"\0" * 20)
    with pytest.raises(DataError, match="what its header claims"):
        npy.read("a.npy", (None,) * (shape.count(",") + 1), "f")


def test_a_sparse_file_of_terabytes_is_refused_too(data):
    write(data / "a.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }\n")
    with (data / "a.npy").open("r+b") as file:
        file.truncate(5 << 40)
    with pytest.raises(DataError, match="at most 8,589,934,592"):
        npy.read("a.npy", (None,), "f")


def test_a_long_header_is_refused(data):
    (data / "a.npy").write_bytes(b"\x93NUMPY\x02\x00" + (1 << 31).to_bytes(4, "little") + b" " * 100)
    with pytest.raises(DataError, match="header of at most"):
        npy.read("a.npy", (None,), "f")


@given(st.binary(max_size=200), st.sampled_from([b"\x01\x00", b"\x02\x00", b"\x03\x00", b""]))
def test_any_bytes_give_a_data_error(tmp_path_factory, body, version):
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    path.write_bytes(b"\x93NUMPY" + version + len(body).to_bytes(2, "little") + body)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADNORM_DATA", str(path.parent))
        with pytest.raises(DataError):
            npy.read("a.npy", (None,), "f")


@given(st.text("{}()[]'\",: \n<f4desrcipt_odhalfsFTruey0123456789-", max_size=120))
def test_any_header_gives_numbers_or_a_data_error(tmp_path_factory, header):
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    write(path, header, b"\0" * 16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADNORM_DATA", str(path.parent))
        with pytest.raises(DataError):
            npy.read("a.npy", (7, 7, 7), "f")
