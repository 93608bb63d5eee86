"""The live routes in a process of their own: `python -m tests.ui.live_server HOME` prints its port.

`GET /late` says by how much, at most, a thread that sleeps for 5 ms woke late: how long others held the interpreter.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO

import httpx
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from gradnorm.runs.store import RunStore
from gradnorm.ui.live.routes import live_routes
from tests.factories import start_python, wait_for

NAP = 0.005


class Server:
    """The server as its clients see it, and as the system does."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.address, self.process = ("127.0.0.1", port), process
        self.host = f"127.0.0.1:{port}"

    def get(self, path: str, **options) -> httpx.Response:
        return httpx.get(f"http://{self.host}{path}", **{"timeout": 60, **options})

    def answers(self) -> bool:
        """Return whether it says that it is well."""
        with suppress(httpx.HTTPError):
            return self.get("/live/health", timeout=5).status_code == 200
        return False

    def exports(self) -> list[psutil.Process]:
        """Return the processes that it has started and that still run."""
        return [child for child in self.process.children() if child.status() != psutil.STATUS_ZOMBIE]

    def memory(self) -> int:
        """Return the resident bytes of it and of its exports."""
        sizes = 0
        for process in (self.process, *self.exports()):
            with suppress(psutil.NoSuchProcess):
                sizes += process.memory_info().rss
        return sizes


@contextmanager
def serving(home: Path) -> Generator[Server]:
    """Give a server of a home in a process of its own."""
    process = start_python(home, "-m", "tests.ui.live_server", str(home), stderr=None)
    try:
        assert process.stdout is not None
        yield Server(int(process.stdout.readline()), psutil.Process(process.pid))
    finally:
        process.kill()
        process.communicate()


@contextmanager
def dashboard(home: Path, *wrapping: str, stderr: IO[str] | None = None) -> Generator[Server]:
    """Give a whole dashboard of a home, once it answers.

    wrapping: what Python runs and what then starts the command that follows: "-c", a program, its arguments.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    command = ["-m", "gradnorm", "dashboard", "--port", str(port)]
    process = start_python(home, *wrapping, *([sys.executable] if wrapping else []), *command, stderr=stderr)
    server = Server(port, psutil.Process(process.pid))
    try:
        wait_for(server.answers)
        yield server
    finally:
        process.terminate()
        process.communicate(timeout=60)


def main(home: str) -> None:
    late = [0.0]

    def nap() -> None:
        while True:
            begun = time.perf_counter()
            time.sleep(NAP)
            late[0] = max(late[0], time.perf_counter() - begun - NAP)

    Thread(target=nap, daemon=True).start()
    routes = [*live_routes(lambda: RunStore(home)), Route("/late", lambda request: JSONResponse(late[0]))]
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", lifespan="off", ws="websockets-sansio")
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    main(sys.argv[1])
