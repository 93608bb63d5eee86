"""What lies in the folder that a server and its workers share.

    LEASE/ATTEMPT/runs          what is to be trained, and from where on
    LEASE/ATTEMPT/handle        by what the cluster knows the worker
    LEASE/ATTEMPT/begun         the worker has started
    LEASE/ATTEMPT/stop          it is to end, with a checkpoint
    LEASE/ATTEMPT/checkpoints/  those that its runs start from, and those that it has made since
    LEASE/ATTEMPT/000001 …      segments of records

What has content is sealed: written under another name and renamed once it is on the disk. An attempt that is given up
loses its folder, by which its worker knows.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
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


class Attempt:
    """The folder of one attempt at a lease."""

    def __init__(self, path: Path) -> None:
        self.path, self.lease, self.number = path, path.parent.name, int(path.name)
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
        """Note that a worker has started; False if one had before, or if nobody wants it any more."""
        try:
            (self.path / "begun").touch(exist_ok=False)
        except (FileExistsError, FileNotFoundError):
            return False
        return True

    @property
    def stopped(self) -> bool:
        """Whether the worker was told to end."""
        return (self.path / "stop").exists()

    def stop(self) -> None:
        """Tell the worker to end. Raises OSError."""
        (self.path / "stop").touch()

    def go_on(self) -> None:
        """Take back what `stop` told, if the worker has not heard of it."""
        (self.path / "stop").unlink(missing_ok=True)

    @property
    def given_up(self) -> bool:
        """Whether nobody wants anything of it any more."""
        return not (self.path / "runs").exists()

    def give_up(self) -> None:
        """Remove the folder, and that of the lease if no other attempt is in it.

        It is renamed first: a worker that writes a file at this moment could otherwise leave it behind.
        """
        gone = self.path.with_name("gone")
        shutil.rmtree(gone, ignore_errors=True)
        with suppress(OSError):
            self.path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        with suppress(OSError):
            self.path.parent.rmdir()

    def segment(self, number: int) -> Path:
        """Return where a segment lies."""
        return self.path / f"{number:06d}"


def _write(path: Path, value: Any) -> None:
    write_sealed(path, _KIND, json.dumps(value).encode())


def _read(path: Path) -> Any:
    return json.loads(read_sealed(path, _KIND))
