"""Several runs over one socket. Each has a part of it, which is served as if it were a socket of its own."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.websockets import WebSocket, WebSocketDisconnect

# Parts that one socket may have open: those of the largest race, and some that end while others begin.
MOST_PARTS = 128
TOO_MANY = 4409
# No page gives a part a greater number: a uint32.
_MOST = 2**32
_GONE = {"type": "websocket.disconnect", "code": 1006}


class Part:
    """One run's part of a socket.

    What the server says in it begins with the part's number: a text with the number and a blank, bytes with a uint32. A
    text that goes on with a number alone says that the part is closed, and gives the code.
    """

    def __init__(self, ws: WebSocket, number: int, run: str, since: str) -> None:
        self.headers: Headers = ws.headers
        self.path_params, self.query_params = {"run": run}, {"since": since}
        self._ws, self._number = ws, number
        self._heard: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
        self._gone = False

    def hear(self, message: MutableMapping[str, Any]) -> None:
        """Take a message of the page, as ASGI spells it."""
        self._gone = self._gone or message["type"] == "websocket.disconnect"
        self._heard.put_nowait(message)

    async def accept(self) -> None:
        """Do nothing: the socket is open."""

    async def receive(self) -> MutableMapping[str, Any]:
        """Return what the page says next."""
        return await self._heard.get()

    async def send_text(self, text: str) -> None:
        """Say something. Raises WebSocketDisconnect if the page has closed the part."""
        await self._send(self._ws.send_text(f"{self._number} {text}"))

    async def send_bytes(self, data: bytes) -> None:
        """Send rows; see `send_text`."""
        await self._send(self._ws.send_bytes(struct.pack("<I", self._number) + data))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Tell the page that nothing more comes in this part; see `send_text`."""
        await self.send_text(str(code))

    async def _send(self, sending: Coroutine[Any, Any, None]) -> None:
        if self._gone:
            sending.close()
            raise WebSocketDisconnect(1006)
        try:
            await sending
        except RuntimeError as error:  # the page went a moment ago
            raise WebSocketDisconnect(1006) from error


async def share(ws: WebSocket, serve: Callable[[Part], Coroutine[Any, Any, None]], longest: int) -> None:
    """Serve a socket that carries several runs until the page closes it.

    The page says {"part": N, "run": ID, "since": STEP} to open a part, {"part": N, "close": true} to close it, and
    otherwise what it would say to a socket of the run, with "part". What is none of this is passed over.

    serve: serves one part to its end.  longest: characters of a message that is read.
    """
    await ws.accept()
    parts: dict[int, Part] = {}
    serving: set[asyncio.Task[None]] = set()

    def end(number: int, task: asyncio.Task[None]) -> None:
        parts.pop(number, None)
        serving.discard(task)

    try:
        while (message := await ws.receive())["type"] != "websocket.disconnect":
            number, said = _read(str(message.get("text") or ""), longest)
            if number in parts:
                parts[number].hear(_GONE if "close" in said else message)
            elif isinstance(said.get("run"), str):
                part = Part(ws, number, said["run"], str(said.get("since")))
                if len(parts) >= MOST_PARTS:
                    await part.close(TOO_MANY)
                    continue
                parts[number] = part
                task = asyncio.create_task(serve(part))
                serving.add(task)
                task.add_done_callback(lambda task, number=number: end(number, task))
    finally:
        for part in parts.values():
            part.hear(_GONE)
        if serving:
            await asyncio.wait(serving)


def _read(text: str, longest: int) -> tuple[int, dict[str, Any]]:
    """Return the part that a page's message is for, and what it says; −1 and nothing for what is no message."""
    try:
        said = json.loads(text) if len(text) <= longest else None
    except (ValueError, RecursionError):
        return -1, {}
    if not isinstance(said, dict):
        return -1, {}
    number = said.get("part")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return (number, said) if type(number) is int and 0 <= number < _MOST else (-1, {})
