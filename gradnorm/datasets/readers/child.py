"""Runs one reader under limits: `python -m gradnorm.datasets.readers.child TASK`. `apart` starts it and says why.

TASK is JSON: module and name of the reader, the limits, the file, and the reader's other arguments. What the reader
writes goes to standard output. How it went is the exit status.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from gradnorm.datasets.readers.folders import DataError

# Exit statuses, other than 0 and those that Python itself uses.
FAULT, OUT_OF_MEMORY, OUT_OF_FILES, NO_PACKAGE, FAILED = 65, 66, 67, 68, 69


def main() -> int:
    """Run the reader that the command line names, and return the exit status."""
    module, name, limits, file, arguments = json.loads(sys.argv[1])
    _limit(limits)
    stream = _own_output()
    try:
        getattr(import_module(module), name)(stream, Path(file), *arguments)
        stream.flush()
    except DataError as error:
        return _told(stream, str(error), FAULT)
    except MemoryError:
        return OUT_OF_MEMORY
    except ModuleNotFoundError as error:
        return _told(stream, error.name or "", NO_PACKAGE)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return OUT_OF_FILES
        return _told(stream, f"{Path(file).name} should be readable. Found: {error.strerror or error}.", FAULT)
    except Exception:
        return _told(stream, traceback.format_exc(), FAILED)
    return 0


def _limit(limits: Mapping[str, int]) -> None:
    """Set the limits that this system knows. Windows knows none; macOS does without that of memory."""
    try:
        import resource
    except ImportError:
        return
    seconds = limits["seconds"]
    for name, soft, hard in (
        ("RLIMIT_DATA", limits["memory"], limits["memory"]),
        # At the soft limit the signal says why the process ends; the hard one ends it in any case.
        ("RLIMIT_CPU", seconds, seconds + 5),
        ("RLIMIT_NOFILE", limits["files"], limits["files"]),
        # A reader answers through its pipe, and writes no files.
        ("RLIMIT_FSIZE", 0, 0),
        ("RLIMIT_CORE", 0, 0),
    ):
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (soft, hard))


def _own_output() -> BinaryIO:
    """Return standard output, which from now on no library can write to: its place is taken by standard error."""
    stream = io.BufferedWriter(io.FileIO(os.dup(1), "wb"))
    os.dup2(2, 1)
    return stream


def _told(stream: BinaryIO, text: str, status: int) -> int:
    stream.write(text.encode("utf-8", "replace"))
    stream.flush()
    return status


if __name__ == "__main__":
    # Not by sys.exit: what a library does at its end could crash where memory is short.
    os._exit(main())
