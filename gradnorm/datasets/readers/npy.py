"""Reads untrusted .npy files: checks the header before it reads any data, and never unpickles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.readers.folders import DataError, allowed_file

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000
_LARGEST = 8 << 30
KINDS = {"f": "floating-point", "i": "signed whole", "u": "unsigned whole", "b": "true-or-false"}


def memory_map(path: str, shape: Sequence[int | None], kinds: str) -> NDArray[Any]:
    """Return the array of a .npy file as a read-only memory map, which reads a page when it is used.

    path: see `allowed`.
    shape: what the array's shape should be; None for an axis of any length.
    kinds: the allowed kinds of dtype, letters of "fiub" (float, signed, unsigned, bool).
    Raises DataError, which names the file, if shape or dtype differ, if the file is no .npy file, or if its header
    declares more bytes than the file has.
    """
    file = allowed_file(path)
    try:
        with file.open("rb") as stream:
            actual, fortran, dtype = _header(stream, path)
            start, length = stream.tell(), file.stat().st_size
    except OSError as error:
        raise DataError(f"{path} should be a .npy file. It could not be read: {error.strerror}.") from None
    if dtype.kind not in kinds or dtype.kind not in KINDS:
        wanted = " or ".join(KINDS[kind] for kind in kinds)
        raise DataError(f"{path} should hold {wanted} numbers. Found dtype {dtype}. Save it as such.")
    if not fits(actual, shape):
        raise DataError(f"{path} should have the shape {shape_text(shape)}. Found {shape_text(actual)}.")
    claimed = math.prod(actual) * dtype.itemsize
    if claimed > min(length - start, _LARGEST):
        raise DataError(
            f"{path} should hold what its header claims, {claimed:,} bytes and at most {_LARGEST:,}. "
            f"Found {length - start:,} bytes. Save it again."
        )
    return np.memmap(file, dtype, "r", start, actual, "F" if fortran else "C")


def read(path: str, shape: Sequence[int | None], kinds: str) -> NDArray[Any]:
    """Return the array of a .npy file in memory, and close the file. Arguments and errors are those of `memory_map`."""
    return np.array(memory_map(path, shape, kinds))


def fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Return whether a shape is the wanted one and has no axis of length 0.

    wanted: None for an axis of any length.
    """
    return len(shape) == len(wanted) and all(n > 0 and want in (None, n) for n, want in zip(shape, wanted, strict=True))


def shape_text(shape: Sequence[int | None]) -> str:
    """Return a shape as text for a message, such as "N × 288 × 384", where N (None) is any length."""
    return " × ".join("N" if n is None else str(n) for n in shape) or "a single number"


def _header(stream: IO[bytes], path: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether the order is Fortran's, and dtype. Leaves the stream at the first number."""
    start = stream.read(12)
    # Version 3 differs from 2 only in the names of structured dtypes, which are refused anyway.
    versions = {b"\x01\x00": np.lib.format.read_array_header_1_0, b"\x02\x00": np.lib.format.read_array_header_2_0}
    version = start[6:8]
    if start[:6] != _MAGIC or version not in versions:
        raise DataError(f"{path} should be a .npy file. Found something else. Write it with numpy.save.")
    length = int.from_bytes(start[8:10] if version[0] == 1 else start[8:12], "little")
    if length > _LONGEST_HEADER:
        raise DataError(f"{path} should have a header of at most {_LONGEST_HEADER:,} bytes. Found {length:,}.")
    stream.seek(8)
    try:
        return versions[version](stream, _LONGEST_HEADER)
    except Exception:  # NumPy does not document what it raises for a broken header
        raise DataError(f"{path} should be a .npy file. Its header could not be read. Save it again.") from None
