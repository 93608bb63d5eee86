"""The home of a running server is deleted: the server says so, and records nothing into a file that has no name."""

from __future__ import annotations

import shutil
import socket
import time
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.runs.store import RunStore
from tests.factories import TINY, start_python, wait_for

# A whole server: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def health(port: int) -> tuple[int, str]:
    """Return the status and the text of the server's health; status 0 while nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/live/health", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()
    except (URLError, TimeoutError):
        return 0, ""


def test_a_server_says_within_seconds_that_its_home_was_deleted(home):
    store, port = RunStore(home), free_port()
    spec = RunSpec.parse({**TINY, "steps": 1_000_000, "pace": 100})
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=True)
    options = ("--address", "127.0.0.1", "--port", str(port))
    with start_python(home, "-m", "gradnorm", "dashboard", *options, stderr=None) as server:
        try:
            wait_for(lambda: health(port) == (200, "ok"))
            wait_for(lambda: store.info(run).steps > 20)
            store.close()
            shutil.rmtree(home)
            deleted = time.monotonic()
            wait_for(lambda: health(port)[0] == 503, 10)
            assert time.monotonic() - deleted < 10
            assert "deleted or replaced" in health(port)[1]
            time.sleep(1)
            assert not home.exists()
        finally:
            server.terminate()
            server.wait(30)
