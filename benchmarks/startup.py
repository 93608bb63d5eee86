"""From the command to a server that answers, and from a click on Start to the first painted point.

A server is cold from its start to the end of its first run's start, and warm after that. Each cold number is of a
server, a home and a page of its own.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.environment import environment
from benchmarks.local import PATIENCE, browser, free_port, server
from gradnorm.runs.store import RunStore

# Starts of a server that are measured; a first one, which brings the files into memory, is not.
STARTS = 5
# Clicks on Start on each warm server.
CLICKS = 3

# The click's own time, and the end of the first frame that shows a step of a run: a task queued in an animation
# frame comes after the frame has been drawn.
_PROBE = """
window.clicked = 0;
window.painted = {};
document.addEventListener("click", (event) => {
  if (event.target.closest("button")?.textContent.endsWith("Start")) window.clicked = event.timeStamp;
}, true);
document.addEventListener("gradnorm:painted", ({detail: {run, step}}) => {
  if (step < 1 || run in window.painted) return;
  window.painted[run] = 0;
  setTimeout(() => (window.painted[run] = performance.now()));
});
"""
_NEWEST = """(known) => {
  const run = Object.keys(window.painted).find((run) => window.painted[run] && !known.includes(run));
  return run && [run, window.clicked, window.painted[run], performance.timeOrigin];
}"""
_IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"


def run(starts: int = STARTS, clicks: int = CLICKS) -> dict[str, Any]:
    """Measure, and return {"benchmark", "environment", "results"}."""
    measured: list[_Start] = []
    with browser() as chromium:
        for _ in range(starts + 1):
            with tempfile.TemporaryDirectory() as home:
                measured.append(_start(chromium, Path(home), clicks))
    del measured[0]
    warm = [seconds for start in measured for seconds in start.warm]
    return {
        "benchmark": "startup",
        "environment": environment(),
        "results": {
            "command_to_health_seconds": _summary([start.up for start in measured]),
            "cold_start_to_point_seconds": _summary([start.cold for start in measured]),
            "cold_start_to_queued_seconds": _summary([start.queued for start in measured]),
            "command_to_point_seconds": _summary([start.first_point for start in measured]),
            "warm_start_to_point_seconds": _summary(warm),
        },
    }


class _Start:
    """One server's times, in seconds.

    up: from the command to its health.  queued, cold: from the first click on Start to the run's place in the
    queue, and to its first painted point.  first_point: from the command to that point.  warm: later clicks.
    """

    up = queued = cold = first_point = 0.0

    def __init__(self) -> None:
        self.warm: list[float] = []


def _start(chromium: Any, home: Path, clicks: int) -> _Start:
    found = _Start()
    port = free_port()
    command = [sys.executable, "-m", "gradnorm", "dashboard", "--port", str(port)]
    began, clock = time.monotonic(), time.time()
    with server(command, port, {"GRADNORM_HOME": str(home)}):
        found.up = time.monotonic() - began
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PATIENCE * 1000)
        page.add_init_script(_PROBE)
        page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
        drawn, clicked, painted = _click(page, [])
        found.cold = painted - clicked
        found.first_point = painted - clock
        found.queued = RunStore(home).info(drawn).created - clicked
        known = [drawn]
        for _ in range(clicks):
            _stop(page)
            drawn, clicked, painted = _click(page, known)
            known.append(drawn)
            found.warm.append(painted - clicked)
        page.close()
    return found


def _click(page: Any, known: Sequence[str]) -> tuple[str, float, float]:
    """Click on Start; return the run that it began, and when it was clicked and first painted, since 1970."""
    page.get_by_role("button", name="Start", exact=True).click()
    run, clicked, painted, origin = page.wait_for_function(_NEWEST, arg=list(known)).json_value()
    return run, (origin + clicked) / 1000, (origin + painted) / 1000


def _stop(page: Any) -> None:
    """Stop the run and wait until neither server nor page has anything left to do."""
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Continue", exact=True).wait_for()
    page.locator(_IDLE).wait_for()
    time.sleep(1)


def _summary(seconds: Sequence[float]) -> dict[str, Any]:
    return {
        "median": round(statistics.median(seconds), 3),
        "most": round(max(seconds), 3),
        "measured": [round(s, 3) for s in seconds],
    }
