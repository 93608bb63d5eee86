"""The server's own routes beside Streamlit's: the live socket, files of a run, and the panel's assets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from functools import cache

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from gradnorm.export.process import FORMATS, MOST_RUNS
from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.faults import StoreError
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.ui.guard import origin_allowed
from gradnorm.ui.live.answers import Answers
from gradnorm.ui.live.downloads import Download
from gradnorm.ui.live.feed import Hub
from gradnorm.ui.live.parts import Part, share
from gradnorm.ui.live.shelf import shelf
from gradnorm.ui.live.viewers import Message, Viewer
from gradnorm.ui.live.watch import watch_routes

FOREIGN_ORIGIN, UNKNOWN_RUN, TOO_SLOW, TOO_LONG = 4403, 4404, 4408, 1009
# Bytes; the protocol allows no more.
LONGEST_REASON = 123
# Characters or bytes of a message from a page: it asks for the steps from one number to another.
LONGEST = 1000
# How many exports are made at a time, each by a process of its own.
EXPORTS = 2
# No run has as many; numbers beyond are no cursor.
MOST_STEPS = 2**53


def live_routes(
    store: Callable[[], RunStore],
    base: str = "",
    allowed_origins: Sequence[str] = (),
    make_hub: Callable[[RunStore], Hub] = Hub,
    trouble: Callable[[], str | None] = lambda: None,
) -> list[BaseRoute]:
    """Return the routes under `base`/live, and that of the watch page.

    store: gives the store when first asked, so that building routes touches no file.
    allowed_origins: origins other than the server's own that may open the socket, as in
        ["https://lab.example"]; Streamlit's own checks do not cover these routes.
    make_hub: called once, in the server's event loop, when the first page asks for a run.
    trouble: says what keeps runs from being trained or recorded; `health` answers 503 with it, and 200 with None.
    """
    hubs: list[Hub] = []
    turns = asyncio.Semaphore(EXPORTS)
    answers = cache(Answers)

    def hub() -> Hub:
        if not hubs:
            hubs.append(make_hub(store()))
        return hubs[0]

    async def socket(ws: WebSocket) -> None:
        await _serve(ws, hub, allowed_origins)

    async def several(ws: WebSocket) -> None:
        await share(ws, lambda part: _serve(part, hub, allowed_origins), LONGEST)

    async def download(request: Request) -> Response:
        try:
            return await asyncio.to_thread(_download, hub().store, turns=turns, **request.path_params)
        except StoreError as error:
            return PlainTextResponse(str(error), status_code=503)

    async def answer(request: Request) -> Response:
        try:
            told = await asyncio.to_thread(answers(hub().store).of, **request.path_params)
        except CheckpointError:  # thinned out since the page heard of it
            return Response(status_code=204)
        except (StoreError, UnknownRunError, ValueError, OSError) as error:  # a SpecError or DataError is a ValueError
            return PlainTextResponse(str(error), status_code=404)
        return Response(told, media_type="application/json")

    def health(request: Request) -> Response:
        wrong = trouble()
        return PlainTextResponse(wrong or "ok", status_code=503 if wrong else 200)

    prefix = f"{base.rstrip('/')}/live"
    return [
        WebSocketRoute(f"{prefix}/several", several),
        WebSocketRoute(f"{prefix}/{{run}}", socket),
        Route(f"{prefix}/health", health),
        Route(f"{prefix}/{{run}}/export/{{file_format}}", download),
        Route(f"{prefix}/{{run}}/answers/{{step:int}}", answer),
        Route(f"{prefix}/static/{{path:path}}", shelf().answer),
        *watch_routes(lambda: hub().store, base.rstrip("/"), shelf()),
    ]


async def _serve(ws: WebSocket | Part, hub_of: Callable[[], Hub], allowed: Sequence[str]) -> None:
    if not origin_allowed(ws.headers.get("origin"), ws.headers.get("host"), allowed):
        await _refuse(ws, FOREIGN_ORIGIN, "This page's origin may not watch runs.")
        return
    run, since = str(ws.path_params["run"]), ws.query_params.get("since", "")
    cursor = int(since) if re.fullmatch("[0-9]{1,99}", since) else 0
    try:
        hub = hub_of()
        async with hub.watch(run, min(cursor, MOST_STEPS)) as (viewer, missed):
            await ws.accept()
            await _catch_up(ws, missed)
            await _both_ways(ws, hub, run, viewer)
    except (UnknownRunError, StoreError) as error:
        await _refuse(ws, UNKNOWN_RUN, str(error))
    except WebSocketDisconnect:
        pass


async def _catch_up(ws: WebSocket | Part, missed: Sequence[Message]) -> None:
    try:
        for message in missed:
            await _send(ws, message)
    except RuntimeError as error:
        # A page that went during the handshake: uvicorn lets `accept` pass, and refuses what comes after it.
        raise WebSocketDisconnect(1006) from error


async def _both_ways(ws: WebSocket | Part, hub: Hub, run: str, viewer: Viewer) -> None:
    """Send what the feed brings and answer what the page asks, until either side ends."""
    # A handler that only sends would never notice that an idle page has gone.
    sender = asyncio.create_task(_forward(ws, hub, run, viewer))
    asker = asyncio.create_task(_answer(ws, hub, run))
    done, pending = await asyncio.wait({sender, asker}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, WebSocketDisconnect | UnknownRunError | StoreError):
            raise error


async def _forward(ws: WebSocket | Part, hub: Hub, run: str, viewer: Viewer) -> None:
    while True:
        message = await viewer.queue.get()
        if message is None:
            # The page may still ask for details of a run that is over; it closes the socket itself.
            await hub.deleted(run)
            await ws.close(UNKNOWN_RUN, "The run was deleted.")
            return
        if viewer.cut_off:
            await ws.close(TOO_SLOW, "The page fell behind; it may come back.")
            return
        await _send(ws, message)


async def _answer(ws: WebSocket | Part, hub: Hub, run: str) -> None:
    while True:
        message = await ws.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        text = message.get("text") or ""
        if len(text or message.get("bytes") or b"") > LONGEST:
            await ws.close(TOO_LONG, "A page says nothing as long.")
            return
        try:
            first, last = (int(step) for step in json.loads(text)["detail"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue  # a page says nothing else; whoever does is not answered
        if 0 <= first <= last < MOST_STEPS:
            await ws.send_bytes(await asyncio.to_thread(hub.detail, run, first, last))


async def _send(ws: WebSocket | Part, message: str | bytes) -> None:
    await (ws.send_text(message) if isinstance(message, str) else ws.send_bytes(message))


async def _refuse(ws: WebSocket | Part, code: int, reason: str) -> None:
    # Only an accepted socket can tell the page why: a refused handshake shows as a bare error there.
    await ws.accept()
    await ws.close(code, reason.encode()[:LONGEST_REASON].decode(errors="ignore"))


def _download(store: RunStore, run: str, file_format: str, turns: asyncio.Semaphore) -> Response:
    several = run.split(",")
    if len(several) > MOST_RUNS:
        return PlainTextResponse(f"At most {MOST_RUNS} runs can be exported at once. Found {len(several)}.", 400)
    try:
        info, *_ = [store.info(each) for each in several]
    except UnknownRunError as error:
        return PlainTextResponse(str(error), status_code=404)
    if file_format == "spec" and len(several) == 1:
        head = {"content-disposition": f'attachment; filename="{run}.spec.json"'}
        return Response(json.dumps(dict(info.spec), indent=2), media_type="application/json", headers=head)
    if file_format not in FORMATS:
        formats = ", ".join((*FORMATS, "spec"))
        return PlainTextResponse(f"The format should be one of {formats}. Found {file_format!r}.", status_code=404)
    return Download(store, run, file_format, turns)
