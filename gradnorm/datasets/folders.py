"""Which files and folders of this machine a data set may read."""

from __future__ import annotations

import os
from pathlib import Path

UPLOADED = "upload:"


class DataError(ValueError):
    """Data that cannot be used; the message says what should be, what was found and what to do."""


def data_root() -> Path:
    """Return the folder below which data may be read: the environment's GRADNORM_DATA, else `data/` here."""
    return Path(os.environ.get("GRADNORM_DATA") or "data").resolve()


def upload_root() -> Path:
    """Return where uploaded files are kept: `uploads/` under the home, which is GRADNORM_HOME, else `runs/`."""
    return Path(os.environ.get("GRADNORM_HOME") or "runs").resolve() / "uploads"


def allowed(path: str) -> Path:
    """Return the file that a path means, with symbolic links followed.

    path: below `data_root()`, relative to it or absolute; or "upload:HASH/NAME", below `upload_root()`.
    Raises DataError for a file that is missing, lies elsewhere, or is no regular file.
    """
    uploaded = path.startswith(UPLOADED)
    root = upload_root() if uploaded else data_root()
    advice = "Upload it again." if uploaded else "Put it there, or set GRADNORM_DATA to its folder."
    where = "" if Path(path).is_absolute() else f" below {root}"
    found = root
    try:
        found = (root / path.removeprefix(UPLOADED)).resolve()
        inside = found.is_relative_to(root.resolve())
        there, regular = inside and found.exists(), inside and found.is_file()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long or with a null character
        inside = True
        there = regular = False
    if not inside:
        raise DataError(f"The file should lie below {root}. Found {path!r}, which lies elsewhere. {advice}")
    if not there:
        raise DataError(f"There should be a file {path!r}{where}. Found none. {advice}")
    if not regular:
        raise DataError(f"{path!r} should be a file. Found a folder or a device. Name a file.")
    return found
