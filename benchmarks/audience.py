"""A class that watches one run: how late it sees a step, what it costs the worker, and whether a browser keeps up.

A real server on one core; on the other two processes that hold the viewers between them, and one real Chromium.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import local, pinned
from benchmarks.environment import environment

# Longer than the class needs to come in, on any machine.
PACE, STEPS = 500, 200_000
PROCESSES = 2
# Seconds in which delays are measured, and of one look at the worker; seconds until all is calm.
SECONDS, WINDOW, CALM = 20.0, 3.0, 1.5
# Looks at the worker with viewers and without, in turns.
ROUNDS = 6

_PROBE = """
window.painted = [];
document.addEventListener("gradnorm:painted", ({detail}) => window.painted.push([detail.step, detail.time]));
"""


def run(viewers: int) -> dict[str, Any]:
    """Measure, and return {"benchmark", "environment", "results"}.

    viewers: open watch pages, ≥ 2.
    """
    found: dict[str, Any] = {}
    # A server each: the run of the first part would stand in the way of the second.
    for part in (_delays, _cost):
        with tempfile.TemporaryDirectory() as home, pinned.server(Path(home)) as server:
            found |= part(server, viewers)
    return {
        "benchmark": "streaming",
        "environment": environment(),
        "results": {"viewers": viewers, "points_per_second": PACE, **found},
    }


def _delays(server: pinned.Server, viewers: int) -> dict[str, Any]:
    """Watch a paced run of which a part is over when the class comes."""
    run = server.queue(pace=PACE, steps=STEPS)
    server.wait_for(run, 200)
    with pinned.browser() as browser, _class(server, run, viewers - 1, "--pages") as notes:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(_PROBE)
        page.goto(f"http://127.0.0.1:{server.port}/watch/{run}")
        while not page.evaluate("window.painted.length"):
            page.wait_for_timeout(50)
        page.wait_for_timeout(1000 * CALM)
        first, since = server.store.info(run).steps, time.time()
        page.wait_for_timeout(1000 * SECONDS)
        last, until = server.store.info(run).steps, time.time()
        page.wait_for_timeout(1000 * CALM)
        painted: NDArray[np.float64] = np.array(page.evaluate("window.painted"))
    made = pinned.made(server)
    made = made[(made[:, 0] > first) & (made[:, 0] <= last)]
    waits = 1000 * np.concatenate([_waits(made, seen) for seen in notes.by_viewer()])
    frames = painted[(painted[:, 1] / 1000 > since) & (painted[:, 1] / 1000 < until), 1]
    return {
        "class_in_after_seconds": round(notes.seconds, 1),
        "step_to_viewer_ms": {"median": _at(waits, 50), "p95": _at(waits, 95), "p99": _at(waits, 99)},
        "viewers_heard": len(notes.by_viewer()),
        "messages_per_viewer_second": round(notes.between(since, until) / (viewers - 1) / (until - since), 1),
        "browser": {
            "frames_per_second": round(len(frames) / (until - since), 1),
            "longest_gap_ms": round(float(np.diff(frames).max()), 1),
            "step_to_pixel_p95_ms": _at(1000 * _waits(made, painted / (1, 1000)), 95),
        },
    }


def _waits(made: NDArray[np.float64], seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each step made the seconds until a viewer had it or a later one."""
    at = np.searchsorted(seen[:, 0], made[:, 0])
    came = at < len(seen)
    return seen[at[came], 1] - made[came, 1]


def _at(values: NDArray[np.float64], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 1)


def _cost(server: pinned.Server, viewers: int) -> dict[str, Any]:
    """Return what viewers cost a worker that trains at full speed, as medians over the rounds.

    Two things slow it down: its own steps take more of the processor, and the thread that serves takes some of the one
    core. Both are counted in processor time. By the clock the rate of steps tells more of who else is at work.
    """
    run = server.queue(steps=10_000_000, eval_every=1_000_000)
    server.wait_for(run, 500)
    looks: dict[int, list[pinned.Look]] = {0: [], viewers: []}
    for turn in range(ROUNDS):
        # The other way round each time, so that a slow change of the machine's mood cancels out.
        for count in sorted(looks, reverse=turn % 2 == 1):
            if count:
                with _class(server, run, count):
                    looks[count].append(_look(server, run))
            else:
                looks[0].append(_look(server, run))
    without, beside = looks[0], looks[viewers]
    ratios = [b.worker / b.steps * a.steps / a.worker for a, b in zip(without, beside, strict=True)]
    steps = 100 * (statistics.median(ratios) - 1)
    rates = [statistics.median([look.steps / look.seconds for look in each]) for each in (without, beside)]
    serving = [100 * statistics.median([look.loop / look.seconds for look in each]) for each in (without, beside)]
    return {
        "worker_slowed_percent": round(steps + serving[1] - serving[0], 2),
        "steps_take_more_percent": round(steps, 2),
        "serving_takes_percent_of_a_core": [round(share, 2) for share in serving],
        "steps_per_second": [round(rate) for rate in rates],
    }


def _look(server: pinned.Server, run: str) -> pinned.Look:
    time.sleep(CALM)
    return pinned.look(server, run, WINDOW)


class _Notes:
    """What viewers noted: (viewer, step, seconds since 1970) of each block, by process, once they have gone."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.found: list[NDArray[np.float64]] = []

    def by_viewer(self) -> list[NDArray[np.float64]]:
        """Return (step, time) of each viewer."""
        return [notes[notes[:, 0] == viewer][:, 1:] for notes in self.found for viewer in np.unique(notes[:, 0])]

    def between(self, since: float, until: float) -> int:
        """Return how many blocks came between two moments."""
        return sum(int(((notes[:, 2] > since) & (notes[:, 2] < until)).sum()) for notes in self.found)


@contextmanager
def _class(server: pinned.Server, run: str, viewers: int, *options: str) -> Generator[_Notes]:
    """Keep a class on the run; what it noted is there after the block."""
    begun = time.monotonic()
    parts = [viewers // PROCESSES + (i < viewers % PROCESSES) for i in range(PROCESSES)]
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(i) for i in range(PROCESSES)]
        clients = [_start(server, run, count, path, *options) for count, path in zip(parts, files, strict=True)]
        try:
            for client in clients:
                assert client.stdout is not None
                if client.stdout.readline() != "watching\n":
                    raise RuntimeError("The class should watch. Found that it ended; its words are above.")
            notes = _Notes(time.monotonic() - begun)
            yield notes
        finally:
            for client in clients:
                client.communicate(timeout=local.PATIENCE)
        notes.found = [np.fromfile(path, dtype="<f8").reshape(-1, 3) for path in files]


def _start(server: pinned.Server, run: str, count: int, path: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.watchers", f"127.0.0.1:{server.port}", run, str(count), str(path)]
    client = subprocess.Popen([*command, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    pinned.pin(client.pid, pinned.cores()[1])
    return client
