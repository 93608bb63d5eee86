"""Exit codes, and results as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from gradnorm.config.spec import SpecError
from gradnorm.runs.plain import json_safe

FAILED, USAGE, DIVERGED, STOPPED = 1, 2, 3, 130
# The exit code of each ending that has one of its own.
ENDINGS = {"finished": 0, "diverged": DIVERGED, "stopped": STOPPED}


def check_writable(where: str | None) -> None:
    """Raise OSError for a result file that could not be written, before hours are spent on the result."""
    if where not in (None, "-"):
        Path(str(where)).open("a").close()


def check_replaceable(*paths: Path | None) -> None:
    """Raise SpecError where a file could not be put in place: onto a folder, or onto a device or pipe, never."""
    for path in paths:
        if path is not None and path.exists() and not path.is_file():
            there = "a folder" if path.is_dir() else "a device or pipe"
            raise SpecError(f"{path} should be a file, or not be there yet. Found {there}. Choose another name.")


def write_json(value: Any, where: str) -> None:
    """Write a result to a file, or to standard output for "-"."""
    write_text(json.dumps(json_safe(value), allow_nan=False) + "\n", where)


def write_text(text: str, where: str) -> None:
    """Write a text to a file, or to standard output for "-"."""
    if where == "-":
        stream: TextIO = sys.stdout
        stream.write(text)
    else:
        Path(where).write_text(text, encoding="utf-8")
