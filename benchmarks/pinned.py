"""A dashboard on a core of its own, whose worker is timed, and whoever watches it on the others."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import local
from gradnorm.config.spec import RunSpec
from gradnorm.runs.store import RunStore

TASKS, STEPS = 10, 20_000
# A small network: the way from a record to a pixel is measured, not the arithmetic before it.
SMALL = {"tasks": TASKS, "width": 16, "batch_size": 16, "eval_every": 500, "steps": STEPS}


class Server:
    """A server process and what is needed to launch runs in it and to watch them."""

    def __init__(self, home: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.store = RunStore(home)
        self.port, self.process = port, process
        self.times = home / "times"

    def queue(self, **changes: Any) -> str:
        """Queue a run; the server's worker takes it."""
        spec = RunSpec.parse({"dataset": "toy", "method": "gradnorm", "threads": 1, **SMALL, **changes})
        return self.store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=True)

    def wait_for(self, run: str, steps: int) -> None:
        """Wait until a run has made so many steps, or has ended."""
        while not (info := self.store.info(run)).ended and info.steps < steps:
            time.sleep(0.02)


@contextmanager
def server(home: Path) -> Generator[Server]:
    """Serve a home on the first core: viewers would sit at other machines."""
    port = local.free_port()
    command = [sys.executable, "-m", "benchmarks.server", str(port), str(home / "times")]
    with local.server(command, port, {"GRADNORM_HOME": str(home), "GRADNORM_WORKERS": "1"}) as process:
        pin(process.pid, cores()[0])
        yield Server(home, port, process)


def made(server: Server) -> NDArray[np.float64]:
    """Return (step, seconds since 1970) of each step that has left the engine."""
    return np.fromfile(server.times, dtype="<f8").reshape(-1, 2)


@contextmanager
def browser() -> Generator[Any]:
    """Start Chromium on the cores that the server does not have."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores()[1])
    try:
        with local.browser() as chromium:
            yield chromium
    finally:
        os.sched_setaffinity(0, before)


def cores() -> tuple[set[int], set[int]]:
    """Return the server's core and the others; on a machine with one core they are the same."""
    allowed = sorted(os.sched_getaffinity(0))
    return {allowed[0]}, set(allowed[1:]) or set(allowed)


def pin(pid: int, cores: set[int]) -> None:
    """Keep all threads of a process to these cores."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


@dataclass(frozen=True)
class Look:
    """What a server did in a while.

    steps: that the run went on.  seconds: by the clock.  worker, loop: seconds of processor time of the thread that
    trains, and of the one that serves.
    """

    steps: int
    seconds: float
    worker: float
    loop: float


def look(server: Server, run: str, seconds: float) -> Look:
    """Look at a server for so many seconds. The thread that trains is the one that takes the most of its time."""
    first, begun, before = server.store.info(run).steps, time.monotonic(), _times(server.process.pid)
    time.sleep(seconds)
    steps, took, after = server.store.info(run).steps - first, time.monotonic() - begun, _times(server.process.pid)
    spent = {thread: time - before.get(thread, 0.0) for thread, time in after.items()}
    return Look(steps, took, worker=max(spent.values()), loop=spent[str(server.process.pid)])


def _times(pid: int) -> dict[str, float]:
    """Return the seconds of processor time that each thread has had."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return {thread.name: int((thread / "schedstat").read_text().split()[0]) / 1e9 for thread in threads}
