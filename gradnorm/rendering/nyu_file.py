"""Rendered rooms as a file laid out as `nyu_depth_v2_labeled.mat` (Silberman et al., ECCV 2012).

That is a MATLAB 7.3 file: 512 bytes of MATLAB's own, then HDF5 with all axes reversed. Left out is `namesToIds`, an
object that only MATLAB reads and that says no more than `names` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from gradnorm.rendering.parts import NAMES
from gradnorm.rendering.rooms import Room

DESCRIPTION = "rendered, not NYUv2"
# The labels in the file, of as many names as NYUv2 has.
COUNT = 894
IDS: Mapping[str, int] = MappingProxyType(
    {
        "bottle": 2, "cabinet": 3, "ceiling": 4, "chair": 5, "floor": 11, "garbage bin": 12, "table": 19, "wall": 21,
        "box": 26, "door": 28, "cup": 35, "desk": 36, "shelves": 42, "bag": 55, "window": 59, "picture": 64,
        "vase": 78, "plant": 82, "sofa": 83, "books": 85, "bookshelf": 88, "curtain": 89, "pillow": 119,
        "floor mat": 143, "lamp": 144, "bed": 157, "night stand": 158, "dresser": 169,
        "television": 172, "tv stand": 291, "coffee table": 356,
    }
)  # fmt: skip
# NYUv2's own split.
TRAINING, TEST = 795, 654
_USER_BLOCK = 512
# What a room is called by the first of these that is in it.
_SCENES = (("bed", "bedroom"), ("sofa", "living_room"), ("desk", "study"), ("table", "dining_room"))
# Per picture: dtype, MATLAB's class, and axes before width and height.
_MAPS: Mapping[str, tuple[str, str, tuple[int, ...]]] = MappingProxyType(
    {
        "images": ("u1", "uint8", (3,)),
        "depths": ("f4", "single", ()),
        "rawDepths": ("f4", "single", ()),
        "labels": ("u2", "uint16", ()),
        "instances": ("u1", "uint8", ()),
    }
)


def names() -> list[str]:
    """Return all 894 names, of labels 1 … 894."""
    all_names = [f"unused {number}" for number in range(1, COUNT + 1)]
    for name, number in IDS.items():
        all_names[number - 1] = name
    return all_names


def write_mat(path: Path, rooms: Iterable[Room], count: int) -> None:
    """Write rooms to a file. The file appears at `path` only when it is complete.

    rooms: `count` of them, all of one size H × W, read one by one. Datasets, axes as HDF5 has them: images
    [count, 3, W, H], depths, rawDepths (the same: nothing is filled in), labels (0 or as in `IDS`) and instances
    [count, W, H], accelData [4, count], and references to names [1, 894], sceneTypes, scenes, rawDepthFilenames
    and rawRgbFilenames [1, count]. The attribute `description` says that it is rendered. Raises ValueError if there are
    fewer or more rooms, OSError if the file cannot be written.
    """
    partial = path.with_name(path.name + ".tmp")
    try:
        # A plain message where HDF5's would be long.
        partial.open("wb").close()
        with h5py.File(partial, "w", userblock_size=_USER_BLOCK) as file:
            _fill(file, rooms, count)
        with partial.open("r+b") as raw:
            raw.write(_header())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _fill(file: h5py.File, rooms: Iterable[Room], count: int) -> None:
    file.attrs["description"] = DESCRIPTION
    ids = np.array([0, *(IDS[name] for name in NAMES)], np.uint16)
    kinds: list[str] = []
    maps: dict[str, h5py.Dataset] = {}
    for at, room in enumerate(rooms):
        if at == 0:
            maps = _create(file, count, *room.parts.shape)
        if at < count:
            _put(maps, at, room, ids)
        kinds.append(_scene_type(room))
    if len(kinds) != count:
        raise ValueError(f"There should be {count} rooms. Found {len(kinds)}. Give as many as are to be written.")
    numbers = [f"{i + 1:05d}" for i in range(count)]
    _cells(file, "names", names())
    _cells(file, "sceneTypes", kinds)
    _cells(file, "scenes", [f"rendered_{number}" for number in numbers])
    _cells(file, "rawDepthFilenames", [f"rendered/d-{number}.pgm" for number in numbers])
    _cells(file, "rawRgbFilenames", [f"rendered/r-{number}.ppm" for number in numbers])
    _typed(file.create_dataset("accelData", data=np.zeros((4, count), np.float32)), "single")


def _create(file: h5py.File, count: int, height: int, width: int) -> dict[str, h5py.Dataset]:
    maps: dict[str, h5py.Dataset] = {}
    for name, (dtype, kind, axes) in _MAPS.items():
        shape = (*axes, width, height)
        maps[name] = file.create_dataset(
            name, (count, *shape), dtype, chunks=(1, *shape), compression="gzip", compression_opts=1
        )
        _typed(maps[name], kind)
    return maps


def _put(maps: Mapping[str, h5py.Dataset], at: int, room: Room, ids: np.ndarray[Any, np.dtype[np.uint16]]) -> None:
    """Write one room; MATLAB counts rows fastest, so that width comes before height here."""
    scene = room.scene
    maps["images"][at] = scene.image.transpose(0, 2, 1)
    for name in ("depths", "rawDepths"):
        maps[name][at] = scene.depth.T
    maps["labels"][at] = ids[room.parts].T
    maps["instances"][at] = room.instances.T


def _cells(file: h5py.File, name: str, texts: list[str]) -> None:
    """Write a column of strings: references to arrays of UTF-16 characters."""
    store = file.require_group("#refs#")
    references = np.empty((1, len(texts)), h5py.ref_dtype)
    for i, text in enumerate(texts):
        characters = np.frombuffer(text.encode("utf-16-le"), np.uint16).reshape(-1, 1)
        made = store.create_dataset(f"{name}_{i}", data=characters)
        _typed(made, "char")
        made.attrs["MATLAB_int_decode"] = np.int32(2)
        references[0, i] = made.ref
    _typed(file.create_dataset(name, data=references, dtype=h5py.ref_dtype), "cell")


def _typed(dataset: h5py.Dataset, kind: str) -> None:
    dataset.attrs["MATLAB_class"] = np.bytes_(kind)


def _scene_type(room: Room) -> str:
    there = {NAMES[part - 1] for part in np.unique(room.parts) if part}
    return next((scene for name, scene in _SCENES if name in there), "home")


def _header() -> bytes:
    """Return what MATLAB looks for in the first 128 bytes: a text, no subsystem, version 2.0, little-endian."""
    return b"MATLAB 7.3 MAT-file, Platform: GradNorm live, HDF5 schema 1.00 .".ljust(116) + bytes(8) + b"\x00\x02IM"


def write_splits(path: Path, count: int) -> tuple[int, int]:
    """Write a file laid out as NYUv2's splits.mat, and return the numbers of training and test rooms.

    count: ≥ 2, of which the first 795/1449 are for training. trainNdxs and testNdxs are columns, counted from 1.
    """
    from scipy.io import savemat

    training = min(max(1, round(count * TRAINING / (TRAINING + TEST))), count - 1)
    numbers = np.arange(1, count + 1, dtype=np.uint16 if count < 2**16 else np.uint32)[:, None]
    with path.open("wb") as file:
        savemat(file, {"trainNdxs": numbers[:training], "testNdxs": numbers[training:]})
    return training, count - training
