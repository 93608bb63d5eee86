"""SARCOS: the torques at seven joints of a robot arm (Vijayakumar & Schaal, 2000), from your own copy.

A row has the 7 positions, 7 velocities and 7 accelerations of the joints, then their 7 torques. The public split cannot
be used: nearly all rows of sarcos_inv_test.mat are in sarcos_inv.mat as well (see OpenML 44976). So all rows are
joined, repeated ones are dropped, and the split is made here. Rows were recorded at 100 Hz, so a test row still has
near neighbours in the training set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TextIO

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradnorm.datasets.base import Source
from gradnorm.datasets.readers.apart import turn
from gradnorm.datasets.readers.csv_reader import is_number
from gradnorm.datasets.readers.folders import DataError, allowed
from gradnorm.datasets.tabular.table import TableDataset, TableSource, Target

INPUTS, JOINTS = 21, 7
# As many as in the public test set; a tenth of the rows if there are few.
TEST_ROWS = 4_449
_COLUMNS = INPUTS + JOINTS
# By name of the file: the one variable in it, as published.
_PUBLISHED = {"sarcos_inv.mat": "sarcos_inv", "sarcos_inv_test.mat": "sarcos_inv_test"}
_MOST_BYTES = 2**27
_MOST_ROWS = 500_000
_LEAST_ROWS = 10
_LONGEST_LINE = 4096
_LARGEST = 1e15

Rows = NDArray[np.float64]


class Sarcos(TableDataset):
    """Seven torques from where the joints are, how fast they move and how fast that changes."""

    name: ClassVar[str] = "sarcos"
    title: ClassVar[str] = "SARCOS (robot arm)"
    summary: ClassVar[str] = "Seven joint torques from 21 positions, velocities, accelerations; from your copy."
    recommended: ClassVar[Mapping[str, Any]] = {"optimizer": "adam", "steps": 4000, "alpha": 0.5}
    by_path: ClassVar[bool] = True

    path: str = Field(
        "",
        title="File or folder",
        description="sarcos_inv.mat, the folder that holds it, or .csv or .npy of 28 columns; below the data root.",
        json_schema_extra={"path": True},
    )

    @property
    def task_names(self) -> tuple[str, ...]:
        """torque 1 … torque 7."""
        return tuple(f"torque {i + 1}" for i in range(JOINTS))

    @property
    def task_forms(self) -> tuple[str, ...]:
        """Seven regressions."""
        return ("regression",) * JOINTS

    def load(self, seed: int) -> Source:
        """Return all rows, each once, of which up to 4,449, or a tenth, are held out: the same for every seed.

        Raises DataError for files that are missing, malformed or too large.
        """
        if not self.path:
            raise DataError(
                "path should be sarcos_inv.mat, the folder that holds it and sarcos_inv_test.mat, or a .csv or .npy of "
                "28 columns. Found none. Set it with --path, below the data root."
            )
        # In the order of their values, so that the split does not depend on the files' order.
        rows = np.unique(np.concatenate([_rows(file) for file in _files(allowed(self.path, uploads=True))]), axis=0)
        if len(rows) < _LEAST_ROWS:
            raise DataError(f"SARCOS should have at least {_LEAST_ROWS} different rows. Found {len(rows)}. Add some.")
        targets = [Target(name, "regression", rows[:, INPUTS + i, None]) for i, name in enumerate(self.task_names)]
        return TableSource(self, rows[:, :INPUTS], targets, min(TEST_ROWS, len(rows) // 10), seed)


def _files(path: Path) -> list[Path]:
    """Return the file itself, or those of the published ones that are in the folder. Raises DataError."""
    if path.is_file():
        return [path]
    paths = [allowed(str(path / name)) for name in _PUBLISHED if (path / name).exists()]
    if not paths:
        raise DataError(f"The folder should hold {' or '.join(_PUBLISHED)}. Found neither. Put one of them there.")
    return paths


def _rows(file: Path) -> Rows:
    """Return a file's rows, shape [N, 28], all finite, as `send_rows` writes them. Raises DataError."""
    with turn(file) as run:
        rows = np.frombuffer(run(send_rows), np.float64)
    if len(rows) % _COLUMNS:
        raise DataError(f"{file.name} should be numbers, {_COLUMNS} a row. Found a part of a row. Write it again.")
    return rows.reshape(-1, _COLUMNS)


