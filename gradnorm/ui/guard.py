"""What every answer of the server tells a browser, and which pages may reach it. Streamlit's routes are included."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Streamlit runs inline scripts and styles and makes workers of blobs. Nothing comes from elsewhere.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; frame-ancestors {frames}"
)


def policy() -> str:
    """Return the Content-Security-Policy. GRADNORM_FRAMES names the pages that may frame ours; else none may."""
    return POLICY.format(frames=os.environ.get("GRADNORM_FRAMES") or "'none'")


def allowed_hosts(address: str | None, origins: Collection[str] = ()) -> frozenset[str] | None:
    """Return the host names that the server answers to; None if it answers to any.

    A page of a foreign name can have its name resolved to this machine, and would then count as one of ours. So a
    server that listens on loopback answers to loopback's names only. One that others reach answers to the names in
    GRADNORM_HOSTS (separated by commas), or to any if that is not set.

    address: what the server listens on; None or empty for all addresses.
    origins: pages that may open sockets, as in "https://lab.example"; their names are answered to as well.
    """
    listed = {name.strip().lower() for name in os.environ.get("GRADNORM_HOSTS", "").split(",") if name.strip()}
    named = listed | {host for origin in origins if (host := urlsplit(origin).hostname)}
    if listed or (address and is_loopback(address)):
        return frozenset({"localhost", "127.0.0.1", "::1", *named})
    return None


def is_loopback(name: str) -> bool:
    """Whether a name or number is this machine's own, which no other reaches."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def host_of(header: str) -> str:
    """Return the name in a Host header: without port, brackets and capitals; empty if there is none.

    >>> host_of("LocalHost:8501"), host_of("[::1]:8501")
    ('localhost', '::1')
    """
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def origin_allowed(origin: str | None, host: str | None, allowed: Collection[str]) -> bool:
    """Whether a page of `origin` may open a socket of a server reached as `host`, at this very port.

    A browser always names its origin; a program that is no browser sends none and is let in.
    """
    if origin is None:
        return True
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return netloc == host or origin.rstrip("/") in {o.rstrip("/") for o in allowed}


class Guard:
    """ASGI middleware: refuses foreign hosts and the sockets of foreign pages, and adds headers to every answer.

    hosts: as `allowed_hosts` returns them.  origins: those that may open sockets beside the server's own.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None, origins: Collection[str]) -> None:
        self._app, self._hosts, self._origins = app, hosts, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and host_of(host) not in self._hosts:
            await self._refuse(scope, receive, send, host)
        elif scope["type"] == "websocket" and not origin_allowed(headers.get("origin"), host, self._origins):
            await send({"type": "websocket.close", "code": 4403, "reason": "This page's origin may not watch runs."})
        else:
            await self._app(scope, receive, _with_headers(send))

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, host: str) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4403, "reason": "The server does not answer to this name."})
            return
        known = ", ".join(sorted(self._hosts or ()))
        text = (
            f"The address should be one of {known}. Found {host_of(host)!r}. Open one of these, or start the server "
            "with GRADNORM_HOSTS set to the names that it is reached by."
        )
        await PlainTextResponse(text, status_code=421)(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("x-content-type-options", "nosniff")
            headers.setdefault("referrer-policy", "same-origin")
            headers.setdefault("content-security-policy", policy())
        await send(message)

    return sending
