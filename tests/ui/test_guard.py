"""Who may reach the server, and what each answer tells the browser."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gradnorm.ui.guard import Guard, allowed_hosts, host_of, origin_allowed

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def app():
    return Starlette(routes=[Route("/", lambda request: PlainTextResponse("in"))])


def get(host, hosts=LOOPBACK):
    async def ask():
        transport = httpx.ASGITransport(Guard(app(), hosts, []))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            return await client.get("/")

    return asyncio.run(ask())


def open_socket(**headers):
    """Return what a socket of these headers is told first: "in" by the app, or the guard's code."""
    told = []

    async def inner(scope, receive, send):
        told.append("in")

    async def send(message):
        told.append(message["code"])

    scope = {"type": "websocket", "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run(Guard(inner, LOOPBACK, ["https://lab.example"])(scope, None, send))
    return told


@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST"])
def test_loopback_s_own_names_are_let_in(host):
    assert get(host).text == "in"


@pytest.mark.parametrize("host", ["evil.example:8501", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1"])
def test_a_foreign_name_is_refused_with_what_to_do(host):
    answer = get(host)
    assert answer.status_code == 421
    assert "GRADNORM_HOSTS" in answer.text
    assert host_of(host) in answer.text


def test_a_server_that_others_reach_answers_to_any_name_unless_told():
    assert get("lab.example", hosts=None).text == "in"


def test_a_page_of_a_name_resolved_to_this_machine_gets_no_socket():
    """DNS rebinding: host and origin are alike, and foreign."""
    assert open_socket(host="evil.example:8501", origin="http://evil.example:8501") == [4403]
    assert open_socket(host="localhost:8501", origin="http://localhost:9999") == [4403]
    assert open_socket(host="localhost:8501", origin="http://localhost:8501") == ["in"]
    assert open_socket(host="localhost:8501", origin="https://lab.example") == ["in"]
    assert open_socket(host="localhost:8501") == ["in"]


@pytest.mark.parametrize(
    ("address", "names", "expected"),
    [
        ("127.0.0.1", "", LOOPBACK),
        ("localhost", "", LOOPBACK),
        ("::1", "", LOOPBACK),
        ("0.0.0.0", "", None),
        ("", "", None),
        (None, "", None),
        ("0.0.0.0", "Lab.example, lab", LOOPBACK | {"lab.example", "lab"}),
    ],
)
def test_names_follow_from_the_address_and_the_environment(address, names, expected, monkeypatch):
    monkeypatch.setenv("GRADNORM_HOSTS", names)
    assert allowed_hosts(address) == expected


def test_names_of_allowed_origins_are_answered_to(monkeypatch):
    monkeypatch.delenv("GRADNORM_HOSTS", raising=False)
    assert allowed_hosts("127.0.0.1", ["https://lab.example:8443"]) == LOOPBACK | {"lab.example"}


def test_every_answer_has_headers_that_keep_others_out(monkeypatch):
    headers = get("localhost").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'self'" in headers["content-security-policy"]
    monkeypatch.setenv("GRADNORM_FRAMES", "https://moodle.example")
    assert "frame-ancestors https://moodle.example" in get("localhost").headers["content-security-policy"]


@pytest.mark.parametrize(
    ("origin", "host", "allowed", "expected"),
    [
        (None, "a:1", [], True),
        ("http://a:1", "a:1", [], True),
        ("https://a:1", "a:1", [], True),
        ("http://a", "a:1", [], False),
        ("http://a:1.b", "a:1", [], False),
        ("http://b/a:1", "a:1", [], False),
        ("null", None, [], False),
        ("", "a:1", [], False),
        ("https://b", "a:1", ["https://b"], True),
        ("http://b", "a:1", ["https://b"], False),
    ],
)
def test_who_may_watch(origin, host, allowed, expected):
    assert origin_allowed(origin, host, allowed) is expected
