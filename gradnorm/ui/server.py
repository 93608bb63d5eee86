"""What `app.py` needs to build the ASGI app: routes, and what happens when the server starts and stops."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import webbrowser
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from gradnorm.ui import lab
from gradnorm.ui.callbacks import let_callbacks_finish
from gradnorm.ui.file_handles import Scarcity
from gradnorm.ui.guard import Guard, allowed_hosts
from gradnorm.ui.launcher import OPEN
from gradnorm.ui.lesson.class_route import class_routes
from gradnorm.ui.live.feed import Hub
from gradnorm.ui.live.routes import live_routes
from gradnorm.ui.serving import end_without_slow_clients, send_at_once

# Long enough for a visitor who was waiting to get the first page, after which torch is loaded anyway (`main`).
WARM_SECONDS = 5.0
SCRIPT = Path(__file__).with_name("main.py")


def routes() -> list[BaseRoute]:
    """Return the live routes and that of classes, under Streamlit's base path and with its list of allowed origins."""
    hub = partial(Hub, asked=lambda run: lab.lab().asked(run))
    live = live_routes(lambda: lab.lab().store, base_path(), _allowed_origins(), hub, lab.trouble)
    return [*class_routes(base_path(), _allowed_origins()), *live]


def middleware() -> list[Middleware]:
    """Return what stands before all routes, Streamlit's and ours."""
    hosts = allowed_hosts(cast("str | None", st.get_option("server.address")), _allowed_origins())
    return [Middleware(Guard, hosts=hosts, origins=_allowed_origins())]


def _allowed_origins() -> list[str]:
    return cast("list[str]", st.get_option("server.corsAllowedOrigins") or [])


def base_path() -> str:
    """Return the path that the server is mounted under: "" or "/prefix"."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncGenerator[None]:
    """End the runs in good order when the server is told to stop."""
    Scarcity(asyncio.get_running_loop())
    let_callbacks_finish()
    end_without_slow_clients()
    sending = asyncio.create_task(send_at_once())
    # Imported modules stay; without this each collection would walk them all.
    gc.freeze()
    if url := os.environ.pop(OPEN, ""):
        threading.Timer(0.5, webbrowser.open, [url]).start()
    # Torch is loaded behind the first page, or now that nobody comes; sooner, it would be in that page's way.
    warm = threading.Timer(WARM_SECONDS, lab.warm)
    warm.daemon = True
    warm.start()
    yield
    sending.cancel()
    warm.cancel()
    lab.close()
