"""What one visitor tries, and what another one notices of it: nothing."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import httpx
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect

from tests.browser.conftest import serving
from tests.browser.playground import PATIENCE, SMALL, Playground
from tests.ui.test_downloads import long_run

TOY = "dataset=toy&tasks=2&sigmas=1,10"
GIGABYTE = 1e9


@dataclass
class Neighbor:
    """Somebody who watches a run, and asks after the server's health; all that they see is noted."""

    url: str
    run: str
    process: psutil.Process
    gaps: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    _over: Event = field(default_factory=Event)

    @contextmanager
    def looking(self) -> Iterator[None]:
        threads = [Thread(target=target, daemon=True) for target in (self._watch, self._ask, self._weigh)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join(60)

    def _watch(self) -> None:
        with connect(f"{self.url.replace('http', 'ws')}/live/{self.run}", max_size=None, max_queue=None) as socket:
            last = None
            while not self._over.is_set():
                with suppress(TimeoutError):
                    if isinstance(socket.recv(0.1), bytes):
                        now = time.monotonic()
                        if last is not None:
                            self.gaps.append(now - last)
                        last = now

    def _ask(self) -> None:
        while not self._over.wait(0.1):
            begun = time.monotonic()
            with urllib.request.urlopen(f"{self.url}/live/health", timeout=60) as answer:
                assert answer.status == 200
            self.health.append(time.monotonic() - begun)

    def _weigh(self) -> None:
        while not self._over.wait(0.05):
            with suppress(psutil.NoSuchProcess):
                family = [self.process, *self.process.children(recursive=True)]
                self.memory.append(sum(member.memory_info().rss for member in family if member.is_running()))


def huge_parquet(folder: Path, tab: Page, url: str) -> None:
    """Upload a small file that is 3 GB when it is read."""
    value = b"x" * 1_000_000
    table = pa.table(
        {"a": pa.DictionaryArray.from_arrays(np.zeros(3000, np.int32), pa.array([value])), "b": range(3000)}
    )
    pq.write_table(table, folder / "small.parquet", compression="zstd")
    assert (folder / "small.parquet").stat().st_size < 100_000
    tab.goto(f"{url}/your_data")
    tab.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(folder / "small.parquet")
    expect(tab.get_by_test_id("stAlertContentError")).to_be_visible(timeout=PATIENCE)


def six_exports(url: str, run: str, seconds: float) -> None:
    """Ask for six exports and go away, then wait for one whole."""
    for kind in ("json", "tensorboard", "json", "tensorboard", "json", "tensorboard"):
        with suppress(httpx.ReadTimeout):
            httpx.get(f"{url}/live/{run}/export/{kind}", timeout=0.5)
    for kind in ("json", "tensorboard"):
        begun = time.monotonic()
        with httpx.stream("GET", f"{url}/live/{run}/export/{kind}", timeout=seconds) as answer:
            assert answer.status_code == 200
            assert sum(len(chunk) for chunk in answer.iter_bytes()) > 1_000_000
        print(f"{kind}: {time.monotonic() - begun:.1f} s")


def a_worker_of_ones_own(tab: Page, url: str) -> None:
    """A run of one step in ten seconds that is stopped, and another that is stepped once and left behind."""
    slow = Playground.open(tab, f"{url}/?{TOY}&{SMALL}&pace=0.1")
    slow.press("Start")
    slow.wait_for_step(1)
    slow.press("Stop")
    slow.wait_for_state("stopped")
    stepped = Playground.open(tab, f"{url}/?{TOY}&{SMALL}")
    stepped.press("Step")
    stepped.wait_for_step(1)
    tab.close()


def a_large_run(tab: Page, url: str, width: int) -> Playground:
    """Train a run whose checkpoints are large, and return the page that shows it."""
    settings = f"{TOY}&width={width}&depth=8&batch_size=8&optimizer=adam&eval_every=2&device=cpu&steps=2"
    parent = Playground.open(tab, f"{url}/?{settings}&checkpoint_every=1")
    parent.press("Start")
    parent.wait_for_state("finished")
    return parent


def fork(parent: Playground) -> None:
    """Fork the run that a page shows."""
    parent.page.get_by_test_id("fork").click()
    another = "(run) => document.querySelector('[data-testid=live-panel]').dataset.run !== run"
    parent.page.wait_for_function(another, arg=parent.run, timeout=PATIENCE)


HUGE = """
import sys
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
with connect(sys.argv[1], max_size=None) as socket:
    socket.recv()
    try:
        socket.send('{"detail": [' + "1, " * (int(sys.argv[2]) // 3) + "1]}")
        while True:
            socket.recv()
    except (ConnectionClosed, OSError):
        print("closed")
"""


def a_huge_message(url: str, run: str, size: int) -> None:
    """Send it from a process of its own: this one's lock is the neighbor's, too."""
    command = [sys.executable, "-c", HUGE, f"{url.replace('http', 'ws')}/live/{run}", str(size)]
    sent = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (sent.stdout, sent.returncode) == ("closed\n", 0), sent.stderr


def too_large_a_network(tab: Page, url: str) -> None:
    for odd in ("width=4096&depth=32", "batch_size=65536&width=1024&depth=16"):
        page = Playground.open(tab, f"{url}/?{TOY}&{odd}")
        page.press("Start")
        page.says("should fit into memory")


@pytest.fixture
def confined_server(tmp_path):
    """A server that may take two gigabytes, as a lab's container would be told."""
    with serving(tmp_path, GRADNORM_MEMORY="2") as server:
        yield server


@pytest.mark.parametrize(
    ("steps", "width", "message"),
    [(100_000, 512, 20_000_000), pytest.param(1_000_000, 2048, 190_000_000, marks=pytest.mark.long)],
)
@pytest.mark.alone
@pytest.mark.timeout(1800)
def test_no_visitor_disturbs_another(confined_server, open_page, tmp_path, steps, width, message):
    server, url = confined_server, confined_server.url
    long = long_run(server.store, steps)
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    # The neighbor's runs come after it, and find a worker.
    a_worker_of_ones_own(open_page.page(), url)
    large = a_large_run(open_page.page(), url, width)
    # One after the other: each has the server to itself beside the neighbor.
    attacks: dict[str, Callable[[Page], None]] = {
        "Parquet": lambda tab: huge_parquet(tmp_path, tab, url),
        "exports": lambda _: six_exports(url, long, 600),
        "fork": lambda _: fork(large),
        "message": lambda _: a_huge_message(url, long, message),
        "memory": lambda tab: too_large_a_network(tab, url),
    }
    seen: dict[str, tuple[float, ...]] = {}
    for name, attack in attacks.items():
        mine = open_page(f"{url}/?{TOY}&{SMALL}&pace=50&steps=1000000")
        mine.press("Start")
        mine.wait_for_step(20)
        neighbor = Neighbor(url, mine.run, process)
        with neighbor.looking():
            attack(open_page.page())
            mine.wait_for_step(mine.step + 1)
        mine.press("Stop")
        mine.wait_for_state("stopped")
        p95 = float(np.quantile(neighbor.gaps, 0.95))
        seen[name] = (max(neighbor.health), p95, max(neighbor.gaps), max(neighbor.memory) / GIGABYTE)
        print(name, "health ≤ {:.3f} s, blocks p95 {:.3f} s, worst {:.3f} s, memory ≤ {:.2f} GB".format(*seen[name]))
    assert server.process.pid == process.pid
    assert server.process.poll() is None
    for name, (health, p95, _, memory) in seen.items():
        assert health <= 1, (name, health)
        assert p95 <= 0.5, (name, p95)
        assert memory < 2, (name, memory)
