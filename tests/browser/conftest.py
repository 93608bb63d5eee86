"""A real server and a real browser; a page whose console complains fails its test."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, sync_playwright

from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import RunStore
from tests.browser.playground import PATIENCE, Playground
from tests.factories import ROOT, wait_for

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SIZE = {"width": 1440, "height": 900}

# Streamlit looks for its health beside a deep link first, and finds it at the root after that.
HARMLESS = re.compile(
    r"404 \(Not Found\) \S+/(runs|lesson|your_data|gallery|studies|compare)/_stcore/(health|host-config)$"
)

# What a page shows, as far as texts and attributes tell.
_STATE = """() => {
  const all = (selector, read) => [...document.querySelectorAll(selector)].map(read);
  const text = (node) => node.innerText.trim().slice(0, 300);
  const focused = document.activeElement;
  return {
    streamlit: all("[data-testid=stApp]", (node) => ({ ...node.dataset })),
    panel: all("[data-testid=live-panel]", (node) => ({ ...node.dataset })),
    charts: all("[data-testid^=chart-]", (node) => ({ ...node.dataset })),
    focused: focused && `${focused.tagName} ${focused.getAttribute("aria-label") ?? text(focused).slice(0, 60)}`,
    sliders: all("input[type=range]", (node) => `${node.getAttribute("aria-label")}: ${node.value}`),
    fields: all("input:not([type=range])", (node) => `${node.getAttribute("aria-label")}: ${node.value}`),
    buttons: all("button", (node) => `${text(node)}${node.disabled ? " (disabled)" : ""}`).filter(Boolean),
    alerts: all("[data-testid=stAlert], [data-testid=stToast], [role=dialog]", text),
  };
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser test waits for a slow machine rather than for a fixed time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say with a failure what the pages showed and what the server wrote: on a machine far away it is all there is."""
    report = yield
    if report.when == "call" and report.failed:
        given = getattr(item, "funcargs", {})
        opener = given.get("open_page")
        if isinstance(opener, Opener):
            report.sections.extend(("page", text) for text in opener.described())
        for server in {each.home: each for each in given.values() if isinstance(each, Server)}.values():
            report.sections.append(("server", "\n".join(server.log.read_text().splitlines()[-50:])))
    return report


@dataclass
class Server:
    """A dashboard in a process of its own."""

    home: Path
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> RunStore:
        """The server's runs, as another process sees them."""
        return RunStore(self.home)

    def runs(self) -> list[RunInfo]:
        return self.store.runs()

    def start(self) -> None:
        command = [sys.executable, "-m", "gradnorm", "dashboard", "--port", str(self.port)]
        environment = {**os.environ, "GRADNORM_HOME": str(self.home), "OMP_NUM_THREADS": "1", **self.environment}
        environment.pop("GRADNORM_WORKERS", None)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        wait_for(self._healthy, PATIENCE / 1000)

    def _healthy(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"The server ended: {self.log.read_text()}"
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
            return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Server]:
    """Serve a home of its own on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Server(folder / "home", port, folder / "server.log", environment=environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture
def server(_shared: Server, open_page: Opener) -> Iterator[Server]:
    """The server that tests share. Runs that a test leaves behind are stopped: they would hold up the next."""
    yield _shared
    for info in _shared.runs():
        if not info.ended:
            _stop(open_page.quietly(f"{_shared.url}/?run={info.run}"), _shared, info.run)


def _stop(tab: Playground, server: Server, run: str) -> None:
    def over() -> bool:
        # The run may end by itself at any moment. A browser ignores a click on a button that is disabled by then.
        tab.button("Stop").evaluate("button => button.click()")
        tab.page.wait_for_timeout(200)
        return server.store.info(run).ended

    wait_for(over, PATIENCE / 1000)


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[Server]:
    """A server that nobody has asked anything yet."""
    with serving(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Opener:
    """Opens pages, each in a browser context of its own unless told otherwise, and keeps their complaints."""

    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    # What a test provokes on purpose, such as a server that is gone.
    expected: list[str] = field(default_factory=list)

    def __call__(self, url: str, context: BrowserContext | None = None, **options: Any) -> Playground:
        """Open a page of the Playground and wait until it can be used."""
        return Playground.open(self.page(context, **options), url)

    def page(self, context: BrowserContext | None = None, **options: Any) -> Page:
        """Return an empty page that is listened to. options: of the browser context."""
        if context is None:
            context = self.browser.new_context(**{"viewport": SIZE, "accept_downloads": True, **options})
            context.set_default_timeout(PATIENCE)
            self.contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"{error} {error.stack or ''}"))
        page.on("console", self._listen)
        return page

    def quietly(self, url: str) -> Playground:
        """Open a page to clear up with; it proves nothing."""
        return self(url, viewport={"width": 1000, "height": 600})

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            text = f"{message.text} {message.location.get('url', '')}".replace(" of ", " of ")
            text = text.replace("Failed to load resource: the server responded with a status of ", "")
            if not HARMLESS.search(text):
                self.complaints.append(text)

    def described(self) -> list[str]:
        """Return what each open page shows, as far as it answers."""
        texts = [*self.complaints]
        for page in (page for context in self.contexts for page in context.pages):
            try:
                shown = page.evaluate(_STATE)
                lines = (f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in shown.items())
                texts.append("\n".join([page.url, *lines]))
            except Error as error:
                texts.append(f"{page.url} does not answer: {error}")
        return texts

    def unexpected(self) -> list[str]:
        return [text for text in self.complaints if not any(re.search(known, text) for known in self.expected)]


@pytest.fixture
def open_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Opener]:
    """Open pages; at the end take their pictures, close them, and fail on what they complained about."""
    opener = Opener(browser)
    yield opener
    _picture(opener, request.node.name)
    for context in opener.contexts:
        context.close()
    assert not opener.unexpected(), "The browser's console should be free of errors."


def _picture(opener: Opener, name: str) -> None:
    folder = os.environ.get("BROWSER_SHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    pages = [page for context in opener.contexts for page in context.pages]
    for i, page in enumerate(pages):
        stem = re.sub(r"[^\w.-]+", "-", name).strip("-")
        page.screenshot(path=Path(folder) / f"{stem}{f'-{i + 1}' if i else ''}.png")


@pytest.fixture
def wait() -> Callable[..., Any]:
    """Wait for the first truthy answer, patiently."""
    return lambda ask: wait_for(ask, PATIENCE / 1000)
