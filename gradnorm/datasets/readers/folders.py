"""Decides which data files may be read: those below the data root, and uploaded files."""

from __future__ import annotations

import os
from pathlib import Path

UPLOADED = "upload:"


class DataError(ValueError):
    """A data file cannot be used. The message says what is wrong with it and what to do."""


def data_root() -> Path:
    """Return the folder of the data files: GRADNORM_DATA of the environment, else `data/` in the working directory."""
    return Path(os.environ.get("GRADNORM_DATA") or "data").resolve()


def upload_root() -> Path:
    """Return the folder of the uploaded files: `uploads/` in the home, which is GRADNORM_HOME, else `runs/`."""
    return Path(os.environ.get("GRADNORM_HOME") or "runs").resolve() / "uploads"


def allowed(path: str, *, uploads: bool = False) -> Path:
    """Return the file or folder that `path` names, with all symbolic links resolved.

    path: relative to `data_root()`, or absolute; or "upload:HASH/NAME", relative to `upload_root()`.
    uploads: whether it may be an upload. Anybody can upload, so only readers in a process of their own take uploads.
    Raises DataError if it is missing, is neither file nor folder, or, with links resolved, lies outside of that root.
    """
    if path.startswith(UPLOADED) and not uploads:
        raise DataError(f"Data of this kind should lie below {data_root()}. Found an upload, {path!r}. Put it there.")
    root, name, remedy = data_root(), path, "Put it there, or set GRADNORM_DATA to the folder that holds it"
    if path.startswith(UPLOADED):
        root, name, remedy = upload_root(), path.removeprefix(UPLOADED), "Upload it once more"
    resolved = root
    try:
        root = root.resolve()
        resolved = (root / name).resolve()
        inside, there = resolved.is_relative_to(root), resolved.is_file() or resolved.is_dir()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a name too long, a zero byte
        inside, there = True, False
    # A path outside of the root gets the same answer whether it exists or not.
    if not name or not inside:
        raise DataError(f"Data should lie below {root}. Found {path!r}. {remedy}.")
    if not there:
        raise DataError(f"A file or folder should be at {path!r} below {root}. Found no such file. {remedy}.")
    return resolved


def allowed_file(path: str, *, uploads: bool = False) -> Path:
    """Return the file that `path` names. Arguments and errors are those of `allowed`; raises DataError for a folder."""
    resolved = allowed(path, uploads=uploads)
    if not resolved.is_file():
        raise DataError(f"{path!r} should be a file. Found a folder. Name a file in it.")
    return resolved
