"""Files that the dashboard may read: those below the data folder, and uploaded ones, kept by their content."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from gradnorm.datasets.readers.folders import UPLOADED, DataError, data_root, upload_root
from gradnorm.datasets.readers.table_reader import SUFFIXES

# A folder may be as large as it likes; a list may not.
_MOST_FILES, _MOST_LOOKED_AT = 300, 5_000


def keep(name: str, content: bytes) -> str:
    """Keep an uploaded file and return its path for a spec, "upload:HASH/NAME". Raises DataError.

    The same content under the same name is kept once. A file is there as a whole or not at all.
    """
    name = plain_name(name)
    folder = upload_root() / hashlib.sha256(content).hexdigest()[:12]
    target = folder / name
    try:
        if not target.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(content)
            Path(file.name).replace(target)
    except OSError as error:
        raise DataError(f"The upload should be kept below {upload_root()}. Found: {error.strerror}.") from None
    return f"{UPLOADED}{folder.name}/{name}"


def plain_name(name: str) -> str:
    """Return a file name without anything that a file system or a shell could take for something else.

    Raises DataError for a kind of file that no reader knows.
    """
    name = re.split(r"[/\\]", name)[-1]
    suffix = next((end for end in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(end)), None)
    if suffix is None:
        raise DataError(f"The file should end in one of {', '.join(SUFFIXES)}. Found {name[-40:]!r}. Save it as CSV.")
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name[: -len(suffix)]).strip(".-")
    return f"{stem[:60] or 'table'}{suffix}"


def files() -> list[str]:
    """Return the table files below the data folder, relative to it; the first few hundred if there are more."""
    root, found, looked = data_root(), list[str](), 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            looked += 1
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                found.append(str((Path(folder) / name).relative_to(root)))
        if len(found) >= _MOST_FILES or looked + len(folders) >= _MOST_LOOKED_AT:
            break
    return found[:_MOST_FILES]
