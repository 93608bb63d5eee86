"""Which pictures of NYU Depth v2 are trained on, and which are held out."""

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
# The published file has 2.6 kB; a small limit leaves no room for what unpacks to gigabytes.
_LARGEST = 64 << 10


def drawn(count: int) -> tuple[list[int], list[int]]:
    """Return the pictures to train and to test on, drawn once and for all: 55 % and the rest."""
    order = stream(0, "nyuv2 split").permutation(count).tolist()
    first = round(TRAIN_PART * count)
    return order[:first], order[first:]


def published(path: str, count: int) -> tuple[list[int], list[int]]:
    """Return the pictures that a splits.mat names, numbered from 0.

    path: a MATLAB file of version 5 or 7.3 with trainNdxs and testNdxs, numbered from 1; see `allowed`.
    count: how many pictures there are.
    Raises DataError for anything else, for a picture that does not exist, and for one in both parts or twice in one.
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
        with hdf5.opened(file) as opened:
            train, test = (hdf5.dataset(opened, key, (None, None), "fiu")[...] for key in KEYS)
            return train, test
    if file.is_dir() or file.stat().st_size > _LARGEST:
        raise DataError(f"{file.name} should be a splits.mat of at most {_LARGEST:,} bytes. Found a larger file.")
    try:
        found = loadmat(file, variable_names=KEYS)
    except Exception:  # whatever a mangled file makes SciPy raise means the same
        found = None
    if found is None:
        raise DataError(f"{file.name} should be a MATLAB file. It could not be read. Fetch splits.mat again.")
    missing = [key for key in KEYS if key not in found]
    if missing:
        raise DataError(f"{file.name} should have trainNdxs and testNdxs. {missing[0]} is missing.")
    return found[KEYS[0]], found[KEYS[1]]


def _shown(rows: NDArray[Any]) -> str:
    return "none" if not rows.size else f"{rows.flat[0]!r} …"
