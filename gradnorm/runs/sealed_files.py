"""Files that are written whole or not at all, and checked when they are read.

A file is a line of text (what it is, and the SHA-256 of the rest) followed by bytes.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path


class SealError(ValueError):
    """A file is not as it was written."""


def write_sealed(path: Path, kind: str, payload: bytes) -> None:
    """Write a file; once this returns it survives the process and a power cut.

    kind: what it is, with a version, as in "gradnorm checkpoint 1".
    Raises OSError. Its folder has to be there.
    """
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        file.write(_head(kind, payload) + b"\n")
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    sync(path.parent)


def read_sealed(path: Path, kind: str) -> bytes:
    """Return what was written. Raises OSError if there is no file, SealError if it is of another kind or damaged."""
    head, _, payload = path.read_bytes().partition(b"\n")
    if head != _head(kind, payload):
        raise SealError(f"The file {path} should have the SHA-256 that it was written with. Found another.")
    return payload


def sync(directory: Path) -> None:
    """Return once the names of the files in a directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _head(kind: str, payload: bytes) -> bytes:
    return f"{kind} {sha256(payload).hexdigest()}".encode()
