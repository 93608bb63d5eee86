"""A server whose visitors hold more connections than it may open files: it says so once, and serves on."""

from __future__ import annotations

import resource
import socket
import sys
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.factories import start_python, wait_for

pytestmark = pytest.mark.slow

HANDLES = 100
LIMITED = """
import os, resource, sys
soft, hard, *command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(soft), int(hard)))
os.execv(command[0], command)
"""


def health(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/live/health", timeout=5).status_code
    except httpx.HTTPError:
        return None


@contextmanager
def dashboard(home, log, soft, hard):
    """Give the process and the port of a dashboard that may open so many files."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    command = [sys.executable, "-m", "gradnorm", "dashboard", "--port", str(port)]
    with log.open("w") as stderr:
        process = start_python(home, "-c", LIMITED, str(soft), str(hard), *command, stderr=stderr)
    try:
        wait_for(lambda: health(port) == 200)
        yield process, port
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_more_connections_than_handles_are_one_line_in_the_log(home, tmp_path):
    log = tmp_path / "log"
    with dashboard(home, log, HANDLES, HANDLES) as (_, port):
        before = log.read_text()
        with ExitStack() as visitors, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as known:
            assert known.get("/live/health").status_code == 200
            for _ in range(2 * HANDLES):
                visitors.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            wait_for(lambda: log.read_text() != before)
            # The event loop tries again each second.
            time.sleep(2.5)
            assert known.get("/live/health").status_code == 200
        said = log.read_text()
        assert "Traceback" not in said, f"{len(said.splitlines())} lines"
        assert said.count("file handle for each connection") == 1
        wait_for(lambda: health(port) == 200)


def test_the_dashboard_takes_the_handles_that_it_may_have(home, tmp_path):
    with dashboard(home, tmp_path / "log", HANDLES, 4 * HANDLES) as (process, _):
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (4 * HANDLES, 4 * HANDLES)
