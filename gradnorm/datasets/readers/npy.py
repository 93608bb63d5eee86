"""NumPy's .npy files from strangers: the header is judged before anything is read, and nothing is ever unpickled."""

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


def mapped(path: str, shape: Sequence[int | None], kinds: str) -> NDArray[Any]:
    """Return the array of a .npy file as a read-only memory map: what is not looked at is not read.

    path: see `allowed`.  shape: what it should be, None where any length will do.
    kinds: the letters of the dtypes it may have, of "fiub" (float, signed, unsigned, bool).
    Raises DataError, in which the file's name stands, for anything else, or more bytes claimed than there are.
    """
    file = allowed_file(path)
    try:
        with file.open("rb") as stream:
            found, fortran, dtype = _header(stream, path)
            start, length = stream.tell(), file.stat().st_size
    except OSError as error:
        raise DataError(f"{path} should be a .npy file. It could not be read: {error.strerror}.") from None
    if dtype.kind not in kinds or dtype.kind not in KINDS:
        wanted = " or ".join(KINDS[kind] for kind in kinds)
        raise DataError(f"{path} should hold {wanted} numbers. Found dtype {dtype}. Save it as such.")
    if not fits(found, shape):
        raise DataError(f"{path} should have the shape {shown(shape)}. Found {shown(found)}.")
    claimed = math.prod(found) * dtype.itemsize
    if claimed > min(length - start, _LARGEST):
        raise DataError(
            f"{path} should hold what its header claims, {claimed:,} bytes and at most {_LARGEST:,}. "
            f"Found {length - start:,} bytes. Save it again."
        )
    return np.memmap(file, dtype, "r", start, found, "F" if fortran else "C")


def read(path: str, shape: Sequence[int | None], kinds: str) -> NDArray[Any]:
    """Return the array of a .npy file, in memory, with no file left open; see `mapped`."""
    return np.array(mapped(path, shape, kinds))


def fits(found: Sequence[int], wanted: Sequence[int | None]) -> bool:
    """Return whether a shape is the wanted one (None: any length), and holds something."""
    return len(found) == len(wanted) and all(n > 0 and want in (None, n) for n, want in zip(found, wanted, strict=True))


def shown(shape: Sequence[int | None]) -> str:
    """Return a shape for a message, as in "N × 288 × 384"; N stands for any length."""
    return " × ".join("N" if n is None else str(n) for n in shape) or "a single number"


def _header(stream: IO[bytes], path: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether in Fortran order, and dtype; leave the stream where the numbers begin."""
    start = stream.read(12)
    # Version 3 differs from 2 in the names of structured dtypes alone, which are refused anyway.
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
    except Exception:  # what a mangled header makes NumPy raise is not documented, and always means the same
        raise DataError(f"{path} should be a .npy file. Its header could not be read. Save it again.") from None
