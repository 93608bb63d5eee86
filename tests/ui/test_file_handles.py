"""A server whose visitors hold more connections than it may open files: it says so once, and serves on."""

from __future__ import annotations

import resource
import socket
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.factories import wait_for
from tests.ui.live_server import dashboard

pytestmark = pytest.mark.slow

HANDLES = 100
LIMITED = """
import os, resource, sys
soft, hard, *command = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(soft), int(hard)))
os.execv(command[0], command)
"""


@contextmanager
def limited(home, log, soft, hard):
    """Give a dashboard that may open so many files, and whose complaints stand in a log."""
    with log.open("w") as stderr, dashboard(home, "-c", LIMITED, str(soft), str(hard), stderr=stderr) as server:
        yield server


def test_more_connections_than_handles_are_one_line_in_the_log(home, tmp_path):
    log = tmp_path / "log"
    with limited(home, log, HANDLES, HANDLES) as server:
        before = log.read_text()
        with ExitStack() as visitors, httpx.Client(base_url=f"http://{server.host}", timeout=30) as known:
            assert known.get("/live/health").status_code == 200
            for _ in range(2 * HANDLES):
                visitors.enter_context(socket.create_connection(server.address, timeout=10))
            wait_for(lambda: log.read_text() != before)
            # The event loop tries again each second.
            time.sleep(2.5)
            assert known.get("/live/health").status_code == 200
        said = log.read_text()
        assert "Traceback" not in said, f"{len(said.splitlines())} lines"
        assert said.count("file handle for each connection") == 1
        wait_for(server.answers)


def test_the_dashboard_takes_the_handles_that_it_may_have(home, tmp_path):
    with limited(home, tmp_path / "log", HANDLES, 4 * HANDLES) as server:
        assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE) == (4 * HANDLES, 4 * HANDLES)
