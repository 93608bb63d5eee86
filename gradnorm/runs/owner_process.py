"""Which process a run belongs to, and whether that process is still there."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from functools import cache

import psutil

# A process on another host (a container has a host name of its own) cannot be asked; it is taken for gone
# once its heartbeat is this old.
SILENCE = 60.0


@dataclass(frozen=True)
class Owner:
    """A process: its host, its id, and when it started (seconds since 1970), since ids are used again."""

    host: str
    pid: int
    started: float

    def alive(self, heartbeat: float, now: float | None = None) -> bool:
        """Whether the process still runs.

        heartbeat: when it last wrote (seconds since 1970); looked at for other hosts only.
        """
        if self.host != platform.node():
            return (time.time() if now is None else now) - heartbeat < SILENCE
        try:
            process = psutil.Process(self.pid)
            # The clock may be set in between; two seconds are far less than an id takes to come round.
            return abs(process.create_time() - self.started) < 2 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


@cache
def _owner(pid: int) -> Owner:
    return Owner(platform.node(), pid, psutil.Process(pid).create_time())


def this_process() -> Owner:
    """Return the owner that stands for the running process."""
    return _owner(os.getpid())
