"""A dashboard and a browser on this machine, for benchmarks that need the real ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

PATIENCE = 90.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def server(command: Sequence[str], port: int, environ: Mapping[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """Start a server, wait until it says that it is well, and end it in good order.

    environ: what its environment has besides this process's own.
    """
    process = subprocess.Popen(list(command), env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
    try:
        _until_up(process, port)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_up(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=PATIENCE):
                return
        except OSError:
            if process.poll() is not None:
                raise RuntimeError(f"The server should be up. Found it ended with {process.returncode}.") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def browser() -> Generator[Any]:
    """Start Chromium without a screen: the one that CHROMIUM names, else Debian's."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()
