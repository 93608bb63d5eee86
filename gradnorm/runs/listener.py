"""The ear of a `Recorder`: a thread reads what pages ask of the script, which takes it where it calls the recorder."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

from gradnorm.runs.background_writer import BackgroundWriter
from gradnorm.runs.knobs import Knob, Steering
from gradnorm.runs.records import Checkpoint
from gradnorm.runs.records import Event as RunEvent
from gradnorm.runs.store import RunStore
from gradnorm.runs.wishes import Wish

log = logging.getLogger(__name__)

# Seconds between two looks: a slider feels live, and ten looks a second cost a script nothing that can be measured.
LOOK_SECONDS = 0.1


class StoppedError(Exception):
    """Somebody has stopped the run from a page. A `with Recorder(…)` block ends by it, and the script goes on after it.

    steps: how many were logged.
    """

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        self.steps = steps

    def __str__(self) -> str:
        return (
            f"A script should end when it is stopped from a page. Found it stopped after {self.steps:,} steps. "
            "Train in a `with Recorder(…)` block, which ends by this, or loop `while not recorder.stopped`."
        )


class Listener:
    """What pages ask of a script that records a run, taken on the thread that trains.

    checkpoint: gives the state of the training as bytes, when a page asks for it.
    knobs, values: the declared knobs, and what each is now.  stopped: whether a page has asked for the end.
    """

    def __init__(
        self, store: RunStore, run: str, post: BackgroundWriter, checkpoint: Callable[[], bytes] | None
    ) -> None:
        self.knobs: dict[str, Knob] = {}
        self.values: dict[str, Any] = {}
        self.stopped = False
        self._store, self._run, self._post, self._checkpoint = store, run, post, checkpoint
        self._paused = False
        self._wishes: deque[Wish] = deque()
        self._come, self._closing = Event(), Event()
        self._thread = Thread(target=self._serve, name=f"gradnorm-ear-{run}", daemon=True)
        self._thread.start()

    @property
    def steering(self) -> Steering:
        """What pages may do."""
        return Steering(self.knobs, self._checkpoint is not None)

    def declare(self, knobs: Mapping[str, Knob]) -> None:
        """Add knobs, each with its first value."""
        self.knobs |= knobs
        self.values |= {name: knob.value for name, knob in knobs.items()}

    def obey(self, steps: int) -> None:
        """Take what has come after `steps` steps, and wait while the run is paused; costs nothing if nothing came."""
        while self._come.is_set() or (self._paused and not self.stopped):
            self._come.wait()
            self._come.clear()
            while self._wishes:
                self._take(self._wishes.popleft(), steps)

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._thread.join()

    def _take(self, wish: Wish, steps: int) -> None:
        if self._paused:
            self._post.skip_pause()
        if wish.key == "stopped":
            self.stopped = True
        elif wish.key == "paused":
            self._pause(wish.value, steps)
        elif wish.key == "checkpoint":
            self._keep(steps)
        elif wish.key in self.knobs:
            value = self.values[wish.key] = self.knobs[wish.key].checked(wish.key, wish.value)
            self._tell(steps, wish.key, value)

    def _tell(self, steps: int, key: str, value: Any) -> None:
        self._post.put(RunEvent(steps + 1, key, value, time.time()))

    def _pause(self, paused: bool, steps: int) -> None:
        if paused != self._paused:
            self._paused = paused
            self._tell(steps, "paused", paused)
        try:
            if paused:
                self._post.flush()  # who pauses wants to see all that came before
            self._store.set_paused(self._run, paused)
        except Exception as error:
            log.warning("Run %s is %s, which could not be written: %s.", self._run, _word(paused), error)

    def _keep(self, steps: int) -> None:
        """Keep a checkpoint. Training goes on without one that fails: the log and the chart say so."""
        assert self._checkpoint is not None
        try:
            payload = self._checkpoint()
            if not isinstance(payload, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"checkpoint should return bytes. Found {type(payload).__name__}. Use torch.save")
            self._post.flush()  # a checkpoint comes after its records
            self._store.checkpoints.write(self._run, Checkpoint(steps, payload))
            self._tell(steps, "checkpoint", True)
        except Exception as error:
            log.warning("No checkpoint of run %s after step %s: %s.", self._run, f"{steps:,}", error)
            self._tell(steps, "checkpoint", False)

    def _serve(self) -> None:
        version, last = -1, 0
        while not self._closing.wait(LOOK_SECONDS):
            try:
                newest = self._store.version()
                wishes = self._store.wishes.since(self._run, last) if newest != version else []
                version = newest
            except Exception as error:  # a home that is out of reach for a while must not end the listening
                log.debug("What pages ask of run %s cannot be read now: %s.", self._run, error)
                continue
            if wishes:
                last = wishes[-1].number
                self._wishes.extend(wishes)
                self._come.set()
        self._store.close()


def _word(paused: bool) -> str:
    return "paused" if paused else "going on"
