"""From a training step to a pixel: latency, bandwidth, and what viewers cost the worker.

A real server, the records of a run of ten tasks at 500 steps a second, real Chromium.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import audience, pinned
from benchmarks.environment import environment
from gradnorm.runs.store import RunStore

PACE = 500
VIEWERS = (0, 1, 10)
ROUNDS, WINDOW = 10, 3.0

_PROBE = """
window.painted = [];
document.addEventListener("gradnorm:painted", ({detail}) => window.painted.push([detail.step, detail.time]));
"""
_CLIENT = """
import sys
from websockets.sync.client import connect
sockets = [connect(sys.argv[1], max_size=None) for _ in range(int(sys.argv[2]))]
print("watching", flush=True)
import threading
for s in sockets[1:]:
    threading.Thread(target=lambda s=s: [None for _ in s], daemon=True).start()
for _ in sockets[0]:
    pass
"""


def run(viewers: int | None = None) -> dict[str, Any]:
    """Measure, and return {"benchmark", "environment", "results"}.

    viewers: of the watch page, which are measured in place of a page of the dashboard; ≥ 2.
    """
    if viewers is not None:
        return audience.run(viewers)
    with tempfile.TemporaryDirectory() as home, pinned.server(Path(home)) as server:
        latency = _latency(server)
        slowdown = _slowdown(server)
    return {
        "benchmark": "streaming",
        "environment": environment(),
        "results": {
            "series_per_chart": pinned.TASKS,
            "points_per_second": PACE,
            "steps": pinned.STEPS,
            **latency,
            **slowdown,
        },
    }


def _latency(server: pinned.Server) -> dict[str, Any]:
    """Watch one paced run from its first step to its last, zoomed in half way."""
    received: list[int] = []

    def count(frame: str | bytes) -> None:
        received.append(len(frame))

    def watch(socket: Any) -> None:
        if "/live/" in socket.url:
            socket.on("framereceived", count)

    with pinned.browser() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.on("websocket", watch)
        page.add_init_script(_PROBE)
        # The first page makes the server load torch; the run comes after it.
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.get_by_test_id("live-panel").wait_for()
        run = server.queue(pace=PACE)
        page.goto(f"http://127.0.0.1:{server.port}/?run={run}")
        server.wait_for(run, pinned.STEPS // 2)
        chart = page.get_by_test_id("chart-weights")
        zoomed = _zoom(page, chart)
        server.wait_for(run, pinned.STEPS)
        time.sleep(1)
        kept = (chart.get_attribute("data-min"), chart.get_attribute("data-max")) == zoomed
        painted = np.array(page.evaluate("window.painted"))
        mounts = int(page.get_by_test_id("live-panel").get_attribute("data-mounts"))
    made = pinned.made(server)
    seconds = float(made[-1, 1] - made[0, 1])
    wait = _step_to_pixel(made, painted) * 1000
    return {
        "step_to_pixel_ms": {
            "median": round(float(np.median(wait)), 1),
            "p95": round(float(np.percentile(wait, 95)), 1),
            "steps": len(wait),
        },
        "measured_points_per_second": round(len(made) / seconds, 1),
        "kilobytes_per_second": round(sum(received) / seconds / 1000, 2),
        "paints": len(painted),
        "mounts": mounts,
        "zoom_kept": kept,
    }


def _zoom(page: Any, chart: Any) -> tuple[str, str]:
    box = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * 0.4, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, middle, steps=5)
    page.mouse.up()
    time.sleep(1)
    return chart.get_attribute("data-min"), chart.get_attribute("data-max")


def _step_to_pixel(made: Any, painted: Any) -> Any:
    """Return for each step seen live how many seconds passed until a frame that shows it was painted."""
    first = int(np.searchsorted(painted[:, 1], made[0, 1]))
    painted = painted[max(0, first) :]
    at = np.searchsorted(painted[:, 0], made[:, 0])
    shown = at < len(painted)
    wait = painted[at[shown], 1] / 1000 - made[shown, 1]
    # Steps made while the page was still loading come to it as history.
    arrived = painted[0, 1] / 1000
    return wait[made[shown, 1] > arrived]


def _slowdown(server: pinned.Server) -> dict[str, Any]:
    """Return the worker's speed without viewers over its speed with them, minus one, as medians of rounds."""
    run = server.queue(steps=10_000_000, eval_every=1_000_000)
    server.wait_for(run, 500)
    url = f"ws://127.0.0.1:{server.port}/live/{run}?since=9007199254740991"
    speeds: dict[int, list[float]] = {viewers: [] for viewers in VIEWERS}
    with pinned.browser() as browser:
        for _ in range(ROUNDS):
            for viewers in VIEWERS:
                with _viewers(browser, server.port, run, url, viewers):
                    speeds[viewers].append(_speed(server.store, run))
    base = speeds[0]
    return {
        "steps_per_second": {str(v): round(statistics.median(s), 1) for v, s in speeds.items()},
        "worker_slowed_percent": {
            str(v): round(100 * statistics.median(a / b - 1 for a, b in zip(base, speeds[v], strict=True)), 2)
            for v in VIEWERS[1:]
        },
    }


@contextmanager
def _viewers(browser: Any, port: int, run: str, url: str, viewers: int) -> Generator[None]:
    """Keep one real page and `viewers` − 1 protocol clients on the run."""
    page = browser.new_page() if viewers else None
    clients: Sequence[subprocess.Popen[str]] = ()
    try:
        if page is not None:
            page.goto(f"http://127.0.0.1:{port}/?run={run}")
            page.get_by_test_id("live-panel").wait_for()
        if viewers > 1:
            command = [sys.executable, "-c", _CLIENT, url, str(viewers - 1)]
            clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True)]
            assert clients[0].stdout is not None
            clients[0].stdout.readline()
        time.sleep(1.5)
        yield
    finally:
        if page is not None:
            page.close()
        for client in clients:
            client.kill()
            client.wait()
            assert client.stdout is not None
            client.stdout.close()


def _speed(store: RunStore, run: str) -> float:
    start, first = time.monotonic(), store.info(run).steps
    time.sleep(WINDOW)
    return (store.info(run).steps - first) / (time.monotonic() - start)