def send_rows(stream: BinaryIO, file: Path) -> None:
    """Write a file's rows, all finite, to a stream as double precision, one after another.

    Raises DataError for a file that is malformed or too large.
    """
    stream.write(_read(file).tobytes())


def _read(file: Path) -> Rows:
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise DataError(f"A file of SARCOS should end in {', '.join(_READERS)}. Found {file.name}. Give another.")
    if file.stat().st_size > _MOST_BYTES:
        raise DataError(f"{file.name} should have at most {_MOST_BYTES >> 20} MiB. Found more. Give fewer rows.")
    try:
        rows = reader(file)
    except (DataError, MemoryError):
        raise
    # SciPy raises many kinds of error for broken files: its own, zlib's, TypeError, ValueError.
    except Exception as error:
        raise DataError(f"{file.name} should be numbers, 28 a row. Found a file that cannot be read: {error}") from None
    _check_shape(file, rows.shape)
    if len(bad := np.flatnonzero(~(np.abs(rows) <= _LARGEST).all(1))):
        raise DataError(
            f"{file.name} should hold numbers up to {_LARGEST:g}. Found none in row {bad[0] + 1}. "
            "Mend it, or leave it out."
        )
    return rows.astype(np.float64)


def _check_shape(file: Path, shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or shape[1] != _COLUMNS or not 1 <= shape[0] <= _MOST_ROWS:
        raise DataError(
            f"{file.name} should have rows of {_COLUMNS} numbers, 21 inputs and 7 torques, at most {_MOST_ROWS:,}. "
            f"Found the shape {shape}. Give another."
        )


def _mat(file: Path) -> Rows:
    from scipy.io import loadmat, whosmat

    # This reads headers only, so that a large or unexpected variable is never loaded.
    shapes = {name: (shape, kind) for name, shape, kind in whosmat(file)}
    wanted = [name for name in _PUBLISHED.values() if name in shapes]
    if len(wanted) != 1 or shapes[wanted[0]][1] not in ("double", "single"):
        raise DataError(
            f"{file.name} should hold {' or '.join(_PUBLISHED.values())}, of numbers. "
            f"Found {', '.join(sorted(shapes)[:5]) or 'nothing'}. Give one of the published files."
        )
    _check_shape(file, shapes[wanted[0]][0])
    return np.asarray(loadmat(file, variable_names=wanted)[wanted[0]])


def _npy(file: Path) -> Rows:
    rows = np.load(file, mmap_mode="r", allow_pickle=False)
    _check_shape(file, rows.shape)
    return np.asarray(rows, dtype=np.float64)


def _csv(file: Path) -> Rows:
    with file.open(encoding="utf-8-sig", errors="replace") as text:
        lines = _lines(file, text)
        head = next(lines, "")
        if all(map(is_number, head.split(","))):
            lines = chain([head], lines)
        return np.loadtxt(lines, delimiter=",", max_rows=_MOST_ROWS + 1, ndmin=2)


def _lines(file: Path, text: TextIO) -> Iterator[str]:
    """Yield lines, at most one more than allowed. Raises DataError for a line that is too long."""
    for number in range(1, _MOST_ROWS + 3):
        line = text.readline(_LONGEST_LINE + 1)
        if len(line) > _LONGEST_LINE:
            raise DataError(
                f"{file.name} should have lines of at most {_LONGEST_LINE:,} characters. "
                f"Found more in line {number}. Give {_COLUMNS} numbers a line."
            )
        if not line:
            return
        yield line


_READERS: Mapping[str, Callable[[Path], Rows]] = {".mat": _mat, ".csv": _csv, ".npy": _npy}
