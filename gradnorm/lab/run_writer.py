"""From the engine's records to the store, in blocks small enough to be watched live."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TypeVar

from gradnorm.config.spec import SpecError
from gradnorm.datasets.readers.folders import DataError
from gradnorm.lab.engine import EngineError
from gradnorm.runs.background_writer import BEAT_SECONDS, BLOCK_SECONDS
from gradnorm.runs.block import Block
from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.database import PASSING
from gradnorm.runs.faults import StoreError
from gradnorm.runs.ownership import TakenOverError
from gradnorm.runs.records import Checkpoint, Event, Outcome, Record, StepRecord
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.training.control import Control

log = logging.getLogger(__name__)

T = TypeVar("T")

# A block is also written when it is this long.
BLOCK_STEPS = 64
# Runs in lock step that write as often as one alone does; those of larger groups wait longer in proportion.
OFTEN = 16
# Errors whose message is meant for the user.
_FORESEEN = (SpecError, DataError, CheckpointError, StoreError, EngineError)
# Seconds after which a write that failed is tried again.
RETRY_SECONDS = 0.5


def record(store: RunStore, run: str, records: Iterator[Record], control: Control) -> Generator[Record]:
    """Write each record of one run and yield it; see `record_group`. Ends early if the run is deleted."""
    with closing(record_group(store, [run], _of_group_of_one(records), [control])) as group:
        for _, item in group:
            yield item


def record_group(
    store: RunStore,
    runs: Sequence[str],
    items: Iterator[tuple[int, Record | Exception]],
    controls: Sequence[Control],
    left: set[int] | None = None,
    held: Callable[[bool], None] = lambda held: None,
) -> Generator[tuple[str, Record]]:
    """Write each record of runs that train in lock step, and yield it with the id of its run.

    items: (index in `runs`, record), as `train_group` yields them. An exception ends its run as failed. The other
        runs go on, and so they do if a run is deleted, or another process has taken it over.
    controls: one a run, steered alike. They pause the group, and let it take single steps. Stopping is the engine's
        own; it also tells when it is about to wait for the pace, so that what has come is seen meanwhile.
    left: gets the indexes of runs that were deleted or taken over, so that the engine leaves them out.
    held: called with True when the group is held by a pause, and with False before it goes on; single steps in
        between end no pause.

    If the caller stops pulling, what came until then is written first. While the store cannot be written (a full disk,
    a file that another process holds), the runs wait, and what has come is kept: a control's `trouble` says why.
    """
    group = _Group(store, runs, controls, set() if left is None else left, held)
    try:
        while group.writers:
            group.hold_if_paused()
            started = time.monotonic()
            pulled = _next(items)
            group.credit(time.monotonic() - started)
            if pulled is None:
                break
            index, item = pulled
            for place in list(group.writers) if index is None else [index]:
                taken = group.take(place, item)
                if taken is not None:
                    yield runs[place], taken
    finally:
        group.flush()
        _close(items)


def _of_group_of_one(records: Iterator[Record]) -> Generator[tuple[int, Record | Exception]]:
    """Yield the records of a single run as those of a group."""
    try:
        for item in records:
            yield 0, item
    except Exception as error:
        yield 0, error
    finally:
        _close(records)


def _close(iterator: Iterator[object]) -> None:
    close = getattr(iterator, "close", None)
    if close is not None:
        close()


def _next(items: Iterator[tuple[int, Record | Exception]]) -> tuple[int | None, Record | Exception] | None:
    """Return the next item; None at the end. An error of the engine itself concerns every run: its index is None."""
    try:
        return next(items, None)
    except Exception as error:
        return None, error


class _Group:
    """The runs that are still going, by index, each with its writer."""

    def __init__(
        self,
        store: RunStore,
        runs: Sequence[str],
        controls: Sequence[Control],
        left: set[int],
        held: Callable[[bool], None],
    ) -> None:
        self._store, self._controls, self._left, self._held = store, controls, left, held
        self.writers = {index: _Writer(store, run) for index, run in enumerate(runs)}
        self._paused = False
        # The smallest number of steps taken; None before the first record.
        self._behind: int | None = None
        for control in controls:
            control.before_rest = self.flush

    @property
    def _control(self) -> Control:
        """The control of a run that is still going."""
        return self._controls[next(iter(self.writers))]

    def take(self, index: int, item: Record | Exception) -> Record | None:
        """Write a record of one run, or keep it for the next block. Return it; None if the run is no longer ours."""
        if index not in self.writers:
            return None
        writer = self.writers[index]
        age = BLOCK_SECONDS * max(1.0, len(self.writers) / OFTEN)
        if self._behind is None:
            # Only now is the step known at which a resumed run goes on.
            self._behind = self._insist(lambda: min(each.read_step() for each in self.writers.values()))
        if isinstance(item, Exception):
            if not isinstance(item, (*_FORESEEN, TakenOverError)):
                log.error("Run %s failed at step %d.", writer.run, writer.step, exc_info=item)
            item = failed(writer.step, item)
        written = self._insist(lambda: writer.take(item)) and (not writer.due(age) or self._insist(writer.flush))
        if not written:
            self._left.add(index)
        if not written or isinstance(item, Outcome):
            del self.writers[index]
        behind = min((each.step for each in self.writers.values()), default=self._behind)
        if behind > self._behind:
            # Every run has taken its step.
            self._behind = behind
            for control in self._controls:
                control.use_single_step()
        return item if written or isinstance(item, StepRecord) else None

    def hold_if_paused(self) -> None:
        """Wait out a pause. The run table says "paused" meanwhile, and each run keeps the event."""
        control = self._control
        if not control.must_wait():
            return
        self.flush()
        begins = not self._paused
        self._set_paused(True)
        if begins:
            self._held(True)
        try:
            while self.writers and not control.wait(BEAT_SECONDS):
                self._insist(lambda: self._store.beat([writer.run for writer in self.writers.values()]))
        finally:
            if not control.paused or control.stopping:
                self._held(False)
                self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        """Note a pause or its end; single steps in between end no pause."""
        for writer in self.writers.values():
            self._insist(partial(self._store.set_paused, writer.run, paused))
            if paused != self._paused:
                writer.take(Event(writer.step + 1, "paused", paused, time.time()))
        self._paused = paused
        self.flush()

    def credit(self, seconds: float) -> None:
        """Count seconds as spent on each run: runs in lock step are computed together."""
        for writer in self.writers.values():
            writer.seconds += seconds

    def flush(self) -> None:
        """Write what has come of all runs."""
        for index, writer in list(self.writers.items()):
            if not self._insist(writer.flush):
                self._left.add(index)
                del self.writers[index]

    def _insist(self, write: Callable[[], T]) -> T:
        return insist(self._control, write)


class _Writer:
    """One run's records on their way to the store. step: the last one taken. seconds: spent since the last block."""

    def __init__(self, store: RunStore, run: str) -> None:
        self.run, self.step, self.seconds = run, 0, 0.0
        self._store = store
        self._block = Block(store, run)
        self._flushed = time.monotonic()

    def due(self, age: float) -> bool:
        """Whether the block is long enough, or `age` seconds old."""
        return self._block.steps >= BLOCK_STEPS or time.monotonic() - self._flushed >= age

    def read_step(self) -> int:
        """Return the step at which the run goes on."""
        with suppress(UnknownRunError):
            self.step = self._store.info(self.run).steps
        return self.step

    def take(self, item: Record) -> bool:
        """Keep a record, or write it; False if the run is no longer ours. It may be called again if it has raised."""
        if not isinstance(item, Checkpoint | Outcome):
            self._block.add(item)
            self.step = item.step if isinstance(item, StepRecord) else self.step
            return True
        # Nobody's checkpoint or end may be written over: whose the run is turns out with the records.
        if not self.flush(always=True):
            return False
        if isinstance(item, Checkpoint):
            self._store.checkpoints.write(self.run, item)
            return True
        try:
            self._store.end(self.run, item)
        except (UnknownRunError, TakenOverError) as error:
            return self._lost(error)
        return True

    def flush(self, *, always: bool = False) -> bool:
        """Write what has come; False if the run is no longer ours. always: find that out even if nothing has come."""
        self._flushed = time.monotonic()
        if self._block.empty and not always:
            return True
        try:
            self._block.write(self.seconds)
        except (UnknownRunError, TakenOverError) as error:
            return self._lost(error)
        self.seconds = 0.0
        return True

    def _lost(self, error: UnknownRunError | TakenOverError) -> bool:
        """Say why nothing more of the run is written, and return False."""
        if isinstance(error, TakenOverError):
            log.warning("%s", error)
        else:
            log.warning("Run %s was removed while it trained.", self.run)
        self._block.clear()
        return False


def insist(control: Control, write: Callable[[], T]) -> T:
    """Return what `write` returns, however often it has to be tried. control: of a run that waits meanwhile."""
    while True:
        try:
            done = write()
        except PASSING as error:
            if control.trouble is None:
                log.warning("Records cannot be written now: %s. The runs wait; it is tried again.", error)
            advice = "Free some space on the disk of the server, or end what holds its database."
            control.trouble = (
                f"The run waits. {error}"
                if isinstance(error, StoreError)
                else f"The records cannot be written now ({error}). The run waits, and nothing is lost. {advice}"
            )
            time.sleep(RETRY_SECONDS)
            continue
        if control.trouble is not None:
            log.warning("Records can be written again.")
            control.trouble = None
        return done


def failed(step: int, error: BaseException) -> Outcome:
    """Return the outcome of a run that an error ended."""
    message = str(error) if isinstance(error, _FORESEEN) else f"{type(error).__name__}: {error}"
    return Outcome("failed", step, message)
