"""Reads foreign files in a process of its own, with limits on memory, time and open files.

Whatever a file makes a library do ends with that process. Nothing is unpickled: a reader writes bytes, and its caller
checks them. The caller's thread waits for a pipe, so other visitors of a server go on. At most `AT_ONCE` such processes
run at a time, so that several visitors cannot take the memory together. See docs/decisions/0009-foreign-files.md.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Concatenate

from gradnorm.datasets.readers import child
from gradnorm.datasets.readers.folders import DataError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """What a process that reads a file may take.

    memory: of its own data, in bytes.  answer: bytes that it may send.  seconds: of a processor.
    patience: seconds of the clock, for a disk or a machine that hardly moves.  files: open at a time.
    """

    memory: int = 3 << 29
    answer: int = 1 << 29
    seconds: int = 120
    patience: float = 300
    files: int = 64


LIMITS = Limits()
AT_ONCE = 2
# Seconds that a file waits for its turn.
_QUEUE = 180
_turns = threading.BoundedSemaphore(AT_ONCE)
_CHUNK = 1 << 20
_LONGEST_SENTENCE = 2_000
# Windows has no such signals.
_KILL, _TIME = (getattr(signal, name, 1 << 16) for name in ("SIGKILL", "SIGXCPU"))
# Libraries take fewer threads, and memory that the limit counts as it is used.
_SETTINGS = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Reader = Callable[Concatenate[Any, Path, ...], None]
Run = Callable[Concatenate[Reader, ...], bytearray]


class BusyError(DataError):
    """A file could not be read for now, through no fault of its own."""


@contextmanager
def turn(file: Path, limits: Limits = LIMITS) -> Generator[Run]:
    """Wait for a turn to read a file; give a function that runs a reader in a process of its own.

    Its arguments are the reader, a function of a module, and what the reader takes after a binary stream to write to
    and the file: values that JSON knows. It returns what the reader wrote, or raises DataError with the reader's own
    sentence or one that says which limit the file met. A reader writes only after all that may raise.
    It raises ModuleNotFoundError if a package is missing, as an import in this process would.
    Raises BusyError if there is no turn within three minutes.
    """
    if not _turns.acquire(timeout=_QUEUE):
        raise BusyError(
            f"{file.name} should be read as soon as other files have been. Found that these take long. Try again."
        )
    try:
        yield lambda reader, *arguments: _run(reader, file, limits, arguments)
    finally:
        _turns.release()


def _run(reader: Reader, file: Path, limits: Limits, arguments: tuple[Any, ...]) -> bytearray:
    """Return what a reader writes. Errors are those that `turn` names."""
    task = json.dumps([reader.__module__, reader.__name__, asdict(limits), str(file), arguments])
    try:
        process = _start(task)
    except OSError as error:
        raise BusyError(
            f"{file.name} should be read in a process of its own. Found that none can be started: {error.strerror}. "
            "Try again when the machine is less busy."
        ) from None
    with process:
        answer, late = _answer(process, limits)
    if late:
        raise BusyError(
            f"{file.name} should be read in {limits.patience:g} seconds. Found that the machine or its disk takes "
            "longer. Try again, or keep fewer rows or columns."
        )
    if len(answer) > limits.answer:
        raise DataError(_too_large(file, limits))
    if process.returncode == -_KILL:
        raise BusyError(
            f"{file.name} should be read in a process of its own. Found that the system ended it, as it does when "
            "memory is short. Try again when the machine is less busy."
        )
    if process.returncode == child.NO_PACKAGE:
        name = answer.decode("utf-8", "replace")
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    if process.returncode:
        raise DataError(_fault(file, limits, process.returncode, answer))
    return answer


def _start(task: str) -> subprocess.Popen[bytes]:
    # The child imports what this process would; -P: and nothing from the folder that it happens to start in.
    environment = {**os.environ, **_SETTINGS, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-P", "-B", "-m", child.__name__, task],
        bufsize=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )


def _answer(process: subprocess.Popen[bytes], limits: Limits) -> tuple[bytearray, bool]:
    """Return what the process writes, a little more than may be at most, and whether it was too late. It has ended."""
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    clock = threading.Timer(limits.patience, end)
    clock.daemon = True
    clock.start()
    content = bytearray()
    assert process.stdout is not None
    try:
        while len(content) <= limits.answer and (chunk := process.stdout.read(_CHUNK)):
            content += chunk
        if len(content) > limits.answer:
            process.kill()
        process.wait()
    finally:
        clock.cancel()
        process.kill()
    return content, late.is_set()


def _fault(file: Path, limits: Limits, status: int, answer: bytearray) -> str:
    """Return a sentence on a process that did not read its file. status: as in Popen.returncode."""
    text = answer.decode("utf-8", "replace")
    if status == child.FAULT:
        return " ".join(text.split())[:_LONGEST_SENTENCE]
    if status == child.OUT_OF_MEMORY:
        return _too_large(file, limits)
    if status == -_TIME:
        return (
            f"{file.name} should be read in {limits.seconds} seconds of a processor. Found that it takes more. "
            "Keep fewer rows or columns."
        )
    if status == child.OUT_OF_FILES:
        return (
            f"{file.name} should be a file by itself. Found that reading it opens more than {limits.files} others. "
            "Write it again, with all data inside."
        )
    log.error("The reader of %s ended with status %d. %s", file, status, text[-_LONGEST_SENTENCE:])
    return (
        f"{file.name} should be a sound file, small enough for {limits.memory >> 20:,} MB of memory. "
        "Found one that ends its reader. Write it again, or keep fewer rows or columns."
    )


def _too_large(file: Path, limits: Limits) -> str:
    return (
        f"{file.name} should take at most {limits.memory >> 20:,} MB of memory to read. Found that it takes more. "
        "Keep fewer rows or columns."
    )
