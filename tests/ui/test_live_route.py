"""The live socket and the downloads: a real server on a free port, and real clients."""

from __future__ import annotations

import asyncio
import io
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from threading import Thread

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gradnorm.runs.records import Checkpoint, Evaluation, Event, Outcome, columns
from gradnorm.runs.store import RunStore
from gradnorm.ui.live import wire
from gradnorm.ui.live.feed import Hub
from gradnorm.ui.live.routes import FOREIGN_ORIGIN, UNKNOWN_RUN, _catch_up, live_routes
from tests.factories import SPEC, evaluation, finished, rows_of, step_records, wait_for

# Whole runs, servers and commands: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

TASKS = ("left", "right")


class Server:
    """A server of one store on a loopback port, in a thread of its own."""

    def __init__(self, store, **options):
        self.store = store
        self._hubs = []
        app = Starlette(routes=live_routes(lambda: store, make_hub=self._make_hub, **options))
        config = uvicorn.Config(app, log_level="error", lifespan="off", ws="websockets-sansio")
        self._server = uvicorn.Server(config)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [self._listening]}, name="test server")

    def __enter__(self):
        self._thread.start()
        wait_for(lambda: self._server.started)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join(30)
        self._listening.close()
        assert not self._thread.is_alive()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def watch(self, run, query="", **options):
        """Open a socket on a run."""
        # With the default a client that stops listening would stop reading, and wait for the end in vain.
        options = {"open_timeout": 30, "max_queue": None, **options}
        return connect(f"ws://{self.host}/live/{run}{query}", **options)

    def get(self, path):
        return httpx.get(f"http://{self.host}{path}", timeout=60)

    def _make_hub(self, store):
        self._hubs.append(Hub(store))
        return self._hubs[-1]

    def hub(self):
        (hub,) = self._hubs
        return hub


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """One store for all tests here; each makes runs of its own."""
    store = RunStore(tmp_path_factory.mktemp("home"))
    yield store
    store.close()


@pytest.fixture(scope="module")
def server(store):
    with Server(store) as server:
        yield server


@pytest.fixture
def start(store):
    """Starts further servers, on a store of their own of the same home."""
    return lambda **options: Server(RunStore(store.home), **options)


@pytest.fixture
def run(store):
    return store.create("a run", SPEC, TASKS, queued=False)


@pytest.fixture
def over(store, run):
    """A run that has ended after 10 steps."""
    store.append(run, step_records(1, 10), [evaluation(0), evaluation(10)], 2.0)
    store.end(run, finished(10))
    return run


