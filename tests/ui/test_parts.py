"""Several runs over one socket: a real server on a free port, and real clients."""

from __future__ import annotations

import json
import struct
from collections import defaultdict, deque
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

from gradnorm.runs.records import Outcome
from gradnorm.ui.live import parts, wire
from tests.factories import SPEC, step_records, wait_for
from tests.ui.test_live_route import TASKS, Server

# A whole server: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow


@pytest.fixture
def served(store):
    with Server(store) as server:
        yield server


def make(store, steps=5):
    run = store.create("a run", SPEC, TASKS, queued=False)
    store.append(run, step_records(1, steps))
    return run


class Page:
    """A page's end of the socket."""

    def __init__(self, socket):
        self.socket = socket
        self.kept = defaultdict(deque)

    @classmethod
    @contextmanager
    def open(cls, server):
        with connect(f"ws://{server.host}/live/several", open_timeout=30, max_queue=None) as socket:
            yield cls(socket)

    def say(self, part, **message):
        self.socket.send(json.dumps({"part": part, **message}))

    def hear(self):
        """Return part and message: a code for a part that is closed, rows for a block."""
        said = self.socket.recv(timeout=30)
        if isinstance(said, bytes):
            _, rows, _ = wire.read_block(said[4:])
            return struct.unpack("<I", said[:4])[0], rows
        part, _, message = said.partition(" ")
        return int(part), json.loads(message)

    def until(self, part, wanted):
        """Return the next message of a part that `wanted` accepts; those of other parts are kept."""
        while True:
            while self.kept[part]:
                if wanted(message := self.kept[part].popleft()):
                    return message
            found, message = self.hear()
            self.kept[found].append(message)


def of_type(name):
    return lambda message: isinstance(message, dict) and message["type"] == name


def is_rows(message):
    return not isinstance(message, dict | int)


def test_each_part_brings_its_run(served, store):
    runs = [make(store, steps) for steps in (3, 7)]
    with Page.open(served) as page:
        for part, run in enumerate(runs):
            page.say(part, run=run, since=0)
        for part, (run, steps) in enumerate(zip(runs, (3, 7), strict=True)):
            assert page.until(part, of_type("run"))["run"] == run
            assert len(page.until(part, is_rows)) == steps
        # What is new comes in the part of its run, and finer rows in the part that asked.
        store.append(runs[0], step_records(4, 6))
        assert page.until(0, is_rows)[-1, 0] == 6
        page.say(1, detail=[2, 4])
        assert list(page.until(1, is_rows)[:, 0]) == [2, 3, 4]
        assert served.hub().viewers(runs[0]) == served.hub().viewers(runs[1]) == 1


def test_a_part_ends_alone_and_its_number_can_be_used_again(served, store):
    runs = [make(store), make(store)]
    with Page.open(served) as page:
        page.say(0, run=runs[0], since=0)
        page.say(1, run="no such run", since=0)
        assert page.until(1, lambda message: message == 4404)
        page.say(1, run=runs[1], since=3)
        assert list(page.until(1, is_rows)[:, 0]) == [4, 5]
        page.say(1, close=True)
        wait_for(lambda: served.hub().viewers(runs[1]) == 0)
        assert served.hub().viewers(runs[0]) == 1
        store.end(runs[0], Outcome("finished", 5))
        assert page.until(0, lambda m: of_type("status")(m) and m["state"] == "finished")
    wait_for(lambda: served.hub().viewers(runs[0]) == 0)


def test_what_is_no_message_is_passed_over(served, store):
    run = make(store)
    with Page.open(served) as page:
        for odd in (
            "",
            "x",
            "[]",
            "3",
            '{"part": true}',
            '{"part": -1, "run": "r"}',
            '{"part": 4294967296, "run": "r"}',
        ):
            page.socket.send(odd)
        page.socket.send(json.dumps({"part": 1, "run": run, "more": "x" * 2000}))
        page.socket.send(b"\x00")
        page.socket.send('{"part": 2}')
        page.say(7, run=run, since=None)
        part, message = page.hear()
        assert (part, message["type"]) == (7, "run")
        assert len(page.until(7, is_rows)) == 5


def test_a_socket_has_a_limit_of_parts(served, store):
    run = make(store)
    with Page.open(served) as page:
        for part in range(parts.MOST_PARTS + 1):
            page.say(part, run=run, since=5)
        assert page.until(parts.MOST_PARTS, lambda message: message == parts.TOO_MANY)
        wait_for(lambda: served.hub().viewers(run) == parts.MOST_PARTS)


def test_a_foreign_page_gets_nothing(served, store):
    run = make(store)
    address = f"ws://{served.host}/live/several"
    with connect(address, open_timeout=30, origin="http://elsewhere.example") as socket:
        socket.send(json.dumps({"part": 0, "run": run, "since": 0}))
        assert socket.recv(timeout=30) == "0 4403"
