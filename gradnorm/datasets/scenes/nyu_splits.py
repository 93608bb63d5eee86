"""Splits the pictures of NYU Depth v2 into training and test pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradnorm.common.randomness import stream
from gradnorm.datasets.readers import hdf5
from gradnorm.datasets.readers.folders import DataError, allowed_file

KEYS = ("trainNdxs", "testNdxs")
TRAIN_PART = 0.55
# The published file has 2.6 kB. A small limit keeps out files that unpack to gigabytes.
_LARGEST = 64 << 10


def random_split(count: int) -> tuple[list[int], list[int]]:
    """Return the rows of the training pictures (55 %) and of the test pictures, drawn at random but always the same.

    count: how many pictures there are.
    """
    order = stream(0, "nyuv2 split").permutation(count).tolist()
    first = round(TRAIN_PART * count)
    return order[:first], order[first:]


def published_split(path: str, count: int) -> tuple[list[int], list[int]]:
    """Return the rows of the training pictures and of the test pictures that a splits.mat names, counted from 0.

    path: a MATLAB file of version 5 or 7.3 with trainNdxs and testNdxs, counted from 1; see `allowed`.
    count: how many pictures there are.
    Raises DataError for any other file, for a picture that does not exist, and for a picture that is named twice.
    """
    file = allowed_file(path)
    train, test = (np.ravel(values) for values in _read(file))
    for key, rows in zip(KEYS, (train, test), strict=True):
        if not rows.size or rows.dtype.kind not in "fiu" or not np.array_equal(rows, np.rint(rows)):
            raise DataError(f"{key!r} of {file.name} should be numbers of pictures. Found {_shown(rows)}.")
        if rows.min() < 1 or rows.max() > count:
            raise DataError(
                f"{key!r} of {file.name} should be in 1 … {count}, the number of pictures. "
                f"Found {rows.min():g} … {rows.max():g}. Does it belong to this file?"
            )
    both = np.concatenate([train, test]).astype(np.int64) - 1
    if len(np.unique(both)) < len(both):
        raise DataError(f"Each picture should be named once in {file.name}. Found some twice, or in both parts.")
    return both[: len(train)].tolist(), both[len(train) :].tolist()


def _read(file: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    import h5py
    from scipy.io import loadmat

    if h5py.is_hdf5(file):
        with hdf5.open_file(file) as opened:
            train, test = (hdf5.open_dataset(opened, key, (None, None), "fiu")[...] for key in KEYS)
            return train, test
    if file.is_dir() or file.stat().st_size > _LARGEST:
        raise DataError(f"{file.name} should be a splits.mat of at most {_LARGEST:,} bytes. Found a larger file.")
    try:
        contents = loadmat(file, variable_names=KEYS)
    except Exception:  # SciPy does not document what it raises for a broken file
        contents = None
    if contents is None:
        raise DataError(f"{file.name} should be a MATLAB file. It could not be read. Fetch splits.mat again.")
    missing = [key for key in KEYS if key not in contents]
    if missing:
        raise DataError(f"{file.name} should have trainNdxs and testNdxs. {missing[0]} is missing.")
    return contents[KEYS[0]], contents[KEYS[1]]


def _shown(rows: NDArray[Any]) -> str:
    return "none" if not rows.size else f"{rows.flat[0]!r} …"
