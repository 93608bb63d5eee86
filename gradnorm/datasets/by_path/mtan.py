"""NYU Depth v2 as the authors of MTAN (Liu et al., 2019) distribute it: a folder of .npy files, 288 × 384.

    {train,val}/image/{i}.npy    [H, W, 3]  float, RGB in [0, 1]
    {train,val}/label/{i}.npy    [H, W]     −1 unlabelled, else 0 … 12, the classes of `scene.CLASSES`
    {train,val}/depth/{i}.npy    [H, W, 1]  float, metres, 0 where unknown
    {train,val}/normal/{i}.npy   [H, W, 3]  float, 0 where unknown

Their normals are kept as they are: x is the first number, and the signs of y and z are those of whoever made them, not
those of `scene.Scene`; flips and zooms do not depend on these signs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradnorm.datasets.base import Source
from gradnorm.datasets.readers import npy
from gradnorm.datasets.readers.folders import DataError, allowed
from gradnorm.datasets.scenes.cache import LazyScenes, SceneCache
from gradnorm.datasets.scenes.source import PAPER, SceneDataset
from gradnorm.datasets.scenes.untrusted import checked_depths, checked_normals
from gradnorm.rendering.scene import CLASSES, Scene

# Each kind of file: what follows H and W in its shape, and the letters of the dtypes that it may have.
_PARTS: Mapping[str, tuple[tuple[int, ...], str]] = {
    "image": ((3,), "f"), "label": ((), "fi"), "depth": ((1,), "f"), "normal": ((3,), "f"),
}  # fmt: skip
_TOLD, _MOST, _LONGEST_SIDE, _ROUNDING = 3, 100_000, 2048, 1e-3


class MTAN(SceneDataset):
    """Rooms as Kinect saw them, small, with the normals and the split that MTAN and its successors use."""

    name: ClassVar[str] = "mtan"
    title: ClassVar[str] = "NYUv2 of MTAN"
    summary: ClassVar[str] = "Rooms by Kinect, from MTAN's folder of .npy files: 13 classes, depth, normals."
    by_path: ClassVar[bool] = True
    recommended: ClassVar[Mapping[str, Any]] = PAPER

    path: str = Field(
        "nyuv2",
        title="Folder",
        description="The folder that holds train/ and val/.",
        json_schema_extra={"path": True},
    )
    skip_bad: bool = Field(
        False,
        title="Skip bad pictures",
        description="Leave out pictures of which a file is missing or malformed.",
    )

    def load(self, seed: int) -> Source:
        """Return the pictures of train/, and those of val/ as the test set.

        Raises DataError if files are missing or malformed; see `skip_bad`.
        """
        train, test = Folder(self, "train"), Folder(self, "val")
        return self.source(
            LazyScenes(SceneCache(train.scene), train.numbers), LazyScenes(test.scene, test.numbers), seed
        )


class Folder:
    """The pictures of one split, by their numbers. Only files of the chosen tasks are opened.

    numbers: of the usable pictures, in order.
    All headers are checked now; the values of a picture when it is read. Raises DataError, with the number of bad files
    and the first few messages, if files are missing or malformed; with `skip_bad` only if no picture is left.
    """

    def __init__(self, options: MTAN, split: str) -> None:
        self._path = f"{options.path}/{split}"
        wanted = {"image": True, "label": options.learn_classes}
        wanted |= {"depth": options.learn_depth, "normal": options.learn_normals}
        self._parts = [part for part in _PARTS if wanted[part]]
        listed = sorted(set(self._listed()))
        if len(listed) > _MOST:
            raise DataError(f"{self._path} should have at most {_MOST:,} pictures. Found {len(listed):,}.")
        self._size: tuple[int | None, int | None] = (None, None)
        faults: list[str] = []
        self.numbers: list[int] = []
        for number in listed:
            faults_here = list(self._faults(number))
            faults += faults_here
            if not faults_here:
                self.numbers.append(number)
        if faults and (not options.skip_bad or not self.numbers):
            more = f" And {len(faults) - _TOLD} more." if len(faults) > _TOLD else ""
            raise DataError(
                f"Of the files in {self._path}, {len(faults)} are missing or malformed. "
                f"{' '.join(faults[:_TOLD])}{more} Mend them, or leave such pictures out with skip_bad."
            )
        if not self.numbers:
            raise DataError(f"{self._path} should have image/0.npy, image/1.npy, … Found no such file.")

    def scene(self, number: int) -> Scene:
        """Return a picture. Raises DataError, which names the file, if values are out of range."""
        image = self._checked(number, "image", 0, 1)
        height, width = image.shape[:2]
        depth, normals = np.zeros((height, width), np.float32), np.zeros((3, height, width), np.float32)
        labels = np.zeros((height, width), np.uint8)
        if "label" in self._parts:
            labels = (self._checked(number, "label", -1, len(CLASSES) - 1).round() + 1).astype(np.uint8)
        if "depth" in self._parts:
            depth = checked_depths(self._read(number, "depth")[..., 0], self._file(number, "depth"))
        if "normal" in self._parts:
            normals = checked_normals(self._read(number, "normal"), self._file(number, "normal"))
        return Scene((image.transpose(2, 0, 1) * 255).round().astype(np.uint8), depth, normals, labels)

    def _listed(self) -> Iterator[int]:
        """Yield the numbers of all files, of whatever kind."""
        for part in self._parts:
            for file in allowed(f"{self._path}/{part}").iterdir():
                if file.suffix == ".npy" and file.stem.isascii() and file.stem.isdigit() and len(file.stem) < 10:
                    yield int(file.stem)

    def _faults(self, number: int) -> Iterator[str]:
        """Yield what is wrong with the files of a picture; all pictures have the size of the first good image."""
        for part in self._parts:
            try:
                shape = self._open(number, part).shape
            except DataError as error:
                yield str(error)
            else:
                self._size = shape[:2]

    def _open(self, number: int, part: str) -> NDArray[Any]:
        rest, kinds = _PARTS[part]
        array = npy.memory_map(self._file(number, part), (*self._size, *rest), kinds)
        if max(array.shape) > _LONGEST_SIDE:
            raise DataError(
                f"{self._file(number, part)} should be at most {_LONGEST_SIDE} wide and high. "
                f"Found {npy.shape_text(array.shape)}."
            )
        return array

    def _read(self, number: int, part: str) -> NDArray[np.float32]:
        return np.array(self._open(number, part), np.float32)

    def _checked(self, number: int, part: str, low: int, high: int) -> NDArray[np.float32]:
        """Return numbers in [low, high], but for rounding."""
        values = self._read(number, part)
        # A comparison with NaN is false.
        if not (values.min() >= low - _ROUNDING and values.max() <= high + _ROUNDING):
            raise DataError(
                f"{self._file(number, part)} should be in {low} … {high}. Found {values.min():g} … {values.max():g}."
            )
        return values.clip(low, high)

    def _file(self, number: int, part: str) -> str:
        return f"{self._path}/{part}/{number}.npy"
