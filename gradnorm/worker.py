"""The Lab: a server's one owner of the store and of the threads that train."""

from __future__ import annotations

import gc
import logging
import os
from contextlib import closing
from functools import partial
from threading import Event, Lock, Thread
from typing import Any

from gradnorm.recorder import failed, record
from gradnorm.records import Outcome, RunInfo
from gradnorm.spec import RunSpec, SpecError, live_keys
from gradnorm.store import RunStore, UnknownRunError
from gradnorm.training.control import Control

log = logging.getLogger(__name__)

# How long an idle worker waits before it looks whether another process has queued a run.
IDLE_SECONDS = 1.0


class NotHereError(RuntimeError):
    """The run is not in the hands of this process, so it can be watched but not steered."""


class Lab:
    """Queues runs, trains them first come, first served, and steers them.

    store: where runs live.  workers: how many train at once; None takes GRADNORM_WORKERS, else one a GPU
    (one where there is none). Threads start with the first `launch` or `warm`.
    """

    def __init__(self, store: RunStore, workers: int | None = None) -> None:
        self.store = store
        self._wanted = workers if workers is not None else _workers_from_environment()
        self._controls: dict[str, Control] = {}
        self._threads: list[Thread] = []
        self._wake = Event()
        self._closing = False
        self._lock = Lock()
        store.reap()

    def launch(self, spec: RunSpec, *, paused: bool = False) -> str:
        """Queue a run and return its id. paused: hold it before its first step."""
        run = self.store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=True)
        control = self._controls.setdefault(run, Control())
        if paused:
            control.pause()
        self.warm()
        self._wake.set()
        return run

    def warm(self) -> None:
        """Start the workers, which load torch in the background, if they are not there yet."""
        with self._lock:
            if not self._threads and not self._closing:
                self._spawn(0)

    def pause(self, run: str) -> None:
        """Hold a run at the next step boundary. Raises NotHereError, UnknownRunError."""
        self._control(run).pause()

    def resume(self, run: str) -> None:
        """Let a held run go on. Raises NotHereError, UnknownRunError."""
        self._control(run).resume()

    def step(self, run: str) -> None:
        """Hold a run after one more step. Raises NotHereError, UnknownRunError."""
        self._control(run).step()

    def stop(self, run: str) -> None:
        """End a run, or take it out of the queue. Raises NotHereError, UnknownRunError."""
        if self.store.withdraw(run):
            self._controls.pop(run, None)
        else:
            self._control(run).stop()

    def retune(self, run: str, **hyperparameters: Any) -> None:
        """Change live hyperparameters, such as alpha, from the next step on.

        Raises NotHereError, UnknownRunError, and SpecError for a value out of range or an option that is not live.
        """
        control = self._control(run)
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
            self._control(run)
        except (NotHereError, UnknownRunError):
            return False
        return True

    def close(self, timeout: float = 10.0) -> None:
        """End all runs of this lab as interrupted, with all their records, and wait for its threads."""
        self._closing = True
        for control in list(self._controls.values()):
            control.resume()
        self._wake.set()
        for thread in self._threads:
            thread.join(timeout)

    def _control(self, run: str) -> Control:
        control = self._controls.get(run)
        try:
            info = self.store.info(run)
        except UnknownRunError:
            self._controls.pop(run, None)
            raise
        if info.ended:
            raise NotHereError(f"The run should be going on. Found it {info.state}. Start a new one.")
        if control is not None:
            return control
        if info.state == "queued":
            raise NotHereError("The run should have started. Found it waiting in the queue. Stop it, or wait.")
        raise NotHereError(
            "The run should belong to this server. Found it in another process. Steer it from where it was started."
        )

    def _spawn(self, index: int) -> None:
        thread = Thread(target=self._work, args=(index,), name=f"gradnorm-worker-{index}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, index: int) -> None:
        from gradnorm.training import engine

        # What was imported stays for good; the garbage collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        if index == 0:
            with self._lock:
                for other in range(1, self._wanted or max(1, engine.count_gpus())):
                    self._spawn(other)
        engine.use_gpu(index)
        while not self._closing:
            self._wake.clear()
            try:
                info = self.store.claim()
            except Exception:
                # A full disk, say: the thread must outlive it, or nothing would ever run again.
                log.exception("The queue could not be read.")
                info = None
            if info is None:
                self._wake.wait(IDLE_SECONDS)
                continue
            self._train(info, engine.train)
        self.store.close()

    def _train(self, info: RunInfo, train: Any) -> None:
        # A launch of this lab has made the control already; a run of another process comes without.
        control = self._controls.setdefault(info.run, Control())
        step = 0
        try:
            spec = RunSpec.parse(info.spec)
            records = train(spec, control, on_device=partial(self.store.start, info.run))
            with closing(record(self.store, info.run, records, control)) as recorded:
                for item in recorded:
                    step = item.step
                    if isinstance(item, Outcome):
                        return
                    if self._closing:
                        break
            message = f"The server was shut down at step {step:,}. All records are kept."
            self._end(info.run, Outcome("interrupted", step, message))
        except UnknownRunError:
            log.warning("Run %s was removed while it trained.", info.run)
        except SpecError as error:
            self._end(info.run, Outcome("failed", step, str(error)))
        except Exception as error:
            log.exception("Run %s failed at step %d.", info.run, step)
            self._end(info.run, failed(step, error))
        finally:
            self._controls.pop(info.run, None)

    def _end(self, run: str, outcome: Outcome) -> None:
        try:
            self.store.end(run, outcome)
        except UnknownRunError:
            log.warning("Run %s was removed while it trained.", run)


def _workers_from_environment() -> int | None:
    given = os.environ.get("GRADNORM_WORKERS", "")
    if not given:
        return None
    if not given.isdigit() or not 1 <= int(given) <= 64:
        raise SpecError(
            f"GRADNORM_WORKERS should be a whole number in [1, 64]. Found {given!r}. Leave it out for one a GPU."
        )
    return int(given)
