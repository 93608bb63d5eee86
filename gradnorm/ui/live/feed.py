"""One feed a watched run: read the store once a tick, encode once, hand the same bytes to every viewer."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import Event, RunInfo
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.ui.live import wire
from gradnorm.ui.live.viewers import Message, Turns, Viewer

# What was asked of a run while it trains: the newest value of each option that was changed.
Asked = Callable[[str], Mapping[str, Any]]

# Writes of this process wake a feed at once; those of other processes are looked for this often, and less
# often while nothing comes.
TICK = 0.05
IDLE_TICK = 0.2
STATUS_SECONDS = 0.25
# How often a run's checkpoints are looked for: a directory listing.
CHECKPOINT_SECONDS = 1.0
SPEED_WINDOW = 2.0
SLICE = 8192
# A feed outlives its last viewer by this much: a page that is reloaded finds it running.
GRACE = 10.0


class Feed:
    """A run as its viewers see it. Lives while there are viewers and the run goes on."""

    def __init__(self, store: RunStore, info: RunInfo, asked: Asked, turns: Turns | None = None) -> None:
        self.run = info.run
        self._store, self._asked, self._turns = store, asked, turns or Turns()
        self._sent, self._pause = 0, 0.0
        self._slices: dict[int, Message] = {}
        self._viewers: set[Viewer] = set()
        self._every = wire.stride(info.total or info.steps)
        self._cursor = info.steps
        self._evaluated = -1
        self._known_events = 0
        self._info = info
        self._speeds: deque[tuple[float, int]] = deque()
        self._last_status = ""
        self._status_at = 0.0
        self._told: tuple[str, Mapping[str, Any]] = ("", {})
        self._checkpoints = store.checkpoints.steps(info.run)
        self._listed_at = 0.0
        self._written = asyncio.Event()
        self.ended = False

    @property
    def viewers(self) -> int:
        """How many pages watch the run."""
        return len(self._viewers)

    def add(self, viewer: Viewer) -> tuple[int, int]:
        """Add a viewer; return the steps up to which rows and evaluations will not come by its queue."""
        self._viewers.add(viewer)
        return self._cursor, self._evaluated

    def wake(self) -> None:
        """Look at the store now."""
        self._written.set()

    def leave(self, viewer: Viewer) -> None:
        """Remove a viewer."""
        self._viewers.discard(viewer)

    async def tick_until_over(self) -> None:
        """Serve the viewers until the run has ended, it is deleted, or nobody has looked for a while."""
        version, changed, watched = -1, 0.0, time.monotonic()
        while time.monotonic() - watched < GRACE:
            now = time.monotonic()
            watched = now if self._viewers else watched
            self._written.clear()
            try:
                newest = self._store.version()
                if newest != version:
                    version, changed = newest, now
                # A run that is held writes nothing, and can be steered all the same.
                if changed == now or now - self._status_at > 1 or self._asked(self.run) != self._told[1]:
                    self._tick()
            except (UnknownRunError, StoreError):  # deleted; or damaged or gone, which the page says
                break
            if self._info.ended:
                break
            # To look costs about as much as to send, and each write wakes the feeds of all runs.
            self._pause, self._sent = self._turns.after(max(1, self._sent)), 0
            await asyncio.sleep(self._pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._written.wait(), TICK if now - changed < 1 else IDLE_TICK)
        self.ended = True
        for viewer in self._viewers:
            viewer.put(None)

    def _tick(self) -> None:
        snapshot = self._store.read(
            self.run, self._cursor, evaluated_since=self._evaluated, known_events=self._known_events
        )
        if snapshot.info.spec != self._info.spec:
            # A recorded run says what it measures as it comes to it: described again, with its evaluations.
            self._send(wire.hello(snapshot.info))
            snapshot = self._store.read(self.run, self._cursor, evaluated_since=-1, known_events=self._known_events)
        self._info = snapshot.info
        self._tell_events(snapshot.events)
        # A run that goes on was taken back to its checkpoint: what comes again is sent again.
        if self._info.steps < self._cursor:
            self._slices = {}
        self._cursor = min(self._cursor, self._info.steps)
        self._evaluated = min(self._evaluated, self._info.steps)
        if len(snapshot.rows):
            self._cursor = int(snapshot.rows[-1, 0])
            self._send(wire.block(wire.LIVE, wire.thin(snapshot.rows, self._every), self._every))
        if snapshot.evaluations:
            self._evaluated = snapshot.evaluations[-1].step
            self._send(wire.evaluations(snapshot.evaluations))
        self._tell_checkpoints()
        self._tell_status()

    def _tell_events(self, events: Sequence[Event]) -> None:
        known = self._known_events
        if self._info.steps < self._cursor:
            # The run was taken back to its checkpoint, and perhaps events with it: all are told once more.
            known, events = 0, self._store.read(self.run, self._cursor).events
        elif not events:
            return
        self._send(wire.events(self._info, events, known))
        self._known_events = known + len(events)

    def _tell_checkpoints(self) -> None:
        now = time.monotonic()
        if now - self._listed_at < CHECKPOINT_SECONDS and not self._info.ended:
            return
        self._listed_at = now
        steps = self._store.checkpoints.steps(self.run)
        if steps != self._checkpoints:
            self._checkpoints = steps
            self._send(wire.checkpoints(steps))

    def _tell_status(self) -> None:
        now = time.monotonic()
        speed = self._speed(now)
        here = self._info.state, self._asked(self.run)
        # With many viewers each message counts; rows tell the step, too.
        if here == self._told and now - self._status_at < STATUS_SECONDS + 4 * self._pause:
            return
        self._status_at, self._told = now, here
        message = wire.status(self._info, speed, here[1])
        if message != self._last_status:
            self._last_status = message
            self._send(message)

    def _speed(self, now: float) -> float | None:
        """Return steps a second over the last two seconds; None while nothing moves."""
        if self._info.state != "running":
            self._speeds.clear()
            return self._info.steps / self._info.seconds if self._info.ended and self._info.seconds else None
        self._speeds.append((now, self._info.steps))
        while len(self._speeds) > 2 and now - self._speeds[0][0] > SPEED_WINDOW:
            self._speeds.popleft()
        (t0, s0), (t1, s1) = self._speeds[0], self._speeds[-1]
        return round((s1 - s0) / (t1 - t0), 1) if t1 - t0 > 0.2 and s1 > s0 else None

    def missed(self, since: int, cursor: int, evaluated: int) -> Iterator[Message]:
        """Yield what a viewer that holds step `since` lacks up to what `add` returned."""
        info = self._store.info(self.run)
        yield wire.hello(info)
        while since < cursor:
            until = min(cursor, since - since % SLICE + SLICE)
            yield self._slice(since, until)
            since = until
        # Evaluations are few: a viewer that comes back gets them all, and keeps those it lacks.
        snapshot = self._store.read(self.run, cursor, evaluated_since=-1)
        held = [each for each in snapshot.evaluations if each.step <= evaluated]
        if held:
            yield wire.evaluations(held)
        if snapshot.events or since:
            yield wire.events(info, snapshot.events, 0)
        yield wire.checkpoints(self._store.checkpoints.steps(self.run))
        yield wire.status(info, None, self._asked(self.run))

    def _slice(self, since: int, until: int) -> Message:
        """Return the rows after step `since`. Whole slices are kept: a class that comes together asks for the same."""
        if since in self._slices and until - since == SLICE:
            return self._slices[since]
        rows = self._store.read(self.run, since, until).rows
        block = wire.block(wire.LIVE, wire.thin(rows, self._every), self._every)
        if until - since == SLICE:
            self._slices[since] = block
        return block

    def _send(self, message: Message) -> None:
        self._sent += len(self._viewers)
        for viewer in self._viewers:
            viewer.put(message)


class Hub:
    """All feeds of this server, one for each run that is being watched. Made inside the server's event loop.

    asked: says what was asked of a run that trains here.
    """

    def __init__(self, store: RunStore, asked: Asked = lambda _: {}) -> None:
        self.store, self._asked = store, asked
        self._feeds: dict[str, Feed] = {}
        self._turns = Turns()
        # Runs that were there at the store's version that was seen last.
        self._seen, self._there = -1, set[str]()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        store.listen(self._written)

    @asynccontextmanager
    async def watch(self, run: str, since: int) -> AsyncGenerator[tuple[Viewer, list[Message]]]:
        """Join a run's feed; give what was missed since step `since`, and leave at the end.

        Raises UnknownRunError.
        """
        feed = self._feeds.get(run)
        if feed is None or feed.ended:
            feed = self._feeds[run] = Feed(self.store, self.store.info(run), self._asked, self._turns)
            task = asyncio.create_task(self._serve(feed))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        viewer = Viewer()
        cursor, evaluated = feed.add(viewer)
        try:
            yield viewer, await asyncio.to_thread(lambda: list(feed.missed(since, cursor, evaluated)))
        finally:
            feed.leave(viewer)

    def viewers(self, run: str) -> int:
        """Return how many pages watch a run."""
        feed = self._feeds.get(run)
        return 0 if feed is None or feed.ended else feed.viewers

    async def deleted(self, run: str) -> None:
        """Return once there is no run of this id. What one viewer's look has found, it has found for all."""
        while True:
            try:
                newest = self.store.version()
                if newest != self._seen:
                    self._seen, self._there = newest, set()
                if run not in self._there:
                    self.store.info(run)
                    self._there.add(run)
            except UnknownRunError:
                return
            except StoreError:  # the page says what is wrong with the home
                pass
            await asyncio.sleep(1)

    def detail(self, run: str, first: int, last: int) -> bytes:
        """Return the rows of steps first … last, thinned only if there are too many for a screen."""
        every = wire.stride(max(1, last - first + 1), wire.MOST_DETAIL)
        rows = self.store.read(run, max(0, first - 1), last).rows
        return wire.block(wire.DETAIL, wire.thin(rows, every), every)

    def _written(self) -> None:
        """Wake the feeds; called on the thread that wrote, after the server has stopped too."""
        if self._feeds:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for feed in self._feeds.values():
            feed.wake()

    async def _serve(self, feed: Feed) -> None:
        try:
            await feed.tick_until_over()
        finally:
            feed.ended = True
            if self._feeds.get(feed.run) is feed:
                del self._feeds[feed.run]
