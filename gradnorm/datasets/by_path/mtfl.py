"""MTFL: faces with five landmarks and four attributes (Zhang, Luo, Loy, Tang, ECCV 2014), from your own copy.

The folder holds training.txt, testing.txt and the pictures that they name. A line has 15 fields: a picture's path, x of
left eye, right eye, nose, left and right corner of the mouth, then their y, in pixels, then gender, smile, glasses (1
or 2) and pose (1 … 5).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Batch, Dataset, Source, Task
from gradnorm.datasets.readers import pictures
from gradnorm.datasets.readers.folders import DataError, allowed

POINTS = 5
# Classes of each attribute, in the order of their numbers in the file, which begin at 1.
ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "gender": ("male", "female"),
    "smile": ("smiling", "not smiling"),
    "glasses": ("glasses", "no glasses"),
    "pose": ("left profile", "left", "frontal", "right", "right profile"),
}
_FIELDS = 1 + 2 * POINTS + len(ATTRIBUTES)
_FILES = ("training.txt", "testing.txt")
_LONGEST_LINE = 4096
# All pictures are kept in memory; those of MTFL take 21 MB at 40 × 40, and 1 GB at 160 × 160.
_MOST_MEMORY = 2**30
_SHOWN = 5


@dataclass(frozen=True)
class Face:
    """One line of a list.

    picture: its path, with /.  x, y: of five points, in pixels.  classes: of the four attributes, each from 0.
    """

    picture: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    classes: tuple[int, ...]

    @staticmethod
    def parse(line: str) -> Face:
        r"""Return the face of a line. Spaces around it are ignored, and \ in paths becomes /.

        Raises ValueError, whose message says what was found, if the line is malformed.
        """
        fields = line.split()
        if len(fields) != _FIELDS:
            raise ValueError(f"{len(fields)} fields")
        numbers: list[float] = []
        for text in fields[1:]:
            try:
                numbers.append(float(text))
            except ValueError:
                raise ValueError(f"{text[:40]!r} for a number") from None
        points, labels = numbers[: 2 * POINTS], numbers[2 * POINTS :]
        if not all(map(isfinite, points)):
            raise ValueError("a point at no finite place")
        for name, label in zip(ATTRIBUTES, labels, strict=True):
            if label not in range(1, len(ATTRIBUTES[name]) + 1):
                raise ValueError(f"{name} {label:g}")
        classes = tuple(int(label) - 1 for label in labels)
        return Face(fields[0].replace("\\", "/"), tuple(points[:POINTS]), tuple(points[POINTS:]), classes)


class Mtfl(Dataset):
    """Five points of a face, and four things to tell from it."""

    name: ClassVar[str] = "mtfl"
    title: ClassVar[str] = "MTFL (faces)"
    summary: ClassVar[str] = "Five landmarks, gender, smile, glasses and pose of 12,995 faces; from your copy of MTFL."
    # The paper gives α alone, 0.3 at 40 × 40 and 0.2 at 160 × 160.
    recommended: ClassVar[Mapping[str, Any]] = {"optimizer": "adam", "steps": 4000, "alpha": 0.3}
    networks: ClassVar[tuple[str, ...]] = ("landmarks",)
    by_path: ClassVar[bool] = True

    path: str = Field(
        "",
        title="Folder",
        description="With training.txt, testing.txt and the pictures; below the data root.",
        json_schema_extra={"path": True},
    )
    size: Literal["40", "160"] = Field(
        "40", title="Picture size", description="40: 40 × 40 pixels, grey. 160: 160 × 160 pixels, in colour."
    )
    skip_bad: bool = Field(
        False, title="Skip bad lines", description="Leave out lines that cannot be read, or whose picture cannot."
    )

    @property
    def task_names(self) -> tuple[str, ...]:
        """landmarks, gender, smile, glasses, pose."""
        return ("landmarks", *ATTRIBUTES)

    @property
    def task_forms(self) -> tuple[str, ...]:
        """One of landmarks, four classifications."""
        return ("landmarks", *("classification" for _ in ATTRIBUTES))

    @property
    def advice(self) -> str:
        """Tell what the paper found of two tasks."""
        return (
            "glasses and pose tend to stay at the most frequent class, as they did in the paper, and GradNorm then "
            "goes on raising their weights."
        )

    def load(self, seed: int) -> Source:
        """Return the faces of training.txt for training, and those of testing.txt as the test set.

        Differs from the paper: pose has its five classes, where the paper's network has two scores for each
        classifier; pictures are grey at 40 × 40 and in colour at 160 × 160, which the paper leaves open.
        Raises DataError for files or lines that are missing or malformed.
        """
        if not self.path:
            raise DataError(
                "path should be the folder of MTFL, with training.txt, testing.txt and the pictures. Found none. "
                "Set it with --path, below the data root."
            )
        return _Faces(self, allowed(self.path), seed)


class _Faces(Source):
    """Faces in memory.  inputs: [N, 1, 40, 40] or [N, 3, 160, 160], uint8."""

    def __init__(self, options: Mtfl, folder: Path, seed: int) -> None:
        self._seed = seed
        self.tasks = (
            Task("landmarks", "landmarks", 2 * POINTS),
            *(Task(name, "classification", len(classes), classes=classes) for name, classes in ATTRIBUTES.items()),
        )
        reader = _Reader(folder, int(options.size), 1 if options.size == "40" else 3)
        self._train, self.test = (reader.read(name) for name in _FILES)
        if reader.faults and not options.skip_bad:
            raise DataError(_told(reader.faults))
        for name, part in zip(_FILES, (self._train, self.test), strict=True):
            if not len(part.inputs):
                raise DataError(
                    f"{name} should have at least one face. Found none, and {_counted(reader.faults)}. Mend them."
                )

    def batch(self, step: int, size: int) -> Batch:
        """Return `size` training faces drawn with replacement; see `Source.batch`."""
        import torch

        rows = stream(self._seed, "mtfl batch", step).integers(0, len(self._train.inputs), size)
        index = torch.from_numpy(rows)
        return Batch(self._train.inputs[index], tuple(target[index] for target in self._train.targets))


class _Reader:
    """Reads lists and the pictures that they name, and notes what is wrong with them.

    faults: "file line number: what was found", in the order of the lines.
    """

    def __init__(self, folder: Path, size: int, channels: int) -> None:
        self._folder, self._shape = folder, (channels, size, size)
        self._left = _MOST_MEMORY
        self.faults: list[str] = []

    def read(self, name: str) -> Batch:
        """Return the faces of one list, without those that have a fault."""
        import torch
        from PIL import Image

        each = int(np.prod(self._shape))
        lines = _lines(self._folder / name, self._left // each)
        self._left -= len(lines) * each
        inputs = np.empty((len(lines), *self._shape), np.uint8)
        points, classes = np.empty((len(lines), 2 * POINTS), np.float32), np.empty((len(lines), 4), np.int64)

        def one(row: int) -> str:
            number, line = lines[row]
            try:
                face = Face.parse(line)
                inputs[row], extent = self._picture(face.picture)
                points[row], classes[row] = _placed(face, extent), face.classes
            except ValueError as error:
                return f"{name} line {number}: {error}"
            return ""

        with ThreadPoolExecutor() as threads, warnings.catch_warnings():
            # Pictures that Pillow warns of are refused, with a sentence of our own.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            faults = list(threads.map(one, range(len(lines))))
        self.faults += [fault for fault in faults if fault]
        tensors = [torch.from_numpy(part) for part in (inputs, points, classes)]
        if any(faults):
            kept = torch.tensor([not fault for fault in faults])
            tensors = [tensor[kept] for tensor in tensors]
        return Batch(tensors[0], (tensors[1], *tensors[2].unbind(1)))

    def _picture(self, name: str) -> tuple[NDArray[np.uint8], tuple[int, int]]:
        """Return a picture and the (width, height) that it had. Raises ValueError that says what was found."""
        try:
            file = allowed(str(self._folder / name))
        except DataError:
            raise ValueError(f"no picture {name[:80]!r} in the folder") from None
        try:
            return pictures.read(file, self._shape[1], self._shape[0])
        except (OSError, ValueError) as error:
            raise ValueError(f"{name[:80]!r} is {error}") from None


def _lines(file: Path, most: int) -> list[tuple[int, str]]:
    """Return the lines that are not blank, with their numbers, of at most `most` lines. Raises DataError."""
    lines: list[tuple[int, str]] = []
    try:
        file = allowed(str(file))
        with file.open(encoding="utf-8-sig", errors="replace") as text:
            # A line that is too long is cut, and then has the wrong number of fields.
            for number in range(1, most + 2):
                if not (line := text.readline(_LONGEST_LINE)):
                    return lines
                if line.strip():
                    lines.append((number, line))
    except OSError as error:
        raise DataError(f"{file.name} should be a list of pictures. Found no such file ({error.strerror}).") from None
    raise DataError(
        f"The pictures should fit into {_MOST_MEMORY >> 30} GiB. Found more than {most:,} lines in {file.name}. "
        "Take the smaller size, or fewer pictures."
    )


def _placed(face: Face, extent: tuple[int, int]) -> list[float]:
    """Return x and y of each point in turn, in parts of the picture's width and height. Raises ValueError."""
    width, height = extent
    placed = [part for x, y in zip(face.x, face.y, strict=True) for part in (x / width, y / height)]
    # The far side of a face that is turned away may lie a little outside.
    if not all(-0.5 <= part <= 1.5 for part in placed):
        raise ValueError(f"a point far outside of the picture of {width} × {height}")
    return placed


def _told(faults: Sequence[str]) -> str:
    shown = "; ".join(faults[:_SHOWN]) + ("; …" if len(faults) > _SHOWN else "")
    return (
        f"Each line should hold a picture's path, five x, five y, gender, smile and glasses (1, 2) and pose (1 … 5). "
        f"Found {_counted(faults)}: {shown}. Mend them, or leave them out with --skip-bad."
    )


def _counted(faults: Sequence[str]) -> str:
    return f"{len(faults)} bad {'line' if len(faults) == 1 else 'lines'}"
