"""A class in one process: opens the watch page as often as asked, follows its sockets, notes when each step arrived.

`python -m benchmarks.watchers ADDRESS RUN COUNT FILE`: says "watching" once all are in, follows until its input is
closed, and writes (viewer, step, seconds since 1970) as float64 to FILE. With --pages each viewer first loads the page
and all that it names, as a browser does that has none of it. It reads frames by hand: a library's client for each
viewer would take the processor that is measured.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import struct
import sys
import threading
import time
from array import array
from pathlib import Path

import httpx

from benchmarks.local import PATIENCE
from gradnorm.ui.live import wire

# Viewers that load the page at the same moment.
TOGETHER = 25
BINARY, CLOSE, PING, PONG = 2, 8, 9, 10


class Follower(asyncio.Protocol):
    """One open socket: notes the newest step of each block."""

    def __init__(self, viewer: int, notes: array[float]) -> None:
        self._viewer, self._notes = viewer, notes
        self._held, self._opened = bytearray(), False
        self.begun = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back: a server asks now and then whether somebody is there."""
        self._transport: asyncio.Transport = transport  # pyright: ignore[reportAttributeAccessIssue]

    def data_received(self, data: bytes) -> None:
        """Take what came, frame by frame."""
        now = time.time()
        self._held += data
        if not self._opened:
            head, found, rest = self._held.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head[:20]:
                raise RuntimeError(f"The socket should open. Found {bytes(head[:80])!r}.")
            self._held, self._opened = rest, True
        while (frame := self._frame()) is not None:
            self._take(*frame, now)

    def connection_lost(self, exc: Exception | None) -> None:
        """A socket that is cut off before it began fails the measurement."""
        if not self.begun.done():
            self.begun.set_exception(exc or RuntimeError("The socket should tell of a run. Found it closed."))

    def _frame(self) -> tuple[int, bytes] | None:
        """Return kind and content of the next whole frame, if there is one."""
        held = self._held
        if len(held) < 2:
            return None
        size, start = held[1] & 127, 2
        if size > 125:
            form, start = (">H", 4) if size == 126 else (">Q", 10)
            if len(held) < start:
                return None
            (size,) = struct.unpack_from(form, held, 2)
        if len(held) < start + size:
            return None
        content = bytes(held[start : start + size])
        kind = held[0] & 15
        del held[: start + size]
        return kind, content

    def _take(self, kind: int, content: bytes, now: float) -> None:
        if kind == BINARY:
            what, rows, columns, _ = struct.unpack_from("<4I", content)
            if what == wire.LIVE and rows:
                (step,) = struct.unpack_from("<f", content, 16 + 4 * columns * (rows - 1))
                self._notes.extend((self._viewer, step, now))
        elif kind == PING:
            mask = b"\0\0\0\0"
            self._transport.write(bytes((0x80 | PONG, 0x80 | len(content))) + mask + content)
        if not self.begun.done():
            self.begun.set_result(None)


async def _load(host: str, port: int, run: str) -> None:
    """Get the page and all that it names, over one connection while the server keeps it."""
    async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=PATIENCE) as client:
        client.headers["accept-encoding"] = "gzip"

        async def get(path: str) -> str:
            return (await client.get(path)).raise_for_status().text

        for path in re.findall(r'(?:href|src)="\.\.(/live/[^"]+)"', await get(f"/watch/{run}")):
            await get(path)
        await get(f"/live/{run}/about")


async def _follow(host: str, port: int, run: str, viewer: int, notes: array[float]) -> asyncio.BaseTransport:
    """Open the socket of a page that has nothing yet."""
    loop = asyncio.get_running_loop()
    transport, follower = await loop.create_connection(lambda: Follower(viewer, notes), host, port)
    key = base64.b64encode(os.urandom(16)).decode()
    transport.write(
        f"GET /live/{run}?since=0 HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    await follower.begun
    return transport


async def _class(host: str, port: int, run: str, count: int, notes: array[float], pages: bool) -> None:
    turns = asyncio.Semaphore(TOGETHER)

    async def come(viewer: int) -> asyncio.BaseTransport:
        async with turns:
            if pages:
                await _load(host, port, run)
            return await _follow(host, port, run, viewer, notes)

    sockets = await asyncio.gather(*(come(viewer) for viewer in range(count)))
    print("watching", flush=True)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=listen, daemon=True).start()
    await over.wait()
    for transport in sockets:
        transport.close()


def main() -> None:
    """Follow until told to stop."""
    address, run, count, path = sys.argv[1:5]
    pages = "--pages" in sys.argv[5:]
    host, _, port = address.rpartition(":")
    notes = array("d")
    asyncio.run(_class(host, int(port), run, int(count), notes, pages))
    Path(path).write_bytes(notes.tobytes())


if __name__ == "__main__":
    main()
