"""What lies in the folder that a server and its workers share.

    LEASE/wish                  which attempt is the present one, and whether it is to end
    LEASE/ATTEMPT/runs          what is to be trained, and from where on
    LEASE/ATTEMPT/handle        by what the cluster knows the worker
    LEASE/ATTEMPT/begun         the worker has started
    LEASE/ATTEMPT/checkpoints/  those that its runs start from, and those that it has made since
    LEASE/ATTEMPT/000001 …      segments of records

All are sealed: written under another name and renamed once they are on the disk.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.records import Checkpoint, Quantity
from gradnorm.runs.sealed_files import SealError, read_sealed, write_sealed

_KIND = "gradnorm lease 1"
# Below which folder data are that are read from a path.
_DATA = "GRADNORM_DATA"


@dataclass(frozen=True)
class Contender:
    """A run of a lease.

    spec: flat.  quantities: the columns of its rows.
    start: the step of the checkpoint that it goes on from; None begins at its start.  branch: as in `Entry`.
    """

    run: str
    spec: Mapping[str, Any]
    quantities: Sequence[Quantity]
    start: int | None
    branch: bool


@dataclass(frozen=True)
class Wish:
    """What the server wants of the workers of a lease. attempt: all others are to end at once.

    stop: whether that one is to end, too, with a checkpoint.
    """

    attempt: int
    stop: bool


class LeaseFolder:
    """The folder of a lease, named after it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def attempt(self, number: int) -> Attempt:
        """Return the folder of one attempt."""
        return Attempt(self._path / str(number))

    @property
    def wish(self) -> Wish | None:
        """What the server wants; None where nothing is to be trained any more."""
        try:
            return Wish(**_read(self._path / "wish"))
        except (FileNotFoundError, SealError):
            return None

    @wish.setter
    def wish(self, wish: Wish) -> None:
        _write(self._path / "wish", vars(wish))

    def clear(self) -> None:
        """Remove it: a worker that is still there ends then."""
        shutil.rmtree(self._path, ignore_errors=True)


class Attempt:
    """The folder of one attempt at a lease."""

    def __init__(self, path: Path) -> None:
        self.path, self.lease, self.number = path, LeaseFolder(path.parent), int(path.name)
        self.checkpoints = Checkpoints(path / "checkpoints")

    def create(self, contenders: Sequence[Contender], starts: Mapping[str, Checkpoint]) -> None:
        """Write what is to be trained. starts: the checkpoints to go on from, by run. Raises OSError."""
        self.path.mkdir(parents=True, exist_ok=True)
        for run, start in starts.items():
            self.checkpoints.write(run, start)
        plain = {"data": os.environ.get(_DATA), "contenders": [vars(each) for each in contenders]}
        _write(self.path / "runs", plain)

    def contenders(self) -> list[Contender]:
        """Return what is to be trained. Raises OSError, SealError."""
        found = [Contender(**each) for each in _read(self.path / "runs")["contenders"]]
        return [replace(each, quantities=tuple(Quantity(*column) for column in each.quantities)) for each in found]

    def open_up(self) -> None:
        """Let this process read the data that the server may read, unless its machine says which it may."""
        data = _read(self.path / "runs")["data"]
        if data is not None:
            os.environ.setdefault(_DATA, data)

    @property
    def handle(self) -> str | None:
        """By what the cluster knows the worker; None before that was noted."""
        try:
            return _read(self.path / "handle")
        except (FileNotFoundError, SealError):
            return None

    @handle.setter
    def handle(self, handle: str) -> None:
        _write(self.path / "handle", handle)

    @property
    def begun(self) -> bool:
        """Whether a worker has started."""
        return (self.path / "begun").exists()

    def begin(self) -> bool:
        """Note that a worker has started; False if one had before: an attempt is made once."""
        try:
            (self.path / "begun").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def segment(self, number: int) -> Path:
        """Return where a segment lies."""
        return self.path / f"{number:06d}"


def _write(path: Path, value: Any) -> None:
    write_sealed(path, _KIND, json.dumps(value).encode())


def _read(path: Path) -> Any:
    return json.loads(read_sealed(path, _KIND))
