"""The Lab: a server's one owner of the store and of the threads that train."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from threading import Event, Lock, Semaphore, Thread
from typing import Any

from gradnorm.config import memory
from gradnorm.config.options import live_keys
from gradnorm.config.parts import code_refusal
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.config.variants import fork, static
from gradnorm.lab.resume import mean_weights, records_of
from gradnorm.lab.run_writer import failed, record_group
from gradnorm.runs.background_writer import BEAT_SECONDS
from gradnorm.runs.database import PASSING
from gradnorm.runs.records import Outcome, RunInfo
from gradnorm.runs.store import CannotGoOnError, RunStore, UnknownRunError
from gradnorm.training.control import Control

log = logging.getLogger(__name__)

# How long an idle worker waits before it looks whether another process has queued a run.
IDLE_SECONDS = 1.0


class NotHereError(RuntimeError):
    """The run is not in the hands of this process, so it can be watched but not steered."""


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


class Lab:
    """Queues runs, trains them first come, first served, and steers them.

    store: where runs live.  workers: how many train at once; None takes GRADNORM_WORKERS, else one a GPU
    (one where there is none). Threads start with the first `launch` or `warm`. A run that is paused counts for nothing:
    another one trains meanwhile, and the paused one waits for a worker when it is to go on. Its single steps wait for
    nobody.
    """

    def __init__(self, store: RunStore, workers: int | None = None) -> None:
        self.store = store
        self._wanted = workers if workers is not None else _workers_from_environment()
        self._controls: dict[str, Control] = {}
        self._threads: list[Thread] = []
        self._wake = Event()
        self._closing = False
        self._lock = Lock()
        # Slots, those of them that are free, and how many threads hold none because their runs are paused.
        self._slots, self._free, self._held = 1, Semaphore(1), 0
        self._training: set[str] = set()
        self._over = Event()
        # How runs ended whose end could not be written yet.
        self._owed: dict[str, Outcome] = {}
        store.reap()

    def launch(self, spec: RunSpec, *, paused: bool = False) -> str:
        """Queue a run and return its id. paused: hold it before its first step.

        Raises SpecError for a network that would not fit into memory.
        """
        memory.check([spec])
        _refuse_code(spec.flat())
        spec = spec.settled()
        return self._queue([self.store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=True)], paused)

    def race(self, specs: Sequence[RunSpec], *, paused: bool = False) -> list[str]:
        """Queue runs of one data set that are trained in lock step; return their ids.

        Raises SpecError for networks that would not fit into memory together.
        """
        memory.check(specs)
        _refuse_code(specs[0].flat())
        entries = [(spec.title, spec.settled().flat()) for spec in specs]
        runs = self.store.create_race(entries, specs[0].dataset.task_names, queued=True)
        self._queue(runs, paused)
        return runs

    def go_on(self, run: str) -> None:
        """Queue a run that was stopped or interrupted, with its race, from its last checkpoint on.

        Raises ValueError for one that is going on or has all its steps, UnknownRunError.
        """
        if refusal := code_refusal(self.store.info(run).spec):
            raise CannotGoOnError(refusal)
        self._queue(self.store.requeue(run), paused=False)

    def fork(self, run: str, step: int, changes: Mapping[str, Any]) -> str:
        """Queue a run that goes on from another's checkpoint after `step` steps with some keys changed.

        Raises SpecError for changes that make another data set or network, CheckpointError, UnknownRunError.
        """
        info = self.store.info(run)
        _refuse_code(info.spec)
        spec = fork(info.spec, changes)
        flat = spec.flat()
        return self._queue(
            [self.store.create(spec.title, flat, info.tasks, queued=True, parent=run, forked_at=step)], paused=False
        )

    def static(self, run: str) -> str:
        """Queue the same run with its weights fixed at their time average; return its id.

        Raises ValueError for a run without steps, UnknownRunError.
        """
        info = self.store.info(run)
        _refuse_code(info.spec)
        spec = static(RunSpec.parse(info.spec), mean_weights(self.store, run))
        child = self.store.create(spec.title, spec.flat(), info.tasks, queued=True, parent=run)
        return self._queue([child], paused=False)

    def _queue(self, runs: Sequence[str], paused: bool) -> str:
        for run in runs:
            control = self._controls.setdefault(run, Control())
            if paused:
                control.pause()
        self.warm()
        self._wake.set()
        return runs[0]

    def warm(self) -> None:
        """Start the workers, which load torch in the background, if they are not there yet."""
        with self._lock:
            if self._closing:
                return
            if not self._threads:
                self._spawn(0)
                Thread(target=self._beat, name="gradnorm-heart", daemon=True).start()
            for index, thread in enumerate(self._threads):
                if not thread.is_alive():
                    self._spawn(index)

    @property
    def trouble(self) -> str | None:
        """What keeps runs from being trained or recorded now, as a sentence; None if nothing does."""
        if self._threads and not any(thread.is_alive() for thread in self._threads):
            return "No worker is left to train runs. Restart the server."
        return next((control.trouble for control in list(self._controls.values()) if control.trouble), None)

    def pause(self, run: str) -> None:
        """Hold a run, with its race, at the next step boundary. Raises NotHereError, UnknownRunError."""
        for control in self._group(run).values():
            control.pause()

    def resume(self, run: str) -> None:
        """Let a held run go on. Raises NotHereError, UnknownRunError."""
        for control in self._group(run).values():
            control.resume()

    def step(self, run: str) -> None:
        """Hold a run, with its race, after one more step. Raises NotHereError, UnknownRunError."""
        for control in self._group(run).values():
            control.step()

    def stop(self, run: str) -> None:
        """End a run, with its race, or take it out of the queue. Raises NotHereError, UnknownRunError."""
        withdrawn = [member.run for member in self._members(run) if self.store.withdraw(member.run)]
        for member in withdrawn:
            self._controls.pop(member, None)
        if not withdrawn:
            for control in self._group(run).values():
                control.stop()

    def retune(self, run: str, **hyperparameters: Any) -> None:
        """Change live hyperparameters, such as alpha, from the next step on.

        Raises NotHereError, UnknownRunError, and SpecError for a value out of range or an option that is not live.
        """
        control = self._group(run).get(run)
        if control is None:
            raise NotHereError("The contender should be going on. Found that it has ended. Steer another one.")
        spec = RunSpec.parse(self.store.info(run).spec)
        live = live_keys(spec)
        for key in hyperparameters:
            if key not in live:
                raise SpecError(
                    f"What changes in mid-run should be one of {', '.join(live) or 'nothing'}. Found {key!r}. "
                    "Start a new run with it."
                )
        RunSpec.parse({**spec.flat(), **hyperparameters})
        control.retune(**hyperparameters)

    def steers(self, run: str) -> bool:
        """Whether this lab trains the run, or has it in its queue."""
        try:
            self._group(run)
        except (NotHereError, UnknownRunError):
            return False
        return True

    def close(self, timeout: float = 10.0) -> None:
        """End all runs of this lab as interrupted, with all their records, and wait for its threads."""
        self._closing = True
        self._over.set()
        for control in list(self._controls.values()):
            control.resume()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout)

    def _members(self, run: str) -> list[RunInfo]:
        """Return the runs of a run's race, in their order; itself if it is in none. Raises UnknownRunError."""
        family = self.store.family(run)
        race = next(info.race for info in family if info.run == run)
        return [info for info in family if info.run == run or (race and info.race == race)]

    def _group(self, run: str) -> dict[str, Control]:
        """Return the controls of a run and of those that go in lock step with it, by run."""
        try:
            members = self._members(run)
        except UnknownRunError:
            self._controls.pop(run, None)
            raise
        going = [info for info in members if not info.ended]
        if not going:
            raise NotHereError(f"The run should be going on. Found it {self.store.info(run).state}. Start a new one.")
        controls = {info.run: self._controls[info.run] for info in going if info.run in self._controls}
        if controls:
            return controls
        if going[0].state == "queued":
            raise NotHereError("The run should have started. Found it waiting in the queue. Stop it, or wait.")
        raise NotHereError(
            "The run should belong to this server. Found it in another process. Steer it from where it was started."
        )

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
                self._pay()
                claimed = self.store.claim()
                if claimed:
                    self._train(claimed, slot)
            except Exception:
                # A full disk, say: the thread must outlive it, or nothing would ever run again.
                log.exception("The queue could not be worked on.")
                claimed = []
            finally:
                slot.give()
            if not claimed:
                self._wake.wait(IDLE_SECONDS)
        self.store.close()

    def _beat(self) -> None:
        """Mark the runs of this lab as alive: loading their data may take longer than other hosts wait."""
        while not self._over.wait(BEAT_SECONDS):
            try:
                self.store.beat(list(self._training))
            except PASSING as error:
                log.warning("Runs cannot be marked as alive now: %s. It is tried again.", error)
        self.store.close()

    def _set_held(self, slot: _Slot, control: Control, held: bool) -> None:
        """Give the slot of a run that is held to another worker, or wait for one where it goes on."""
        if not held:
            slot.take(lambda: self._closing or control.stopping)
            with self._lock:
                self._held -= 1
            return
        with self._lock:
            self._held += 1
            if len(self._threads) - self._held < self._slots and not self._closing:
                self._spawn(len(self._threads))
        slot.give()

    def _train(self, claimed: Sequence[RunInfo], slot: _Slot) -> None:
        # A launch of this lab has made the controls already; runs of another process come without.
        controls = {info.run: self._controls.setdefault(info.run, Control()) for info in claimed}
        steps = {info.run: info.steps for info in claimed}
        self._training |= set(steps)
        try:
            left: set[int] = set()
            items = records_of(self.store, claimed, controls, left)
            # All controls of a group are steered alike; one of them is enough to hold it.
            control = controls[claimed[0].run]
            held = partial(self._set_held, slot, control)
            with closing(record_group(self.store, list(steps), items, control, left, held)) as recorded:
                for run, item in recorded:
                    steps[run] = item.step
                    if isinstance(item, Outcome):
                        del steps[run]
                    if self._closing:
                        break
            for run, step in steps.items():
                message = f"The server was shut down at step {step:,}. All records are kept."
                self._end(run, Outcome("interrupted", step, message))
        except Exception as error:
            log.exception("Runs failed: %s.", ", ".join(steps))
            for run, step in steps.items():
                self._end(run, failed(step, error))
        finally:
            for info in claimed:
                self._controls.pop(info.run, None)
                self._training.discard(info.run)

    def _end(self, run: str, outcome: Outcome) -> None:
        self._owed[run] = outcome
        try:
            self._pay()
        except PASSING as error:
            log.warning("The end of run %s cannot be written now: %s. It is tried again.", run, error)

    def _pay(self) -> None:
        """Write how runs ended."""
        for run, outcome in list(self._owed.items()):
            try:
                self.store.end(run, outcome)
            except UnknownRunError:
                log.warning("Run %s was removed while it trained.", run)
            self._owed.pop(run, None)


def _refuse_code(spec: Mapping[str, Any]) -> None:
    """Raise SpecError for a flat spec whose data set is code of the user's: the Lab works for visitors of pages."""
    if refusal := code_refusal(spec):
        raise SpecError(refusal)


def _workers_from_environment() -> int | None:
    workers = os.environ.get("GRADNORM_WORKERS", "")
    if not workers:
        return None
    if not workers.isdigit() or not 1 <= int(workers) <= 64:
        raise SpecError(
            f"GRADNORM_WORKERS should be a whole number in [1, 64]. Found {workers!r}. Leave it out for one a GPU."
        )
    return int(workers)
