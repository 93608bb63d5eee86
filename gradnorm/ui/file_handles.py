"""Connections are file handles: as many as the system grants, and a line in the log when they are used up."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from typing import Any

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None

log = logging.getLogger(__name__)

# More are of no use, and some systems grant a number that they do not have.
ENOUGH = 65_536
# Seconds between two lines of the log.
QUIET = 60.0
_SCARCE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def raise_limit() -> None:
    """Let this process open as many files as it may let itself."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Scarcity:
    """Says in one line a minute that connections cannot be accepted; the event loop would say it thousands of times.

    loop: its other errors are told as before.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._told: float | None = None
        self._others = loop.get_exception_handler()
        loop.set_exception_handler(self)

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error that nobody awaits."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _SCARCE):
            if self._others is None:
                loop.default_exception_handler(context)
            else:
                self._others(loop, context)
            return
        now = time.monotonic()
        if self._told is None or now - self._told >= QUIET:
            self._told = now
            log.warning(
                "There should be a file handle for each connection. Found none left (%s). New visitors wait until "
                "others leave. Raise the limit (ulimit -n), or limit the connections in a proxy.",
                error.strerror,
            )
