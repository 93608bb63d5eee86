"""Which process a run belongs to, and whether that process is still there."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

# A process on another host (a container has a host name of its own) cannot be asked; it is taken for gone
# once its heartbeat is this old.
SILENCE = 60.0


@dataclass(frozen=True)
class Owner:
    """A process, known by when it started, since ids are used again.

    host: its host, with the id of that host's boot where the system has one.
    pid: its id.
    started: seconds since that boot, which no clock that is set can change; since 1970 where boots have no id.
    """

    host: str
    pid: int
    started: float

    def alive(self, heartbeat: float, now: float | None = None) -> bool:
        """Whether the process still runs.

        heartbeat: when it last wrote (seconds since 1970); looked at for other hosts only.
        """
        node, _, boot = self.host.partition(" ")
        if node != platform.node():
            return (time.time() if now is None else now) - heartbeat < SILENCE
        if boot and boot != _boot():
            return False
        try:
            process = psutil.Process(self.pid)
            # Runs of earlier versions have the time since 1970, which follows the clock: two seconds are far less than
            # an id takes to come round.
            same = _ticks(self.pid) == self.started if boot else abs(process.create_time() - self.started) < 2
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return False


@cache
def _boot() -> str:
    """Return the id of this host's boot; empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _ticks(pid: int) -> float:
    """Return when a process started, in seconds since the boot. Raises OSError if it is gone."""
    # The second field, the name of the program, may itself hold blanks and brackets.
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


@cache
def _owner(pid: int) -> Owner:
    boot = _boot()
    if boot:
        return Owner(f"{platform.node()} {boot}", pid, _ticks(pid))
    return Owner(platform.node(), pid, psutil.Process(pid).create_time())


def this_process() -> Owner:
    """Return the owner that stands for the running process."""
    return _owner(os.getpid())
