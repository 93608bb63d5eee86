"""Files that the dashboard may read: those inside the data folder, and uploads, stored by content."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from gradnorm.datasets.readers.folders import UPLOADED, DataError, data_root, upload_root
from gradnorm.datasets.readers.table_reader import SUFFIXES

# A folder may hold any number of files, but a list to choose from must stay short.
_MOST_FILES, _MOST_LOOKED_AT = 300, 5_000


def keep(name: str, content: bytes) -> str:
    """Store an uploaded file and return its path for a spec, "upload:HASH/NAME".

    name: as the browser sent it.  content: the file's bytes. The same content under the same name is stored once, and
    a file is stored completely or not at all. Raises DataError for an unknown kind of file, or if it can't be stored.
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
        raise DataError(
            f"The upload should be stored in {upload_root()}. Found: {error.strerror}. Free or unlock that folder."
        ) from None
    return f"{UPLOADED}{folder.name}/{name}"


def plain_name(name: str) -> str:
    """Return a safe form of a file name: no folders, and only letters, digits, ".", "_" and "-".

    Raises DataError if the name doesn't end in one of the known suffixes.
    """
    name = re.split(r"[/\\]", name)[-1]
    suffix = next((end for end in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(end)), None)
    if suffix is None:
        raise DataError(f"The file should end in one of {', '.join(SUFFIXES)}. Found {name[-40:]!r}. Save it as CSV.")
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name[: -len(suffix)]).strip(".-")
    return f"{stem[:60] or 'table'}{suffix}"


def files() -> list[str]:
    """Return the table files inside the data folder, relative to it; at most 300."""
    root, tables, seen = data_root(), list[str](), 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            seen += 1
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                tables.append(str((Path(folder) / name).relative_to(root)))
        if len(tables) >= _MOST_FILES or seen + len(folders) >= _MOST_LOOKED_AT:
            break
    return tables[:_MOST_FILES]
