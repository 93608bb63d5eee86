"""NYU Depth v2 (Silberman et al., 2012): 1,449 pictures of rooms by Kinect, labelled, from the file as it is published.

The file, nyu_depth_v2_labeled.mat, is MATLAB v7.3, so HDF5 with its axes the other way round:

    images  [N, 3, 640, 480]  uint8
    depths  [N, 640, 480]     float32, metres, filled in
    labels  [N, 640, 480]     uint16, 0 unlabelled, else the number of a name, from 1
    names   [1, 894]          references to arrays of UTF-16 characters

Nothing else in the file is read. Images of another size count as these 640 × 480 images, resized.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gradnorm.datasets.base import Source
from gradnorm.datasets.readers import hdf5, npy
from gradnorm.datasets.readers.folders import DataError, allowed_file
from gradnorm.datasets.scenes.cache import LazyScenes, SceneCache
from gradnorm.datasets.scenes.normals import Camera, normals_from_depth
from gradnorm.datasets.scenes.nyu_names import class_of
from gradnorm.datasets.scenes.nyu_splits import published_split, random_split
from gradnorm.datasets.scenes.source import PAPER, SceneDataset
from gradnorm.datasets.scenes.untrusted import checked_depths, checked_normals
from gradnorm.rendering.scene import Scene

# The colour camera, and the labelled part of its pictures, both from the toolbox that comes with the data.
WIDTH, HEIGHT = 640, 480
CAMERA = Camera(518.86, 519.47, 325.58, 253.74)
ROWS, COLUMNS = (45, 470), (41, 600)
# Half the side of the windows that normals are fitted in.
RADIUS = 5
_LONGEST_SIDE, _MOST_NAMES, _LONGEST_NAME = 2048, 10_000, 256


class NYUv2(SceneDataset):
    """Rooms as Kinect saw them: what each pixel is, how far away, and which way it faces."""

    name: ClassVar[str] = "nyuv2"
    title: ClassVar[str] = "NYU Depth v2"
    summary: ClassVar[str] = "Rooms by Kinect, from nyu_depth_v2_labeled.mat: 13 classes, depth, normals, keypoints."
    by_path: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = PAPER

    path: str = Field(
        "nyu_depth_v2_labeled.mat",
        title="File",
        description="nyu_depth_v2_labeled.mat, as it is published.",
        json_schema_extra={"path": True},
    )
    splits: str = Field(
        "",
        title="Splits",
        description="splits.mat with trainNdxs and testNdxs; empty draws 55 % to train on.",
        json_schema_extra={"path": True},
    )
    normals_folder: str = Field(
        "",
        title="Normals folder",
        description="0.npy, 1.npy, … of [H, W, 3], towards the camera, x right, y down; empty makes them from depth.",
        json_schema_extra={"path": True},
    )
    layout_file: str = Field(
        "",
        title="Layout file",
        description=".npy of [N, 48, 2]: RoomNet's keypoints, x and y in pixels, NaN if absent.",
        json_schema_extra={"path": True},
    )
    learn_keypoints: bool = Field(
        False, title="Keypoints", description="Learn the corners of the room; see layout_file."
    )

    @model_validator(mode="after")
    def _check_layout(self) -> Self:
        if self.learn_keypoints and not self.layout_file:
            raise ValueError("layout_file should name the keypoints to learn. Found none. Switch off learn_keypoints")
        return self

    @property
    def advice(self) -> str:
        """Say how the pictures are split if no file says it."""
        if self.splits:
            return ""
        return (
            "Without splits.mat, 55 % of the pictures are drawn to train on and the rest to test on, the same for "
            "every seed; results are not comparable with published ones."
        )

    def load(self, seed: int) -> Source:
        """Return the pictures, split as `splits` says. Raises DataError if a file has another layout than above."""
        file = File(self)
        train, test = published_split(self.splits, len(file)) if self.splits else random_split(len(file))
        return self.source(LazyScenes(SceneCache(file.scene), train), LazyScenes(file.scene, test), seed)


class File:
    """The labelled file and the files that go with it, open for reading. Pictures are counted from 0.

    Shapes, dtypes and names are checked now; a picture is read when it is needed.
    Raises DataError if a file is not laid out as this module says.
    """

    def __init__(self, options: NYUv2) -> None:
        path = allowed_file(options.path)
        file = hdf5.open_file(path)
        self._images = hdf5.open_dataset(file, "images", (None, 3, None, None), "u")
        count, _, width, height = self._images.shape
        self._depths = hdf5.open_dataset(file, "depths", (count, width, height), "f")
        self._labels = hdf5.open_dataset(file, "labels", (count, width, height), "ui")
        if self._images.dtype != np.uint8:
            raise DataError(f"'images' should hold bytes (uint8). Found dtype {self._images.dtype}.")
        if max(width, height) > _LONGEST_SIDE or abs(width * HEIGHT - height * WIDTH) > 0.02 * width * HEIGHT:
            raise DataError(
                f"Pictures should be 640 × 480, or of that aspect and at most {_LONGEST_SIDE} wide. "
                f"Found {width} × {height}."
            )
        self._classes = np.array([0, *map(class_of, _names(file))], np.uint8)
        self._size = (height, width)
        self._camera = CAMERA.scaled(width / WIDTH, height / HEIGHT)
        self._rows, self._columns = (
            slice(round(first * side / full), round(last * side / full))
            for (first, last), side, full in ((ROWS, height, HEIGHT), (COLUMNS, width, WIDTH))
        )
        self._normals = options.normals_folder
        self._fit = options.learn_normals and not self._normals
        if self._normals:
            for i in range(count):
                npy.memory_map(f"{self._normals}/{i}.npy", (*self._size, 3), "f")
        self._keypoints = npy.read(options.layout_file, (count, 48, 2), "f") if options.layout_file else None

    def __len__(self) -> int:
        return len(self._images)

    def scene(self, i: int) -> Scene:
        """Return a picture, cut to its labelled part.

        i: from 0 to the number of pictures − 1.
        Raises DataError if it cannot be read, if no depth is finite or one is above 100 m, or if a label has no name.
        """
        try:
            image, depth, label = self._images[i], self._depths[i], self._labels[i]
        except OSError:
            raise DataError(f"Picture {i} should be readable. Its data are damaged. Fetch the file again.") from None
        depth = checked_depths(depth.T, f"Picture {i}")
        if label.max() >= len(self._classes) or label.min() < 0:
            raise DataError(
                f"Picture {i} should have labels in 0 … {len(self._classes) - 1}, the number of names. "
                f"Found {label.min()} … {label.max()}."
            )
        cut = (self._rows, self._columns)
        keypoints = None
        if self._keypoints is not None:
            keypoints = self._keypoints[i].astype(np.float32) - [self._columns.start, self._rows.start]
        return Scene(
            image=image.transpose(0, 2, 1)[:, *cut],
            depth=depth[cut],
            normals=self._normals_of(i, depth)[:, *cut],
            labels=self._classes[label.T[cut]],
            keypoints=None if keypoints is None else keypoints.astype(np.float32),
        )

    def _normals_of(self, i: int, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return normals from their files if there are any; else from the depths if normals are learnt; else zeros."""
        if self._normals:
            return checked_normals(
                npy.read(f"{self._normals}/{i}.npy", (*self._size, 3), "f"), f"Normals of picture {i}"
            )
        if self._fit:
            return normals_from_depth(depth, self._camera, max(2, round(RADIUS * self._size[0] / HEIGHT)))
        return np.zeros((3, *self._size), np.float32)


def _names(file: Any) -> list[str]:
    """Return the names of the labels, from 1 on."""
    references = hdf5.open_dataset(file, "names", (1, None), "O")
    if references.shape[1] > _MOST_NAMES:
        raise DataError(f"'names' should have at most {_MOST_NAMES:,} names. Found {references.shape[1]:,}.")
    names: list[str] = []
    for i, reference in enumerate(references[0]):
        what = f"names[{i}]"
        if not reference:
            raise DataError(f"{what!r} should refer to characters. It refers to nothing.")
        letters = hdf5.check_dataset(file[reference], what, (None, 1), "u")
        if letters.shape[0] > _LONGEST_NAME:
            raise DataError(f"{what!r} should have at most {_LONGEST_NAME} characters. Found {letters.shape[0]:,}.")
        names.append("".join(map(chr, letters[:, 0])))
    return names
