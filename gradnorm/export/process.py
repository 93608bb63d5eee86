"""An export in a process of its own: `python -m gradnorm.export.process HOME RUN FORMAT` writes it to standard output.

A server makes exports so, because a long one would share the interpreter's lock with everything else there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZipFile

from gradnorm.runs.faults import StoreError
from gradnorm.runs.store import RunStore, UnknownRunError

# What each format is as a file: how its name goes on after the run's id, and its media type.
FORMATS: Mapping[str, tuple[str, str]] = {
    "csv": ("csv", "text/csv"),
    "parquet": ("parquet", "application/vnd.apache.parquet"),
    "json": ("json", "application/json"),
    "python": ("py", "text/x-python"),
    "tensorboard": ("tensorboard.zip", "application/zip"),
}
# Of one export: their ids have to fit into an address.
MOST_RUNS = 500
# The exit code for a run that cannot be exported so; standard error says why, in a sentence. 0: it was written whole.
REFUSED = 2
# Least in the way of runs that are trained and pages that are drawn.
_NICE = 5


def command(home: Path, run: str, file_format: str) -> tuple[list[str], dict[str, str]]:
    """Return the command and the environment of the process.

    run: an id, or several with commas between them, whose files are put into a zip.  file_format: one of FORMATS.
    """
    # It imports what this process does, wherever that was started.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return [sys.executable, "-P", "-m", __name__, str(home), run, file_format], environment


def main(home: str, run: str, file_format: str) -> int:
    """Write an export to standard output and return the exit code."""
    # Whoever reads may go at any time; then there is nothing left to do or to say.
    for name in ("SIGPIPE", "SIGINT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    try:
        _write(RunStore(home), run, file_format, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except Exception as error:
        if not isinstance(error, _told()):
            raise
        print(error, file=sys.stderr)
        return REFUSED
    return 0


def _told() -> tuple[type[Exception], ...]:
    """Return the errors whose message is for whoever asked."""
    from gradnorm.config.spec import SpecError
    from gradnorm.datasets.readers.folders import DataError
    from gradnorm.export.script import NoScriptError
    from gradnorm.export.slices import CutShortError

    return (UnknownRunError, StoreError, CutShortError, NoScriptError, SpecError, DataError)


def _write(store: RunStore, run: str, file_format: str, sink: BinaryIO) -> None:
    runs = run.split(",")
    if len(runs) == 1:
        _write_one(store, run, file_format, sink)
        return
    with ZipFile(sink, "w", ZIP_DEFLATED) as archive:
        for each in runs:
            with archive.open(f"{each}.{FORMATS[file_format][0]}", "w", force_zip64=True) as part:
                _write_one(store, each, file_format, cast("BinaryIO", part))


def _write_one(store: RunStore, run: str, file_format: str, sink: BinaryIO) -> None:
    # Each format imports much that the others can do without.
    if file_format == "python":
        from gradnorm.export.script import script

        sink.write(script(store, run).encode())
    elif file_format == "tensorboard":
        from gradnorm.export import tensorboard

        tensorboard.write_zip(store, run, sink)
    else:
        from gradnorm.export import tables

        tables.write(store, run, file_format, sink)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
