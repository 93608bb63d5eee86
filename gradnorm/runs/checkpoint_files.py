"""Checkpoints as files: written whole or not at all, and checked when they are read."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from gradnorm.runs.records import Checkpoint
from gradnorm.runs.sealed_files import SealError, read_sealed, sync, write_sealed

_KIND = "gradnorm checkpoint 1"
_SUFFIX = ".ckpt"
# Of one run, beside the two newest: enough to travel back in time by three per cent of the run.
MOST_KEPT = 32
# A file that nobody has written to for so long is not being written.
STILL_SECONDS = 60.0


class CheckpointError(ValueError):
    """A checkpoint that is missing or damaged; the message says which and what to do."""


class Checkpoints:
    """The checkpoints of all runs of a home, a directory a run.

    root: made when the first one is written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, run: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, and thin out older ones; once this returns it survives the process and a power cut."""
        folder = self.folder(run)
        new = not folder.exists()
        for directory in (self._root, folder):  # not their parent: a home that was deleted is not to come back by this
            directory.mkdir(exist_ok=True)
        write_sealed(self._path(run, checkpoint.step), _KIND, checkpoint.payload)
        if new:
            sync(self._root)
        self._thin(run)

    def steps(self, run: str) -> list[int]:
        """Return the steps after which a checkpoint is kept, ascending."""
        return sorted(int(path.stem) for path in self.folder(run).glob(f"*{_SUFFIX}") if path.stem.isdecimal())

    def runs(self) -> list[str]:
        """Return the names of the runs that have a folder here."""
        return sorted(path.name for path in self._root.glob("*") if path.is_dir())

    def folder(self, run: str) -> Path:
        """Return where the checkpoints of a run are."""
        return self._root / run

    def faults(self, run: str) -> dict[Path, str]:
        """Return the files of a run that are no sound checkpoints, each with what is wrong with it."""
        told: dict[Path, str] = {}
        for step in self.steps(run):
            try:
                self.read(run, step)
            except CheckpointError as error:
                told[self._path(run, step)] = str(error)
        for path in sorted(self.folder(run).glob("*.tmp")):
            if time.time() - path.stat().st_mtime < STILL_SECONDS:
                continue  # it may be about to be written
            told[path] = f"A checkpoint should be written whole. Found {path}, which was left half written."
        return told

    def set_aside(self, run: str) -> list[Path]:
        """Rename the files that `faults` names, so that no run goes on from them; return their new names."""
        return [path.rename(path.with_name(f"{path.name}.damaged")) for path in self.faults(run)]

    def read(self, run: str, step: int) -> Checkpoint:
        """Return one checkpoint. Raises CheckpointError if it is missing or damaged."""
        path = self._path(run, step)
        try:
            return Checkpoint(step, read_sealed(path, _KIND))
        except FileNotFoundError:
            kept = ", ".join(map(str, self.steps(run))) or "none"
            raise CheckpointError(
                f"The step should be one with a checkpoint ({kept}). Found {step}. Choose one of these."
            ) from None
        except SealError:
            raise CheckpointError(
                f"The checkpoint {path} should have the SHA-256 that it was written with. Found another: "
                "it is damaged. Use the one before it."
            ) from None

    def latest(self, run: str, until: int) -> tuple[Checkpoint | None, list[str]]:
        """Return the newest sound checkpoint of at most `until` steps, and what was wrong with newer ones."""
        faults: list[str] = []
        for step in reversed(self.steps(run)):
            if step > until:
                continue
            try:
                return self.read(run, step), faults
            except CheckpointError as error:
                faults.append(str(error))
        return None, faults

    def copy(self, run: str, step: int, other: str) -> None:
        """Give another run a checkpoint of its own, so that it can outlive this run. Raises CheckpointError."""
        self.write(other, self.read(run, step))

    def delete(self, run: str) -> None:
        """Remove all checkpoints of a run."""
        shutil.rmtree(self.folder(run), ignore_errors=True)

    def _path(self, run: str, step: int) -> Path:
        return self.folder(run) / f"{step:010d}{_SUFFIX}"

    def _thin(self, run: str) -> None:
        """Keep the first, the two newest, and of those between those at multiples of 2ᵏ, at most MOST_KEPT."""
        steps = self.steps(run)
        stride = 1
        while len([step for step in steps if step % stride == 0]) > MOST_KEPT:
            stride *= 2
        for step in steps[1:-2]:
            if step % stride:
                self._path(run, step).unlink(missing_ok=True)
