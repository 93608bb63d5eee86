"""The threads that train: each takes the first run of the queue, trains it, and takes the next."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import closing
from functools import partial
from threading import Event, Lock, Semaphore, Thread

from gradnorm.common.texts import filled
from gradnorm.lab.endings import Endings
from gradnorm.lab.engine import Engine
from gradnorm.lab.run_writer import failed
from gradnorm.runs.background_writer import BEAT_SECONDS
from gradnorm.runs.database import PASSING
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import Outcome, RunInfo
from gradnorm.runs.store import RunStore
from gradnorm.training.control import Control

log = logging.getLogger(__name__)

# How long an idle worker waits before it looks whether another process has queued a run.
IDLE_SECONDS = 1.0


class _Slot:
    """A worker's turn to train. There are as many as workers are wanted; a run that is held gives its own away."""

    def __init__(self, free: Semaphore) -> None:
        self._free, self._mine = free, False

    def take(self, called_off: Callable[[], bool]) -> None:
        """Return when it is this worker's turn, or soon after it is called off."""
        while not self._mine and not called_off():
            self._mine = self._free.acquire(timeout=0.05)

    def give(self) -> None:
        """Let another worker train."""
        if self._mine:
            self._mine = False
            self._free.release()


class Workers:
    """Threads that train what is in the queue of a store.

    controls: by the id of each run that was launched here; they get those of runs from elsewhere, and lose those of
        runs that are over.
    wanted: how many runs are trained at once; None for one a GPU. A run that is held counts for nothing.
    engine: trains them.
    """

    def __init__(
        self, store: RunStore, controls: MutableMapping[str, Control], wanted: int | None, engine: Engine
    ) -> None:
        self._store, self._controls, self._wanted, self._engine = store, controls, wanted, engine
        self._threads: list[Thread] = []
        self._wake = Event()
        self._closing = False
        self._lock = Lock()
        # Slots, those of them that are free, and how many threads hold none because their runs are paused.
        self._slots, self._free, self._held = 1, Semaphore(1), 0
        self._training: set[str] = set()
        self._over = Event()
        self._endings = Endings(store)
        # Why the queue cannot be read, as a sentence.
        self._unread: str | None = None

    def start(self) -> None:
        """Start the threads, which load torch in the background, if they are not there yet."""
        with self._lock:
            if self._closing or self._store.read_only:
                return
            if not self._threads:
                self._spawn(0)
                Thread(target=self._beat, name="gradnorm-heart", daemon=True).start()
            for index, thread in enumerate(self._threads):
                if not thread.is_alive():
                    self._spawn(index)

    def wake(self) -> None:
        """Tell the threads that the queue has grown."""
        self._wake.set()

    @property
    def trouble(self) -> str | None:
        """What keeps runs from being trained or recorded now, as a sentence; None if nothing does."""
        if self._threads and not any(thread.is_alive() for thread in self._threads):
            return "No worker is left to train runs. Restart the server."
        unwritten = next((control.trouble for control in list(self._controls.values()) if control.trouble), None)
        return unwritten or self._endings.trouble or self._unread

    def close(self, timeout: float) -> None:
        """End all runs as interrupted, with all their records, and wait for each thread for `timeout` seconds."""
        self._closing = True
        self._over.set()
        for control in list(self._controls.values()):
            control.resume()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout)

    def _spawn(self, index: int) -> None:
        thread = Thread(target=self._work, args=(index,), name=f"gradnorm-worker-{index}", daemon=True)
        self._threads[index : index + 1] = [thread]
        thread.start()

    def _work(self, index: int) -> None:
        from gradnorm.training import run

        # What was imported stays for good; the garbage collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        if index == 0:
            with self._lock:
                for other in range(1, self._wanted or max(1, run.count_gpus())):
                    self._slots += 1
                    self._free.release()
                    self._spawn(other)
        run.use_gpu(index)
        slot = _Slot(self._free)
        while not self._closing:
            slot.take(lambda: self._closing)
            self._wake.clear()
            claimed: Sequence[RunInfo] = []
            try:
                self._endings.write()
                claimed = self._claim()
                if claimed:
                    self._train(claimed, slot)
            except Exception:
                # The thread must outlive it, or nothing would ever run again.
                log.exception("The queue could not be worked on.")
                claimed = []
            finally:
                slot.give()
            if not claimed:
                self._wake.wait(IDLE_SECONDS)
        self._store.close()

    def _claim(self) -> Sequence[RunInfo]:
        """Take the next runs of the queue; none if it is empty, or cannot be read now."""
        try:
            claimed = self._store.claim(self._engine.name)
        except (*PASSING, StoreError) as error:
            if self._unread is None:
                log.warning("The queue cannot be read now: %s It is tried again.", error)
            self._unread = (
                str(error)
                if isinstance(error, StoreError)
                else (
                    f"The queue cannot be read now ({error}), and is tried again. "
                    "Free some space on the disk of the server, or end what holds its database."
                )
            )
            return []
        self._unread = None
        return claimed

    def _beat(self) -> None:
        """Mark the runs of these threads as alive: loading their data may take longer than other hosts wait."""
        while not self._over.wait(BEAT_SECONDS):
            try:
                self._store.beat(list(self._training))
            except (*PASSING, StoreError) as error:
                log.warning("Runs cannot be marked as alive now: %s. It is tried again.", error)
        self._store.close()

    def _set_held(self, slot: _Slot, controls: Sequence[Control], held: bool) -> None:
        """Give the slot of a run that is held to another worker, or wait for one where it goes on."""
        if not held:
            slot.take(lambda: self._closing or any(control.stopping for control in controls))
            with self._lock:
                self._held -= 1
            return
        with self._lock:
            self._held += 1
            if len(self._threads) - self._held < self._slots and not self._closing:
                self._spawn(len(self._threads))
        slot.give()

    def _train(self, claimed: Sequence[RunInfo], slot: _Slot) -> None:
        # A launch has made the controls already; runs of another process come without.
        controls = {info.run: self._controls.setdefault(info.run, Control()) for info in claimed}
        self._training |= set(controls)
        steps = {info.run: info.steps for info in claimed}
        left: set[int] = set()
        try:
            self._record(claimed, controls, slot, steps, left)
            ending: Exception | None = None
        except Exception as error:
            log.exception("Runs failed: %s.", ", ".join(steps))
            ending = error
        finally:
            for run, control in controls.items():
                if self._controls.get(run) is control:  # it may be in the queue again
                    del self._controls[run]
                self._training.discard(run)
        for run in [info.run for index, info in enumerate(claimed) if index not in left and info.run in steps]:
            message = filled("The server was shut down at step {step:,}. All records are kept.", step=steps[run])
            interrupted = Outcome("interrupted", steps[run], message)
            self._endings.add(run, failed(steps[run], ending) if ending else interrupted)

    def _record(
        self,
        claimed: Sequence[RunInfo],
        controls: Mapping[str, Control],
        slot: _Slot,
        steps: MutableMapping[str, int],
        left: set[int],
    ) -> None:
        """Train claimed runs until they or this server end. steps: keeps those of the runs that have not ended."""
        held = partial(self._set_held, slot, list(controls.values()))
        with closing(self._engine.carry_out(self._store, claimed, controls, left, held)) as told:
            for run, item in told:
                steps[run] = item.step
                if isinstance(item, Outcome):
                    del steps[run]
                if self._closing:
                    break
