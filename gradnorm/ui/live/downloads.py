"""A run as a download, made by a process of its own and passed on as it comes."""

from __future__ import annotations

import asyncio
import logging
from asyncio import StreamReader, Task
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from gradnorm.export.process import FORMATS, REFUSED, command
from gradnorm.runs.store import RunStore
from gradnorm.ui.serving import server

# Bytes that are passed on at once.
CHUNK = 1 << 18
# Seconds that a client may take for a chunk. One that takes longer has the way of those who wait.
PATIENCE = 60.0

_log = logging.getLogger(__name__)


class _BrokenError(RuntimeError):
    """A download ended before it was whole."""


class Download(Response):
    """The answer with a run's export.

    Clients wait for their turn; nothing is left of one who goes, whether it waits or not.

    run: an id, or several with commas between them, which come in a zip.  file_format: one of FORMATS.
    turns: how many exports are made at a time, of all answers that share it.
    """

    def __init__(self, store: RunStore, run: str, file_format: str, turns: asyncio.Semaphore) -> None:
        self._command, self._environment = command(store.home, run, file_format)
        self._turns = turns
        ending, media_type = FORMATS[file_format]
        if "," in run:
            run, ending, media_type = "runs", f"{file_format}.zip", "application/zip"
        # What stands before these routes would pack each chunk, in the server, as hard as it can: hence the encoding.
        headers = {
            "content-disposition": f'attachment; filename="{run}.{ending}"',
            "content-encoding": "identity",
        }
        super().__init__(headers=headers, media_type=media_type)
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the export, until it is whole, the client has gone or the server ends.

        An answer that is left without its end makes uvicorn cut the connection, so that no file is taken for whole.
        """
        sending = asyncio.create_task(self._take_turn(scope, receive, send))
        tasks = {sending, asyncio.create_task(_gone(receive)), asyncio.create_task(_ending())}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        try:
            if not sending.cancelled():
                sending.result()
        except _BrokenError as error:
            _log.warning("A download was cut off. %s", error)

    async def _take_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._turns, self._process() as (process, output, words):
            # The first bytes tell that the run can be exported; until then the status is open.
            chunk = await output.read(CHUNK)
            if not chunk and await process.wait():
                await _refusal(process.returncode, await words)(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while chunk and scope["method"] != "HEAD":
                await _pass_on(chunk, send)
                chunk = await output.read(CHUNK)
            if not chunk and await process.wait():
                raise _BrokenError(await words)
            await send({"type": "http.response.body", "body": b""})

    @asynccontextmanager
    async def _process(self) -> AsyncGenerator[tuple[Process, StreamReader, Task[str]]]:
        """Give the process that writes the export, its output and what it complains of; it ends with the block."""
        process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environment, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, limit=CHUNK
        )
        assert process.stdout is not None
        assert process.stderr is not None
        # Read meanwhile: a process whose words nobody takes would stand still.
        words = asyncio.create_task(_text(process.stderr))
        try:
            yield process, process.stdout, words
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            # A pipe is closed when it has been read to its end.
            await asyncio.gather(process.stdout.read(), words)
            await process.wait()


async def _text(stream: StreamReader) -> str:
    return (await stream.read()).decode(errors="replace").strip()


async def _pass_on(chunk: bytes, send: Send) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except TimeoutError:
        raise _BrokenError(
            f"A client should take {CHUNK:,} bytes in {PATIENCE:g} s. Found one that did not, and cut it off."
        ) from None


def _refusal(code: int | None, words: str) -> Response:
    if code == REFUSED:
        return PlainTextResponse(words, status_code=409)
    _log.error("An export failed with exit code %s:\n%s", code, words)
    text = "An export should end well. Found that it failed; the server's log says why. Try again, or another format."
    return PlainTextResponse(text, status_code=500)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ending() -> None:
    """Return when the server has been told to end: uvicorn waits for all answers then, and tells none of them."""
    running = server()
    while not getattr(running, "should_exit", False):
        await asyncio.sleep(0.5)
