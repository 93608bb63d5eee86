"""Exit codes, and results as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, TextIO

from gradnorm.records import json_safe

FAILED, USAGE, DIVERGED, STOPPED = 1, 2, 3, 130


def check_writable(where: str | None) -> None:
    """Raise OSError for a result file that could not be written, before hours are spent on the result."""
    if where not in (None, "-"):
        Path(str(where)).open("a").close()


def write_json(value: Any, where: str) -> None:
    """Write a result to a file, or to standard output for "-"."""
    text = json.dumps(json_safe(value), allow_nan=False)
    if where == "-":
        stream: TextIO = sys.stdout
        print(text, file=stream)
    else:
        Path(where).write_text(text + "\n")