class Told:
    """What a client has been told, sorted by kind."""

    def __init__(self, client):
        self.client, self.messages, self.blocks = client, [], []
        self.hello, self.states, self.evaluations, self.status = None, [], [], None
        self.checkpoints, self.events = [], []

    def next(self, timeout=30):
        message = self.client.recv(timeout=timeout)
        self.messages.append(message)
        if isinstance(message, bytes):
            self.blocks.append(wire.read_block(message))
            return message
        body = json.loads(message, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        if body["type"] == "run":
            assert self.hello is None
            self.hello = body
        elif body["type"] == "evaluations":
            self.evaluations += [Evaluation.from_dict(row) for row in body["rows"]]
        elif body["type"] == "checkpoints":
            self.checkpoints.append(body["steps"])
        elif body["type"] == "events":
            self.events.append(body)
        else:
            assert body["type"] == "status"
            self.status = body
            if self.states[-1:] != [body["state"]]:
                self.states.append(body["state"])
        return body

    def until(self, done):
        """Listen until `done` of what was told."""
        end = time.monotonic() + 60
        while not done(self):
            assert time.monotonic() < end, self.messages[-3:]
            self.next()
        return self

    def until_step(self, step):
        return self.until(lambda told: told.steps()[-1:] == [step])

    def until_evaluation(self, step):
        return self.until(lambda told: told.evaluations and told.evaluations[-1].step == step)

    def rows(self, kind=wire.LIVE):
        parts = [rows for found, rows, _ in self.blocks if found == kind]
        return np.concatenate(parts) if parts else np.empty((0, 15), np.float32)

    def steps(self):
        return self.rows()[:, 0].astype(int).tolist()


@contextmanager
def writing(store, run, steps, *, first=1, size=3, seconds=0.001):
    """Append to a run from a thread while the body goes on."""

    def write():
        for start in range(first, steps + 1, size):
            last = min(start + size - 1, steps)
            store.append(run, step_records(start, last), [evaluation(last)] if last % 30 == 0 else [])
            time.sleep(seconds)
        store.close()

    thread = Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join(60)


def test_the_first_message_says_what_the_run_is(server, run, store):
    store.append(run, step_records(1, 3))
    with server.watch(run) as client:
        body = Told(client).next()
    assert body["type"] == "run"
    assert (body["run"], body["title"], body["columns"]) == (run, "a run", columns(2))
    assert [task["name"] for task in body["tasks"]] == list(TASKS)


def test_rows_come_in_order_without_gaps_while_they_are_written(server, store, run):
    store.append(run, step_records(1, 40))
    with server.watch(run) as client, writing(store, run, 400, first=41):
        told = Told(client).until_step(400)
    assert told.steps() == list(range(1, 401))
    assert len(told.blocks) > 2
    np.testing.assert_array_equal(told.rows(), store.read(run).rows)
    assert {every for _, _, every in told.blocks} == {1}


def test_evaluations_and_the_end_are_told(server, store, run):
    with server.watch(run) as client:
        told = Told(client)
        with writing(store, run, 90):
            told.until_step(90)
        store.end(run, Outcome("stopped", 90, "Enough."))
        told.until(lambda t: t.status and t.status["state"] == "stopped")
    assert [e.step for e in told.evaluations] == [30, 60, 90]
    assert told.evaluations == list(store.read(run).evaluations)
    assert (told.status["step"], told.status["message"]) == (90, "Enough.")
    assert told.states[-2:] == ["running", "stopped"]


def events_told(told):
    """Return what a page holds of a run's events after what it was told."""
    held = []
    for message in told.events:
        held = [*held[: message["known"]], *((row["step"], row["label"]) for row in message["rows"])]
    return held


def test_events_are_told_once_and_those_before_to_whoever_comes(server, store, run):
    store.append(run, step_records(1, 5), events=[Event(3, "alpha", 0.5, 1.0)])
    with server.watch(run) as client:
        told = Told(client).until(lambda t: t.events)
        store.append(run, step_records(6, 9), events=[Event(6, "alpha", 0.25, 2.0), Event(8, "paused", True, 3.0)])
        told.until(lambda t: len(events_told(t)) == 3)
    assert events_told(told) == [(3, "α 0.5"), (6, "α 0.25"), (8, "paused")]
    with server.watch(run, "?since=9") as client:
        again = Told(client).until(lambda t: t.events)
    assert events_told(again) == events_told(told)


def test_events_that_are_taken_back_leave_the_page(server, store, run):
    store.append(run, step_records(1, 9), events=[Event(3, "alpha", 0.5, 1.0), Event(8, "alpha", 0.25, 2.0)])
    with server.watch(run) as client:
        told = Told(client).until(lambda t: len(events_told(t)) == 2)
        store.rewind(run, 5, 5)
        told.until(lambda t: len(events_told(t)) == 1)
    assert events_told(told) == [(3, "α 0.5")]


def test_a_run_that_has_ended_is_told_whole(server, over, store):
    with server.watch(over) as client:
        told = Told(client).until(lambda t: t.evaluations and t.status and t.status["steps_per_second"])
    np.testing.assert_array_equal(told.rows(), store.read(over).rows)
    assert told.evaluations == [evaluation(0), evaluation(10)]
    assert (told.status["state"], told.status["message"], told.status["steps_per_second"]) == ("finished", "Done.", 5.0)


def test_coming_back_since_a_step_brings_nothing_twice(server, store, run):
    store.append(run, step_records(1, 50))
    with server.watch(run) as client:
        told = Told(client).until_step(50)
    held = told.steps()[-1]
    with writing(store, run, 200, first=51), server.watch(run, f"?since={held}") as client:
        again = Told(client).until_step(200)
    assert again.hello is not None
    assert told.steps() + again.steps() == list(range(1, 201))


@pytest.mark.parametrize("since", ["-1", "x", "", "1.5", "0"])
def test_a_since_that_is_no_step_starts_at_the_beginning(server, store, over, since):
    with server.watch(over, f"?since={since}") as client:
        assert Told(client).until_step(10).steps() == list(range(1, 11))


@pytest.mark.parametrize("since", ["10", "11", "99999999999999999999999"])
def test_a_since_at_or_beyond_the_end_brings_no_rows(server, over, since):
    with server.watch(over, f"?since={since}") as client:
        told = Told(client).until(lambda t: t.status and t.status["state"] == "finished" and t.evaluations)
    assert told.steps() == []


@pytest.mark.parametrize("since", ["%C2%B2", "9" * 5000], ids=["superscript", "5000 digits"])
def test_an_odd_since_is_no_server_error(server, over, since):
    with server.watch(over, f"?since={since}") as client:
        assert Told(client).next()["type"] == "run"


def test_two_viewers_get_the_same_bytes(server, store, run):
    with server.watch(run) as one, server.watch(run) as two:
        tellings = [Told(one), Told(two)]
        for told in tellings:
            told.until(lambda t: t.status is not None)
        wait_for(lambda: server.hub().viewers(run) == 2)
        time.sleep(0.5)  # both have been given what was there before
        with writing(store, run, 120):
            for told in tellings:
                told.until_step(120).until_evaluation(120)
    first, second = ([m for m in told.messages if isinstance(m, bytes)] for told in tellings)
    assert first == second
    assert [t.evaluations for t in tellings] == [[evaluation(s) for s in (30, 60, 90, 120)]] * 2


def test_a_viewer_who_comes_late_gets_everything(server, store, run):
    with server.watch(run) as one, writing(store, run, 300):
        Told(one).until(lambda t: len(t.steps()) > 30)
        with server.watch(run) as two:
            told = Told(two).until_step(300).until_evaluation(300)
    assert told.steps() == list(range(1, 301))
    assert [e.step for e in told.evaluations] == list(range(30, 301, 30))


def test_a_long_run_is_thinned_to_multiples_of_its_stride(server, store):
    run = store.create("long", {**SPEC, "steps": 20_000}, TASKS, queued=False)
    for first in range(1, 1001, 100):
        store.append(run, step_records(first, first + 99))
    with server.watch(run) as client:
        told = Told(client).until(lambda t: t.blocks)
        assert told.hello["stride"] == 8
        with writing(store, run, 1100, first=1001, size=5):
            told.until_step(1100)
    steps = told.steps()
    assert steps == sorted(set(steps))
    assert set(range(8, 1101, 8)) <= set(steps)
    assert len([s for s in steps if s <= 1000]) == 125
    stored = store.read(run).rows
    np.testing.assert_array_equal(told.rows(), stored[np.array(steps) - 1])


def test_queueing_running_and_pausing_are_told(server, store):
    first, second = (store.create("waits", SPEC, TASKS, queued=True) for _ in range(2))
    with server.watch(second) as client:
        told = Told(client).until(lambda t: t.status is not None)
        assert (told.status["state"], told.status["place"]) == ("queued", 2)
        store.withdraw(first)
        told.until(lambda t: t.status["place"] == 1)
        store.claim()
        told.until(lambda t: t.status["state"] == "running")
        store.set_paused(second, True)
        told.until(lambda t: t.status["state"] == "paused")
        store.set_paused(second, False)
        told.until(lambda t: t.status["state"] == "running")
    assert told.states == ["queued", "running", "paused", "running"]


def test_speed_and_time_left_are_told_while_it_runs(server, store, run):
    with server.watch(run) as client, writing(store, run, 300, size=1, seconds=0.004):
        told = Told(client).until(lambda t: t.status and t.status["steps_per_second"])
        speed, left = told.status["steps_per_second"], told.status["seconds_left"]
        assert 0 < speed < 300
        assert left == pytest.approx((SPEC["steps"] - told.status["step"]) / speed)
        told.until_step(300)


def test_checkpoints_are_told_at_first_and_when_there_are_others(server, store, run):
    store.checkpoints.write(run, Checkpoint(0, b"start"))
    store.append(run, step_records(1, 20))
    with server.watch(run) as client:
        told = Told(client).until(lambda t: t.status is not None)
        assert told.checkpoints == [[0]]
        with writing(store, run, 60, first=21, seconds=0.01):
            store.checkpoints.write(run, Checkpoint(20, b"later"))
            told.until_step(60)
        told.until(lambda t: t.checkpoints[-1] == [0, 20])
        # The last one of a run is told before its end, however soon it comes.
        store.checkpoints.write(run, Checkpoint(60, b"last"))
        store.end(run, finished(60))
        told.until(lambda t: t.status["state"] == "finished")
    assert told.checkpoints == [[0], [0, 20], [0, 20, 60]]
    with server.watch(run) as client:
        assert Told(client).until(lambda t: t.status is not None).checkpoints == [[0, 20, 60]]


def test_a_run_that_goes_on_from_its_checkpoint_is_told_without_gaps(server, store, run):
    store.append(run, step_records(1, 40), [evaluation(30), evaluation(40)])
    with server.watch(run) as one:
        first = Told(one).until_evaluation(40)
        store.rewind(run, 20, 20)
        first.until(lambda t: t.status and t.status["step"] == 20)
        with server.watch(run) as two:
            second = Told(two).until_step(20)
            with writing(store, run, 60, first=21, size=5):
                second.until_step(60).until_evaluation(60)
                first.until_step(60)
    assert second.steps() == list(range(1, 61))
    assert [e.step for e in second.evaluations] == [30, 60]
    assert first.steps() == [*range(1, 41), *range(21, 61)]


def test_a_fork_is_told_from_its_branching_point(server, store, over):
    store.checkpoints.write(over, Checkpoint(5, b"half"))
    run = store.create("a fork", SPEC, TASKS, queued=False, parent=over, forked_at=5)
    store.append(run, step_records(6, 9), [evaluation(5)])
    with server.watch(run) as client:
        told = Told(client).until_step(9).until_evaluation(5)
    assert (told.hello["parent"], told.hello["forked_at"]) == (over, 5)
    assert told.steps() == [6, 7, 8, 9]
    assert told.checkpoints == [[5]]


def ask(client, text):
    client.send(text)
    told = Told(client)
    told.until(lambda t: any(kind == wire.DETAIL for kind, _, _ in t.blocks))
    return next((rows, every) for kind, rows, every in told.blocks if kind == wire.DETAIL)


def test_details_are_given_on_request(server, store):
    run = store.create("long", {**SPEC, "steps": 20_000}, TASKS, queued=False)
    for first in range(1, 5001, 500):
        store.append(run, step_records(first, first + 499))
    with server.watch(run) as client:
        rows, every = ask(client, '{"detail": [101, 300]}')
        assert every == 1
        np.testing.assert_array_equal(rows, rows_of(step_records(101, 300)))
        rows, every = ask(client, '{"detail": [0, 5000]}')
        assert every == 8
        assert len(rows) <= wire.MOST_DETAIL
        assert rows[:, 0].tolist() == list(range(8, 5001, 8))
        rows, _ = ask(client, '{"detail": [9000, 9999]}')
        assert rows.shape == (0, 15)


def test_details_of_a_run_that_is_over_are_given(server, over):
    with server.watch(over) as client:
        Told(client).until(lambda t: t.status and t.status["state"] == "finished")
        time.sleep(0.5)
        assert ask(client, '{"detail": [3, 4]}')[0][:, 0].tolist() == [3, 4]


def test_a_long_message_closes_the_socket_before_it_is_read(server, over):
    with server.watch(over) as client:
        client.send('{"detail": [1, ' + "9" * 2000 + "]}")
        wait_for(lambda: client.close_code)
        assert client.close_code == 1009


@pytest.mark.parametrize(("wrong", "status", "text"), [(None, 200, "ok"), ("No disk.", 503, "No disk.")])
def test_health_is_that_of_the_lab(store, wrong, status, text):
    with Server(store, trouble=lambda: wrong) as server:
        answer = server.get("/live/health")
    assert (answer.status_code, answer.text) == (status, text)


NONSENSE = [
    "",
    "{",
    "[]",
    "null",
    "3",
    '{"detail": 3}',
    '{"detail": [1]}',
    '{"detail": [5, 1]}',
    '{"detail": ["a", 2]}',
]
NONSENSE += [
    '{"detail": [-5, 3]}',
    '{"detail": [1, 2, 3]}',
    '{"detail": [null, 2]}',
    '{"detail": [0, 1e300]}',
    '{"x": 1}',
]


def test_nonsense_is_passed_over(server, over):
    with server.watch(over) as client:
        for text in NONSENSE:
            client.send(text)
        assert ask(client, '{"detail": [3, 4]}')[0][:, 0].tolist() == [3, 4]


@pytest.mark.parametrize("message", [b"\x00\x01", '{"detail": [0, 1e999]}', "[" * 900], ids=["bytes", "inf", "deep"])
def test_odd_nonsense_is_passed_over_too(server, over, message):
    with server.watch(over) as client:
        client.send(message)
        assert ask(client, '{"detail": [3, 4]}')[0][:, 0].tolist() == [3, 4]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", "http://localhost"])
def test_a_foreign_page_is_refused_without_a_word(server, over, origin):
    with server.watch(over, origin=origin) as client, pytest.raises(ConnectionClosed) as caught:
        client.recv(timeout=30)
    assert caught.value.rcvd.code == FOREIGN_ORIGIN == 4403


def test_the_servers_own_page_is_let_in(server, over):
    with server.watch(over, origin=f"http://{server.host}") as client:
        assert Told(client).next()["type"] == "run"


def test_allowed_origins_are_let_in_and_others_are_not(start, over):
    with start(allowed_origins=["https://lab.example/"]) as server:
        with server.watch(over, origin="https://lab.example") as client:
            assert Told(client).next()["type"] == "run"
        with server.watch(over, origin="https://lab.example.evil") as client, pytest.raises(ConnectionClosed):
            client.recv(timeout=30)


def test_an_unknown_run_is_refused_with_a_reason(server):
    with server.watch("nope") as client, pytest.raises(ConnectionClosed) as caught:
        client.recv(timeout=30)
    assert caught.value.rcvd.code == UNKNOWN_RUN == 4404
    assert "nope" in caught.value.rcvd.reason


def test_routes_may_stand_under_a_base_path(start, over):
    with start(base="/lab/") as server:
        with connect(f"ws://{server.host}/lab/live/{over}", open_timeout=30) as client:
            assert Told(client).next()["type"] == "run"
        assert server.get(f"/lab/live/{over}/export/csv").status_code == 200
        assert server.get(f"/live/{over}/export/csv").status_code == 404


@contextmanager
def deaf(server, run):
    """A viewer that shakes hands and then never reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with closing(client):
        client.connect(("127.0.0.1", server.port))
        client.sendall(
            f"GET /live/{run} HTTP/1.1\r\nHost: {server.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert client.recv(12) == b"HTTP/1.1 101"
        yield


@pytest.mark.slow
def test_a_viewer_that_never_reads_stops_nobody(server, store):
    tasks = tuple(f"task {i}" for i in range(64))
    run = store.create("wide", {**SPEC, "tasks": 64, "steps": 4096}, tasks, queued=False)
    store.append(run, step_records(1, 2000, 64))  # 3 MB wait for the deaf viewer from the start
    with deaf(server, run), server.watch(run, max_size=None) as client:
        wait_for(lambda: server.hub().viewers(run) == 2)
        told = Told(client)
        for first in range(2001, 4096, 100):
            store.append(run, step_records(first, min(first + 99, 4096), 64))
            told.until_step(min(first + 99, 4096))
        assert told.steps() == list(range(1, 4097))
        store.end(run, finished(4096))
        told.until(lambda t: t.status["state"] == "finished")
    wait_for(lambda: server.hub().viewers(run) == 0)


def feed_tasks(server):
    hub = server.hub()
    return [task for task in asyncio.all_tasks(hub._loop) if "_forward" in repr(task) or "_answer" in repr(task)]


def test_nothing_is_left_when_viewers_leave(server, store, run):
    with server.watch(run) as warm:
        Told(warm).next()
    wait_for(lambda: server.hub().viewers(run) == 0)
    threads = {t for t in threading.enumerate() if not t.name.startswith("asyncio_")}
    with ExitStack() as stack:
        clients = [stack.enter_context(server.watch(run)) for _ in range(8)]
        for client in clients:
            Told(client).until(lambda t: t.status is not None)
        assert server.hub().viewers(run) == 8
        wait_for(lambda: len(feed_tasks(server)) == 16)
        for client in clients[::2]:
            client.close()
        wait_for(lambda: server.hub().viewers(run) == 4)
        for client in clients[1::2]:
            client.socket.shutdown(socket.SHUT_RDWR)  # as a browser that is killed
        wait_for(lambda: server.hub().viewers(run) == 0)
        wait_for(lambda: not feed_tasks(server))
    wait_for(lambda: {t for t in threading.enumerate() if not t.name.startswith("asyncio_")} <= threads)


def test_an_idle_viewer_who_leaves_is_noticed(server, over):
    with server.watch(over) as client:
        Told(client).until(lambda t: t.status and t.status["state"] == "finished")
        time.sleep(0.3)
    wait_for(lambda: not feed_tasks(server))


DISPOSITION = [
    ("csv", "csv", "text/csv"),
    ("parquet", "parquet", "application/vnd.apache.parquet"),
    ("json", "json", "application/json"),
    ("spec", "spec.json", "application/json"),
]


@pytest.mark.parametrize(("file_format", "ending", "media_type"), DISPOSITION)
def test_downloads_are_files_with_names(server, over, file_format, ending, media_type):
    answer = server.get(f"/live/{over}/export/{file_format}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{over}.{ending}"'
    assert answer.headers["content-type"].split(";")[0] == media_type


def test_downloads_hold_the_run(server, over, store):
    rows = store.read(over).rows
    csv, parquet, whole, spec = (
        server.get(f"/live/{over}/export/{name}").content for name in ("csv", "parquet", "json", "spec")
    )
    # Step 0 is the evaluation before the first step.
    assert [line.split(b",")[0] for line in csv.splitlines()] == [b'"step"', *(str(s).encode() for s in range(11))]
    table = pq.read_table(io.BytesIO(parquet))
    np.testing.assert_array_equal(np.array(table["weights.left"])[1:], rows[:, 3])
    assert [row["losses.right"] for row in json.loads(whole)["steps"]] == rows[:, 10].tolist()
    assert json.loads(spec) == SPEC


def test_a_large_download_comes_whole(server, store):
    run = store.create("large", {**SPEC, "steps": 40_000}, TASKS, queued=False)
    for first in range(1, 40_001, 4000):
        store.append(run, step_records(first, first + 3999))
    lines = server.get(f"/live/{run}/export/csv").content.splitlines()
    assert [int(line.split(b",")[0]) for line in lines[1:]] == list(range(1, 40_001))


@pytest.mark.parametrize("path", ["{run}/export/xls", "{run}/export/", "nope/export/csv", "nope/export/spec"])
def test_an_unknown_download_is_not_found(server, over, path):
    assert server.get(f"/live/{path.format(run=over)}").status_code == 404
    message = server.get(f"/live/{over}/export/xls").text
    assert message == "The format should be one of csv, parquet, json, python, tensorboard, spec. Found 'xls'."


def test_assets_are_served_and_nothing_else(server):
    assert server.get("/live/static/style.css").status_code == 200
    assert server.get("/live/static/../pyproject.toml").status_code == 404
    assert server.get("/live/static/%2e%2e/pyproject.toml").status_code == 404


def test_a_page_that_goes_during_the_handshake_is_no_fault():
    class Gone:
        async def send_text(self, text):
            raise RuntimeError("Expected ASGI message 'websocket.accept'")

    # In a thread of its own: after the browser's tests the main one has a loop running.
    with ThreadPoolExecutor(1) as pool, pytest.raises(WebSocketDisconnect):
        pool.submit(lambda: asyncio.run(_catch_up(Gone(), ["hello"]))).result()
