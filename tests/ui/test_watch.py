"""The watch page and what it is made of: routes in this process, a shelf of real files, many viewers in turns."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Thread

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from gradnorm.config.spec import RunSpec
from gradnorm.runs.faults import StoreError
from gradnorm.ui import serving
from gradnorm.ui.live import watch, wire
from gradnorm.ui.live.feed import SLICE, Feed
from gradnorm.ui.live.routes import live_routes
from gradnorm.ui.live.shelf import Shelf
from gradnorm.ui.live.viewers import LONGEST_PAUSE, SENDS_PER_SECOND, Turns
from tests.factories import TINY, evaluation, finished, step_records, wait_for


def awaited(coroutine):
    """Run something to its end. In a thread of its own: after the browser's tests the main one has a loop running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


class Client:
    """Asks routes in this process. What comes packed is left packed in `raw`."""

    def __init__(self, routes):
        self._app = Starlette(routes=routes)

    def get(self, path, **headers):
        return awaited(self._get(path, {name.replace("_", "-"): value for name, value in headers.items()}))

    async def _get(self, path, headers):
        transport = httpx.ASGITransport(self._app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://lab") as client,
            client.stream("GET", path, headers=headers) as answer,
        ):
            raw = b"".join([part async for part in answer.aiter_raw()])
        packed = answer.headers.get("content-encoding") == "gzip"
        return Answer(answer.status_code, answer.headers, raw, gzip.decompress(raw) if packed else raw)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: httpx.Headers
    raw: bytes
    content: bytes

    @property
    def text(self):
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


@pytest.fixture
def client(store):
    return Client(live_routes(lambda: store))


@pytest.fixture
def race(store):
    specs = [RunSpec.parse({**TINY, "method": method}) for method in ("gradnorm", "equal")]
    return store.create_race([(spec.title, spec.flat()) for spec in specs], specs[0].dataset.task_names, queued=False)


def end(store, run):
    """Let a run end after 10 steps."""
    store.append(run, step_records(1, 10), [evaluation(0), evaluation(10)], 2.0)
    store.end(run, finished(10))


def test_the_page_of_a_run_is_one_file_that_names_all_it_needs(client, store, race):
    answer = client.get(f"/watch/{race[0]}")
    assert answer.status == 200
    assert f'data-run="{race[0]}"' in answer.text
    assert f"<title>{store.info(race[0]).title}</title>" in answer.text
    needed = re.findall(r'(?:href|src)="\.\.(/live/static/[^"]+)"', answer.text)
    assert {path.rpartition("/")[2] for path in needed} >= {"panel.js", "chart.js", "page.js", "page.css", "theme.css"}
    for path in needed:
        file = client.get(path)
        assert file.status == 200
        assert "immutable" in file.headers["cache-control"]


def test_no_script_and_no_sheet_may_stand_in_the_page_itself(client, race, monkeypatch):
    monkeypatch.setenv("GRADNORM_FRAMES", "https://school.example")
    answer = client.get(f"/watch/{race[0]}")
    rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == "https://school.example"
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=", answer.text)


def test_the_page_speaks_the_language_that_the_browser_asks_for(client, race):
    address = f"/watch/{race[0]}"
    asked = {"accept_language": "de-AT,de;q=0.9,en;q=0.8"}
    german = client.get(address, **asked)
    assert '<html lang="de">' in german.text
    assert "Sie sehen zu, wie ein Netz mehrere Tasks zugleich lernt." in german.text
    assert '<html lang="en">' in client.get(f"{address}?lang=en", **asked).text
    assert '<html lang="en">' in client.get(address).text
    folder = re.search(r"/live/static/\w+", german.text).group()
    table = client.get(f"{folder}/words/de.json")
    assert "immutable" in table.headers["cache-control"]
    assert table.json()["Waiting for the first step"] == "Wartet auf den ersten Schritt"
    assert "Vielleicht wurde er gelöscht." in client.get("/live/nope/about?lang=de").text


def test_a_title_is_text_and_no_part_of_the_page(client, store):
    run = store.create('<img src=x onerror="alert(1)">', TINY, ("a", "b"), queued=True)
    assert "<img src=x" not in client.get(f"/watch/{run}").text


def test_an_unknown_run_is_not_found_and_the_page_says_so(client):
    answer = client.get("/watch/<nope>")
    assert answer.status == 404
    assert "There is no run at this address." in answer.text
    assert 'data-run=""' in answer.text
    assert "modulepreload" not in answer.text
    assert client.get("/live/nope/about").status == 404


def test_a_home_that_cannot_be_read_is_said_on_the_page():
    def broken():
        raise StoreError("The home should be there.")

    client = Client(live_routes(broken))
    for path in ("/watch/a", "/live/a/about"):
        answer = client.get(path)
        assert answer.status == 503
        assert "The home should be there." in answer.text


def test_under_a_base_path_the_page_finds_its_files(store, race):
    client = Client(live_routes(lambda: store, "/lab/"))
    page = client.get(f"/lab/watch/{race[0]}")
    assert page.status == 200
    (script,) = re.findall(r'<script type="module" src="\.\.([^"]+)"', page.text)
    assert client.get(f"/lab{script}").status == 200
    assert client.get(f"/lab/live/{race[0]}/about").status == 200
    assert client.get(f"/watch/{race[0]}").status == 404


