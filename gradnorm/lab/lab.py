"""The Lab: a server's one owner of the store; it queues runs and steers them."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from gradnorm.config import memory
from gradnorm.config.options import live_keys
from gradnorm.config.parts import code_refusal
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.config.variants import fork, static
from gradnorm.lab.engine import Engine
from gradnorm.lab.resume import mean_weights
from gradnorm.lab.this_machine import ThisMachine
from gradnorm.lab.workers import Workers
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import CannotGoOnError, RunStore, UnknownRunError
from gradnorm.training.control import Control

log = logging.getLogger(__name__)

# A cursor behind all rows and evaluations.
_ALL_STEPS = 2**53


class NotHereError(RuntimeError):
    """The run is not in the hands of this process, so it can be watched but not steered."""


class Lab:
    """Queues runs, trains them first come, first served, and steers them.

    store: where runs live.  workers: how many train at once; None takes GRADNORM_WORKERS, else one a GPU
    (one where there is none). Threads start with the first `launch` or `warm`. A run that is paused counts for nothing:
    another one trains meanwhile, and the paused one waits for a worker when it is to go on. Its single steps wait for
    nobody.

    engine: trains the runs, those of its own studies alone; this machine trains all others.
    """

    def __init__(self, store: RunStore, workers: int | None = None, engine: Engine | None = None) -> None:
        self.store, self.engine = store, engine or ThisMachine()
        self._controls: dict[str, Control] = {}
        wanted = workers if workers is not None else _workers_from_environment()
        self._workers = Workers(store, self._controls, wanted, self.engine)
        if not store.read_only:
            try:
                store.reap()
            except StoreError as error:  # what can be read of the home can still be looked at
                log.warning("%s", error)

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
            if control.stopping:  # of the time before, which a worker is about to put away
                control = self._controls[run] = Control()
            if paused:
                control.pause()
        self._workers.start()
        self._workers.wake()
        return runs[0]

    def warm(self) -> None:
        """Start the workers, which load torch in the background, if they are not there yet."""
        self._workers.start()

    @property
    def trouble(self) -> str | None:
        """What keeps runs from being trained or recorded now, as a sentence; None if nothing does."""
        return self._workers.trouble or self.store.trouble

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

    def asked(self, run: str) -> Mapping[str, Any]:
        """Return the live hyperparameters that were changed by `retune`, at the newest values; empty if none were."""
        control = self._controls.get(run)
        return control.asked if control is not None else {}

    def uses(self, run: str) -> dict[str, Any]:
        """Return the live hyperparameters as the next step of a run uses them. Raises SpecError, UnknownRunError."""
        begun = self.store.read(run, since=_ALL_STEPS)
        spec, events = RunSpec.parse(begun.info.spec), {event.key: event.value for event in begun.events}
        newest = {**spec.flat(), **events, **self.asked(run)}
        return {key: newest[key] for key in live_keys(spec)}

    def steers(self, run: str) -> bool:
        """Whether this lab trains the run, or has it in its queue."""
        try:
            self._group(run)
        except (NotHereError, UnknownRunError):
            return False
        return True

    def close(self, timeout: float = 10.0) -> None:
        """End all runs of this lab as interrupted, with all their records, and wait for its threads."""
        self._workers.close(timeout)

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
