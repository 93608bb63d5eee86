"""The scripts and styles of pages, served from memory, packed once, under an address that changes with them."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gradnorm.ui.location import assets
from gradnorm.ui.theme import theme
from gradnorm.ui.words import ENGLISH, in_scripts, languages

# Seconds between two looks for files that have changed, as in a checkout that is worked on.
LOOK = 1.0
_VERSION = re.compile("[0-9a-f]{12}")
# What is under the address of its version never changes; what is not is asked for again, and not sent if it is known.
_FOREVER, _ASK = "public, max-age=31536000, immutable", "no-cache"
# Pictures are packed already.
_TEXTS = frozenset({".css", ".html", ".js", ".json", ".md", ".svg"})


@dataclass(frozen=True)
class Held:
    """One file in memory."""

    name: str
    content: bytes

    @cached_property
    def packed(self) -> bytes | None:
        """The file as gzip; None if that would make it no smaller."""
        return gzip.compress(self.content, mtime=0) if Path(self.name).suffix in _TEXTS else None

    @cached_property
    def tag(self) -> str:
        """What the file's content is known by."""
        return f'W/"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    @cached_property
    def media_type(self) -> str:
        """Told by the name."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"


class Shelf:
    """The files of a folder.

    more: files that are not in the folder, by name, and what makes their content.
    """

    def __init__(self, folder: Path, more: Mapping[str, Callable[[], str]]) -> None:
        self._folder, self._more = folder, dict(more)
        self._looked, self._stand = float("-inf"), ()
        self._files: dict[str, Held] = {}
        self._version = ""

    @property
    def version(self) -> str:
        """What all files together are known by: twelve hexadecimal digits."""
        self._look()
        return self._version

    def names(self, folder: str, ending: str) -> list[str]:
        """Return the names of files right under a folder of the shelf, as in "live" and ".js"."""
        self._look()
        return sorted(name for name in self._files if name.endswith(ending) and name.rpartition("/")[0] == folder)

    def read(self, name: str) -> str:
        """Return a file as text. Raises KeyError if there is none of this name."""
        self._look()
        return self._files[name].content.decode()

    async def answer(self, request: Request) -> Response:
        """Answer a request for the file at `path`, with or without a version before its name."""
        name = str(request.path_params["path"])
        first, _, rest = name.partition("/")
        version = self.version
        # A page of before an upgrade gets today's files: those of its day are gone.
        held = self._files.get(rest if _VERSION.fullmatch(first) else name)
        if held is None:
            return PlainTextResponse("There is no such file.", status_code=404)
        told = {"cache-control": _FOREVER if first == version else _ASK, "etag": held.tag, "vary": "accept-encoding"}
        if held.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=told)
        if held.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(held.packed, media_type=held.media_type, headers={**told, "content-encoding": "gzip"})
        return Response(held.content, media_type=held.media_type, headers=told)

    def _look(self) -> None:
        """Read the files again if any has changed."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        stand = tuple((path, (stat := path.stat()).st_mtime_ns, stat.st_size) for path in paths)
        if stand == self._stand:
            return
        contents = {path.relative_to(self._folder).as_posix(): path.read_bytes() for path in paths}
        contents |= {name: make().encode() for name, make in self._more.items()}
        self._files = {name: Held(name, content) for name, content in contents.items()}
        whole = "".join(f"{name} {held.tag}\n" for name, held in self._files.items())
        self._version, self._stand = hashlib.sha256(whole.encode()).hexdigest()[:12], stand


@cache
def shelf() -> Shelf:
    """Return the server's shelf of `assets/`, with the colours of its theme and the words of its scripts beside it."""
    words = {f"words/{code}.json": partial(in_scripts, code) for code in languages() if code != ENGLISH}
    return Shelf(assets(), {"theme.css": theme, **words})