def test_the_page_hears_of_the_whole_race_and_at_the_end_of_the_verdict(client, store, race, monkeypatch):
    monkeypatch.setattr(watch, "KEPT", 0.0)
    first, second = race
    told = client.get(f"/live/{first}/about").json()
    assert [(each["run"], each["label"]) for each in told["runs"]] == [
        (first, "GradNorm α 0.12"),
        (second, "Equal weights"),
    ]
    assert (told["state"], told["verdict"]) == ("running", None)
    end(store, first)
    end(store, second)
    told = client.get(f"/live/{first}/about").json()
    assert told["state"] == "finished"
    assert "GradNorm α 0.12" in told["verdict"]["head"]


def test_a_class_that_asks_at_once_is_answered_by_one_look(store, race, monkeypatch):
    looks = []
    about = watch._about
    monkeypatch.setattr(watch, "_about", lambda *asked: looks.append(asked) or about(*asked))

    async def ask():
        abouts = watch.Abouts(store)
        return await asyncio.gather(*(abouts.of(race[0]) for _ in range(300)))

    assert len(set(awaited(ask()))) == 1
    assert len(looks) == 1


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr("gradnorm.ui.live.shelf.LOOK", 0.0)
    folder = tmp_path / "assets"
    (folder / "live").mkdir(parents=True)
    (folder / "live" / "a.js").write_text("export const a = 1;\n" * 50)
    (folder / "b.png").write_bytes(b"\x89PNG")
    (tmp_path / "secret").write_text("secret")
    return Shelf(folder, {"made.css": lambda: ":root {}"})


@pytest.fixture
def files(shelf):
    return Client([Route("/static/{path:path}", shelf.answer)])


def test_under_its_version_a_file_is_kept_for_good_and_else_asked_for_again(shelf, files):
    kept = files.get(f"/static/{shelf.version}/live/a.js")
    assert "immutable" in kept.headers["cache-control"]
    for path in ("live/a.js", "0123456789ab/live/a.js"):  # the second of a page of before an upgrade
        asked = files.get(f"/static/{path}")
        assert asked.text == kept.text
        assert asked.headers["cache-control"] == "no-cache"
        again = files.get(f"/static/{path}", if_none_match=asked.headers["etag"])
        assert (again.status, again.content) == (304, b"")


def test_texts_are_packed_for_those_who_can_unpack_them(shelf, files):
    answer = files.get("/static/live/a.js", accept_encoding="gzip")
    assert answer.headers["content-type"].startswith("text/javascript")
    plain = files.get("/static/live/a.js", accept_encoding="identity")
    assert len(answer.raw) < len(plain.raw)
    assert answer.content == plain.content
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in files.get("/static/b.png").headers


def test_a_file_that_changes_changes_the_version(shelf, files, tmp_path):
    before = shelf.version
    assert shelf.names("live", ".js") == ["live/a.js"]
    (tmp_path / "assets" / "live" / "a.js").write_text("export const a = 2;\n")
    assert shelf.version != before
    assert "a = 2" in files.get("/static/live/a.js").text


@pytest.mark.parametrize("path", ["nope.js", "live", "", "../secret", "live/../../secret", "%2e%2e/secret"])
def test_nothing_but_the_files_of_the_shelf_is_served(files, path):
    assert files.get(f"/static/{path}").status == 404


def test_many_viewers_wait_for_their_turn_but_not_for_long():
    turns = Turns()
    assert turns.after(1) == pytest.approx(1 / SENDS_PER_SECOND, rel=0.01)
    turns = Turns()
    assert turns.after(100) == pytest.approx(100 / SENDS_PER_SECOND, rel=0.01)
    # Another feed of the same server waits for both.
    assert turns.after(100) == pytest.approx(200 / SENDS_PER_SECOND, rel=0.01)
    assert turns.after(10_000) == pytest.approx(LONGEST_PAUSE)


def test_what_a_class_missed_is_read_once_and_again_after_it_was_taken_back(store):
    run = store.create("a run", {**TINY, "steps": 20_000}, ("a", "b"), queued=False)
    for first in range(1, SLICE + 101, 1000):
        store.append(run, step_records(first, min(first + 999, SLICE + 100)))
    feed = Feed(store, store.info(run), lambda _: {})

    def rows():
        blocks = [each for each in feed.missed(0, SLICE + 100, -1) if isinstance(each, bytes)]
        return blocks, [wire.read_block(each)[1][-1, 0] for each in blocks]

    first, steps = rows()
    assert steps == [SLICE, SLICE + 100]
    second, _ = rows()
    assert first == second
    assert first[0] is second[0]
    # In the middle of a slice a viewer that comes back begins where it was.
    (rest, *_) = [each for each in feed.missed(SLICE - 10, SLICE + 100, -1) if isinstance(each, bytes)]
    assert len(wire.read_block(rest)[1]) < 11


def test_small_packets_of_a_socket_that_was_handed_over_are_sent_at_once(monkeypatch):
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = uvicorn.Server(uvicorn.Config(Starlette(), log_level="error", lifespan="off"))
    monkeypatch.setattr(serving, "server", lambda: server)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        awaited(serving.send_at_once())
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert wait_for(lambda: httpx.get(f"http://127.0.0.1:{listening.getsockname()[1]}/").status_code) == 404
    finally:
        server.should_exit = True
        thread.join(30)
        listening.close()
