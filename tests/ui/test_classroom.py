"""Classes: what they remember and forget, and the socket by which pages follow them."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.applications import Starlette

from gradnorm.ui.lesson import classroom
from gradnorm.ui.lesson.class_route import FOREIGN_ORIGIN, NO_CLASS, class_routes
from gradnorm.ui.lesson.classroom import ClassroomError, Classrooms


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rooms(clock):
    return Classrooms(clock)


def test_a_student_counts_once_at_each_step(rooms):
    code, _ = rooms.open("alpha")
    for student, value in (("a", 0.5), ("b", 2.0), ("a", 2.0)):
        rooms.put(code, student, "alpha", value=value)
    rooms.put(code, "a", "norms", value=10.0, guess=1)
    assert rooms.values(code, "alpha") == {2.0: 2}
    assert rooms.values(code, "norms") == {10.0: 1}
    assert rooms.guesses(code, "norms") == {1: 1}
    assert rooms.guesses(code, "alpha") == {}


def test_only_the_teacher_leads_and_ends(rooms):
    code, token = rooms.open("data")
    assert not rooms.lead(code, "someone", "alpha")
    rooms.end(code, "ä")
    assert rooms.step(code) == "data"
    assert rooms.lead(code, token, "alpha")
    assert rooms.step(code) == "alpha"
    rooms.end(code, token)
    assert rooms.step(code) is None
    assert not rooms.lead(code, token, "alpha")


@pytest.mark.parametrize("code", ["", "NOONE", "ä" * 100])
def test_an_unknown_class_is_no_error(rooms, code):
    rooms.put(code, "a", "alpha", value=1.0)
    with rooms.following(code):
        assert (rooms.step(code), rooms.here(code)) == (None, 0)
    assert rooms.values(code, "alpha") == {}


def test_a_class_without_its_teacher_is_over_in_time(rooms, clock):
    (left, _), (led, token) = rooms.open("data"), rooms.open("data")
    clock.now = classroom.IDLE / 2
    rooms.lead(led, token, "alpha")
    clock.now = 1.2 * classroom.IDLE
    assert (rooms.step(left), rooms.step(led)) == (None, "alpha")


def test_there_is_room_for_so_many_classes_and_students(rooms, clock, monkeypatch):
    monkeypatch.setattr(classroom, "MOST_CLASSES", 2)
    monkeypatch.setattr(classroom, "MOST_STUDENTS", 3)
    code, _ = rooms.open("data")
    for i in range(5):
        rooms.put(code, str(i), "data", value=1.0)
    rooms.put(code, "0", "data", value=2.0)
    assert rooms.values(code, "data") == {1.0: 2, 2.0: 1}
    rooms.open("data")
    with pytest.raises(ClassroomError, match="At most 2 classes"):
        rooms.open("data")
    clock.now = 2 * classroom.IDLE
    rooms.open("data")


class Page:
    """A page of a class, as an ASGI server sees it: it connects, hears, says, and goes."""

    def __init__(self, rooms: Classrooms, code: str, origin: str = "") -> None:
        headers = [(b"host", b"lab"), *([(b"origin", origin.encode())] if origin else [])]
        scope = {"type": "websocket", "path": f"/live/class/{code}", "headers": headers, "query_string": b""}
        self.heard: list[str] = []
        self.closed: int | None = None
        self.says: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self.says.put_nowait({"type": "websocket.connect"})
        app = Starlette(routes=class_routes(rooms=rooms))
        self.task = asyncio.create_task(app(scope, self.says.get, self._send))

    async def _send(self, message) -> None:
        if message["type"] == "websocket.send":
            self.heard.append(json.loads(message["text"])["step"])
        elif message["type"] == "websocket.close":
            self.closed = message["code"]

    async def leave(self) -> None:
        self.says.put_nowait({"type": "websocket.disconnect", "code": 1001})
        await self.task


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


def test_a_page_follows_until_the_class_is_over(rooms):
    async def lecture() -> None:
        code, token = rooms.open("data")
        page = Page(rooms, code)
        await until(lambda: page.heard == ["data"])
        assert rooms.here(code) == 1
        page.says.put_nowait({"type": "websocket.receive", "text": "nonsense"})
        page.says.put_nowait({"type": "websocket.receive", "bytes": b"\xff" * 1000})
        rooms.lead(code, token, "alpha")
        await until(lambda: page.heard == ["data", "alpha"])
        rooms.end(code, token)
        await page.task
        assert page.closed == NO_CLASS

    asyncio.run(lecture())


@pytest.mark.parametrize(("code", "origin", "reason"), [("NOONE", "", NO_CLASS), ("", "http://evil", FOREIGN_ORIGIN)])
def test_a_page_that_may_not_follow_is_told_why(rooms, code, origin, reason):
    async def lecture() -> None:
        page = Page(rooms, code or rooms.open("data")[0], origin)
        await page.task
        assert (page.heard, page.closed) == ([], reason)

    asyncio.run(lecture())


def test_300_pages_hear_of_each_step_and_leave_nothing_behind(rooms):
    async def lecture() -> None:
        code, token = rooms.open("data")
        pages = [Page(rooms, code) for _ in range(300)]
        await until(lambda: all(page.heard == ["data"] for page in pages))
        assert rooms.here(code) == 300
        rooms.lead(code, token, "alpha")
        await until(lambda: all(page.heard == ["data", "alpha"] for page in pages))
        for page in pages:
            await page.leave()
        assert rooms.here(code) == 0

    asyncio.run(lecture())
