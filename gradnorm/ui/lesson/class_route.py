"""The socket by which students' pages hear which step their teacher is at."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress

from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gradnorm.ui.guard import origin_allowed
from gradnorm.ui.lesson.classroom import CLASSROOMS, Classrooms

FOREIGN_ORIGIN, NO_CLASS = 4403, 4404
# Seconds between two looks at the teacher's step: less than a class notices, and nothing to do for 300 pages.
LOOK = 0.4


def class_routes(base: str = "", allowed: Sequence[str] = (), rooms: Classrooms = CLASSROOMS) -> list[BaseRoute]:
    """Return the route `base`/live/class/CODE.

    allowed: origins other than the server's own that may open the socket.  rooms: the classes.
    """

    async def socket(ws: WebSocket) -> None:
        await ws.accept()
        if not origin_allowed(ws.headers.get("origin"), ws.headers.get("host"), allowed):
            await ws.close(FOREIGN_ORIGIN, "This page's origin may not follow classes.")
            return
        # The page may go between two looks; uvicorn refuses what comes after it.
        with suppress(WebSocketDisconnect, RuntimeError):
            await _follow(ws, str(ws.path_params["code"]), rooms)

    return [WebSocketRoute(f"{base.rstrip('/')}/live/class/{{code}}", socket)]


async def _follow(ws: WebSocket, code: str, rooms: Classrooms) -> None:
    """Send each step that the teacher turns to, until the page goes or the class is over."""
    gone, said = asyncio.create_task(_gone(ws)), None
    try:
        with rooms.following(code):
            while (step := rooms.step(code)) is not None and not gone.done():
                if step != said:
                    await ws.send_text(json.dumps({"step": step}))
                    said = step
                await asyncio.wait({gone}, timeout=LOOK)
        if not gone.done():
            await ws.close(NO_CLASS, "There is no such class.")
    finally:
        gone.cancel()


async def _gone(ws: WebSocket) -> None:
    """Return once the page has gone. What it says is not listened to."""
    while (await ws.receive())["type"] != "websocket.disconnect":
        pass
