"""Where data files may be read: below the data root, or among what was uploaded."""

from __future__ import annotations

import os
from pathlib import Path

UPLOADED = "upload:"


class DataError(ValueError):
    """What is wrong with a data file, in a sentence or two for whoever gave it."""


def data_root() -> Path:
    """Return where data files lie: the environment's GRADNORM_DATA, else `data/` in the working directory."""
    return Path(os.environ.get("GRADNORM_DATA") or "data").resolve()


def upload_root() -> Path:
    """Return where uploaded files are kept: `uploads/` under the home, which is GRADNORM_HOME, else `runs/`."""
    return Path(os.environ.get("GRADNORM_HOME") or "runs").resolve() / "uploads"


def allowed(path: str) -> Path:
    """Return the file or folder that `path` names, with all symbolic links followed.

    path: relative to `data_root()`, or absolute; or "upload:HASH/NAME", below `upload_root()`.
    Raises DataError for what is missing, is neither file nor folder, or lies outside of that root in the end.
    """
    root, name, remedy = data_root(), path, "Put it there, or set GRADNORM_DATA to the folder that holds it"
    if path.startswith(UPLOADED):
        root, name, remedy = upload_root(), path.removeprefix(UPLOADED), "Upload it once more"
    found = root
    try:
        root = root.resolve()
        found = (root / name).resolve()
        inside, there = found.is_relative_to(root), found.is_file() or found.is_dir()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long, a zero byte
        inside, there = True, False
    # Whether something is there is told only of what may be read.
    if not name or not inside:
        raise DataError(f"Data should lie below {root}. Found {path!r}. {remedy}.")
    if not there:
        raise DataError(f"A file or folder should be at {path!r} below {root}. Found none. {remedy}.")
    return found


def allowed_file(path: str) -> Path:
    """Return the file that `path` names; see `allowed`. Raises DataError for a folder, too."""
    found = allowed(path)
    if not found.is_file():
        raise DataError(f"{path!r} should be a file. Found a folder. Name a file in it.")
    return found
