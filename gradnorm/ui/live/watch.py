"""The page on which a class watches a run: one HTML file, the live panel and its sockets, and no session of its own."""

from __future__ import annotations

import asyncio
import html
import json
import os
import time
from collections.abc import Callable
from functools import cache
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gradnorm.common.texts import later
from gradnorm.comparison.rivals import verdict_on
from gradnorm.runs.faults import StoreError
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.runs.titles import title_text
from gradnorm.ui.live.family import contenders
from gradnorm.ui.live.shelf import Shelf
from gradnorm.ui.words import COOKIE, ENGLISH, LANG, first_of, said

# Seconds for which what is known about a run is kept: a whole class asks at the same moment.
KEPT = 1.0
# The panel draws by the attribute `style`; no sheet and no script may stand in the page itself.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors {frames}"
)
_GONE = later("There is no run at this address. It may have been deleted. Ask for the link again.")
# What the page itself says, by where it stands there.
_WORDS = {
    "intro": later(
        "You watch a network learn several tasks at once. The task with the largest gradient drowns out the rest; "
        "GradNorm turns each task’s loss up or down, so that all are heard. A colour is a task; where several runs are "
        "drawn, the style of a line is a run. Nothing you do here changes them."
    ),
    "noscript": later("This page draws in your browser, which needs JavaScript. Allow it for this page."),
    "theme": later("Dark"),
}


def watch_routes(store: Callable[[], RunStore], base: str, shelf: Shelf) -> list[BaseRoute]:
    """Return the routes `base`/watch/RUN, the page, and `base`/live/RUN/about, what the page asks about the run.

    store: gives the store when first asked.  shelf: the files that the page is made of.
    """
    abouts = cache(Abouts)

    async def page(request: Request) -> Response:
        run, code = str(request.path_params["run"]), _language(request)
        try:
            info = await asyncio.to_thread(store().info, run)
            return _page(shelf, code, run, said(title_text(info), code), "")
        except UnknownRunError:
            return _page(shelf, code, "", said(later("No run here"), code), said(_GONE, code), 404)
        except StoreError as error:
            return _page(shelf, code, "", said(later("Runs can't be read"), code), str(error), 503)

    async def about(request: Request) -> Response:
        try:
            told = await abouts(store()).of(str(request.path_params["run"]), _language(request))
        except UnknownRunError:
            return JSONResponse({"gone": said(_GONE, _language(request))}, status_code=404)
        except StoreError as error:
            return JSONResponse({"gone": str(error)}, status_code=503)
        return Response(told, media_type="application/json")

    return [Route(f"{base}/watch/{{run}}", page), Route(f"{base}/live/{{run}}/about", about)]


class Abouts:
    """What pages ask about runs, found out once for all that ask within a second."""

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._asked: dict[tuple[str, str], tuple[float, asyncio.Task[str]]] = {}

    async def of(self, run: str, code: str = ENGLISH) -> str:
        """Return as JSON the runs to draw, the state, and once the run has ended the verdict in the language `code`.

        Raises UnknownRunError, StoreError.
        """
        now = time.monotonic()
        self._asked = {key: found for key, found in self._asked.items() if now - found[0] < KEPT}
        asked = run, code
        if asked not in self._asked:
            self._asked[asked] = now, asyncio.create_task(asyncio.to_thread(_about, self._store, run, code))
        return await asyncio.shield(self._asked[asked][1])


def _language(request: Request) -> str:
    """Return the language to answer in: as the address says, was chosen in the dashboard, or else the browser asks."""
    accepted = [each.partition(";")[0] for each in request.headers.get("accept-language", "").split(",")]
    return first_of(request.query_params.get(LANG), request.cookies.get(COOKIE), *accepted)


def _about(store: RunStore, run: str, code: str) -> str:
    info = store.info(run)
    found = verdict_on(store, run) if info.ended else None
    verdict = {"head": said(found.head, code), "more": said(found.more, code)} if found and found.text else None
    return json.dumps({"runs": contenders(store, info, code), "state": info.state, "verdict": verdict})


def _page(shelf: Shelf, code: str, run: str, title: str, told: str, status: int = 200) -> Response:
    """Return the page of a run, in the language `code`; without a run a page that only says why."""
    assets = f"../live/static/{shelf.version}"
    # Named in the page: the browser would else find them one import after another.
    modules = [f'<link rel="modulepreload" href="{assets}/{name}" />' for name in shelf.names("live", ".js")]
    words = {"run": run, "title": title, "said": told, "assets": assets, "lang": code}
    words |= {place: said(text, code) for place, text in _WORDS.items()}
    text = Template(shelf.read("watch/page.html")).substitute(
        {key: html.escape(word) for key, word in words.items()}, modules="\n    ".join(modules if run else [])
    )
    policy = _POLICY.format(frames=os.environ.get("GRADNORM_FRAMES") or "'none'")
    return HTMLResponse(
        text,
        status,
        {"content-security-policy": policy, "cache-control": "no-cache", "vary": "accept-language, cookie"},
    )
