"""Reads untrusted HDF5 files: checks what each data set declares before it reads any of it.

HDF5 can refer to other files (external links, external storage, virtual data sets), load plug-ins as filters, and
declare far more data than it holds. A file of pictures needs none of these, so they are refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.npy import KINDS, fits, shape_text

if TYPE_CHECKING:
    import h5py

_LARGEST = 16 << 30
_LARGEST_CHUNK = 128 << 20
# The most bytes that a data set may declare for each byte stored, unless it is small. Deflate reaches 1030 at most.
_SMALL, _RATIO = 64 << 20, 500
# deflate, shuffle, fletcher32, szip, nbit, scale-offset, and h5py's own lzf.
_FILTERS = {1, 2, 3, 4, 5, 6, 32000}


def open_file(path: Path) -> h5py.File:
    """Return an HDF5 file, open for reading. MATLAB's v7.3 files are HDF5 files after a header of 512 bytes.

    path: of the file, already checked by `allowed_file`.
    Raises DataError if it is no HDF5 file, or a broken one.
    """
    import h5py

    try:
        return h5py.File(path, "r", locking="best-effort")
    except OSError:
        raise DataError(
            f"{path.name} should be an HDF5 file, such as MATLAB's v7.3. Found something else, or a part of one. "
            "Fetch it again, or save it with -v7.3."
        ) from None


def open_dataset(file: h5py.File, key: str, shape: Sequence[int | None], kinds: str) -> h5py.Dataset:
    """Return a data set of an HDF5 file without reading its data.

    key: the name of the data set.
    shape: what its shape should be; None for an axis of any length.
    kinds: the allowed kinds of dtype, letters of "fiub", or "O" for references to objects.
    Raises DataError, which names the key, if the data set is missing, if its shape or dtype differ, and if reading it
    would open other files, load plug-ins, or take far more memory than the file stores.
    """
    import h5py

    link = file.get(key, getlink=True)
    if link is None:
        raise DataError(f"{_name(file)} should have {key!r}. Found {_listed(file)}.")
    if not isinstance(link, h5py.HardLink):
        raise DataError(f"{key!r} of {_name(file)} should be in the file itself. Found a link. Copy it into the file.")
    return check_dataset(file[key], key, shape, kinds)


def check_dataset(item: Any, key: str, shape: Sequence[int | None], kinds: str) -> h5py.Dataset:
    """Return an object of an HDF5 file if it is such a data set. Arguments and errors are those of `open_dataset`."""
    import h5py

    if not isinstance(item, h5py.Dataset):
        raise DataError(f"{key!r} should be an array. Found a group. Is this the right file?")
    if item.external or item.is_virtual:
        raise DataError(f"{key!r} should be in the file itself. Found it stored in other files. Copy it into the file.")
    wanted = "references to objects" if kinds == "O" else " or ".join(KINDS[k] for k in kinds) + " numbers"
    references = h5py.check_ref_dtype(item.dtype) is h5py.Reference
    if item.dtype.kind not in kinds or (kinds == "O" and not references):
        raise DataError(f"{key!r} should hold {wanted}. Found dtype {item.dtype}.")
    if item.shape is None or not fits(item.shape, shape):
        raise DataError(f"{key!r} should have the shape {shape_text(shape)}. Found {shape_text(item.shape or (0,))}.")
    _affordable(item, key)
    return item


def _affordable(item: h5py.Dataset, key: str) -> None:
    """Raise DataError if reading a data set would take too much memory, or load a plug-in."""
    declared = math.prod(item.shape) * item.dtype.itemsize
    held = item.id.get_storage_size()
    if declared > _LARGEST or (declared > _SMALL and declared > held * _RATIO):
        raise DataError(
            f"{key!r} should hold what it declares, at most {_LARGEST:,} bytes. "
            f"It declares {declared:,} bytes and holds {held:,}."
        )
    chunk = math.prod(item.chunks or ()) * item.dtype.itemsize
    if chunk > _LARGEST_CHUNK:
        raise DataError(f"{key!r} should have chunks of at most {_LARGEST_CHUNK:,} bytes. Found {chunk:,}.")
    plan = item.id.get_create_plist()
    filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
    if not filters <= _FILTERS:
        raise DataError(f"{key!r} should be plain or compressed with gzip. Found filter {min(filters - _FILTERS)}.")


def _name(file: h5py.File) -> str:
    return Path(file.filename).name


def _listed(file: h5py.File) -> str:
    names = sorted(file)
    return ", ".join(names[:8]) + (" …" if len(names) > 8 else "") if names else "nothing"
