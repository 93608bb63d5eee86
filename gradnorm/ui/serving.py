"""The uvicorn server that runs here: how it ends, and that it sends at once."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

# Seconds that a client has for what it was sent, once the server has been told to end.
GRACE = 3
# Seconds between two looks whether the server has started.
LOOK = 0.02


def server() -> Any:
    """Return the uvicorn server that runs here, which handles the signal to end; None under another server."""
    found = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return found if hasattr(found, "should_exit") else None


def end_without_slow_clients() -> None:
    """Let the server that runs here end within GRACE seconds, though a client does not take what it was sent.

    Uvicorn would wait for that client without an end. Call it when the server has started.
    """
    if running := server():
        running.config.timeout_graceful_shutdown = GRACE


async def send_at_once() -> None:
    """Let the connections of the server that runs here send small packets at once, from its start on.

    asyncio does so for sockets that it makes, but not for Streamlit's. A packet would wait up to 40 ms for the client's
    word that the one before has come.
    """
    running = server()
    while running and not running.started:
        await asyncio.sleep(LOOK)
    for each in getattr(running, "servers", ()):
        for listening in each.sockets:
            if listening.family in (socket.AF_INET, socket.AF_INET6):
                # Those that it accepts take it over.
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
