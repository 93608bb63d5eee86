"""From the engine's iterators to the store, in blocks small enough to be watched live."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing

from gradnorm.config.spec import SpecError
from gradnorm.datasets.readers.folders import DataError
from gradnorm.runs.background_writer import BEAT_SECONDS, BLOCK_SECONDS
from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.records import Checkpoint, Evaluation, Event, Outcome, Record, StepRecord
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.training.control import Control

log = logging.getLogger(__name__)

# A block is also written when it is this long.
BLOCK_STEPS = 64
# Errors whose message is meant for the user.
_FORESEEN = (SpecError, DataError, CheckpointError)


def record(store: RunStore, run: str, records: Iterator[Record], control: Control) -> Generator[Record]:
    """Write each record of one run and hand it on; see `record_race`. Ends early if the run is deleted."""
    with closing(record_race(store, {run: records}, control)) as race:
        for _, item in race:
            yield item


def record_race(
    store: RunStore, contenders: Mapping[str, Iterator[Record]], control: Control
) -> Generator[tuple[str, Record]]:
    """Write each record of runs that go in lock step, a training step each in turn, and hand it on with its run.

    control: pauses the group, and lets it take single steps; stopping is the engines' own.
    An engine that raises ends its run as failed; the others go on, and so they do if a run is deleted. If the
    consumer stops pulling, what came until then is written first.
    """
    going = {run: _Writer(store, run, records) for run, records in contenders.items()}
    try:
        while going:
            if control.must_wait():
                _flush(going)
                _hold(store, list(going), control)
            single = control.use_single_step()
            stepped = False
            before = {writer: writer.spent for writer in going.values()}
            # Nobody's extra items, evaluations and checkpoints, put the runs out of step.
            behind = min(writer.step for writer in going.values())
            for run, writer in list(going.items()):
                while run in going and writer.step == behind:
                    item = writer.pull()
                    if item is None or (writer.due and not writer.flush()):
                        going.pop(run).close()
                    if item is not None:
                        yield run, item
                    if control.must_wait() and not single:
                        break
                stepped |= writer.step > behind
            _share(before)
            if single and not stepped:
                control.give_back_step()
    finally:
        writers = list(going.values())
        _flush(going)
        for writer in writers:
            writer.close()


class _Writer:
    """One run's records on their way to the store."""

    def __init__(self, store: RunStore, run: str, records: Iterator[Record]) -> None:
        self.run = run
        self._store, self._records, self._engine = store, records, records
        self._steps: list[StepRecord] = []
        self._evaluations: list[Evaluation] = []
        self._seconds = self.spent = 0.0
        self._last = self.step = 0
        self._flushed = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the block is old or long enough."""
        return len(self._steps) >= BLOCK_STEPS or time.monotonic() - self._flushed >= BLOCK_SECONDS

    def pull(self) -> Record | None:
        """Return the run's next record; None if it is over, or gone."""
        started = time.monotonic()
        try:
            item = next(self._records, None)
        except Exception as error:
            if not isinstance(error, _FORESEEN):
                log.exception("Run %s failed at step %d.", self.run, self._last)
            item = failed(self._last, error)
            self._records = iter(())
        seconds = time.monotonic() - started
        self.spent += seconds
        self.credit(seconds)
        if item is None:
            self.flush()
            return None
        return item if self._take(item) else None

    def _take(self, item: Record) -> bool:
        """Keep a record, or write it; False if the run has been deleted."""
        self._last = item.step
        if isinstance(item, StepRecord):
            self._steps.append(item)
            self.step = item.step
            return True
        if isinstance(item, Evaluation):
            self._evaluations.append(item)
            return True
        if not self.flush():
            return False
        if isinstance(item, Checkpoint):
            self._store.checkpoints.write(self.run, item)
            return True
        if isinstance(item, Event):
            return True
        try:
            self._store.end(self.run, item)
        except UnknownRunError:
            return False
        return True

    def flush(self) -> bool:
        """Write what has come; False if the run has been deleted."""
        self._flushed = time.monotonic()
        if not self._steps and not self._evaluations:
            return True
        steps, evaluations, seconds = self._steps, self._evaluations, self._seconds
        self._steps, self._evaluations, self._seconds = [], [], 0.0
        try:
            self._store.append(self.run, steps, evaluations, seconds)
        except UnknownRunError:
            log.warning("Run %s was removed while it trained.", self.run)
            return False
        return True

    def credit(self, seconds: float) -> None:
        """Count seconds as spent on this run."""
        self._seconds += seconds

    def close(self) -> None:
        """End the engine's part: of runs that go in step the others need not carry this one along."""
        close = getattr(self._engine, "close", None)
        if close is not None:
            close()


def _flush(going: dict[str, _Writer]) -> None:
    for run, writer in list(going.items()):
        if not writer.flush():
            going.pop(run).close()


def _share(before: Mapping[_Writer, float]) -> None:
    """Let a round count for each of its runs as a whole: runs in step are computed when the first one is pulled."""
    spent = {writer: writer.spent - earlier for writer, earlier in before.items()}
    for writer, own in spent.items():
        writer.credit(sum(spent.values()) - own)


def _hold(store: RunStore, runs: list[str], control: Control) -> None:
    """Wait out a pause; the catalogue says "paused" meanwhile."""
    for run in runs:
        store.set_paused(run, True)
    try:
        while not control.wait(BEAT_SECONDS):
            store.beat(runs)
    finally:
        if not control.paused or control.stopping:
            for run in runs:
                store.set_paused(run, False)


def failed(step: int, error: BaseException) -> Outcome:
    """Return the outcome of a run that an error ended."""
    message = str(error) if isinstance(error, _FORESEEN) else f"{type(error).__name__}: {error}"
    return Outcome("failed", step, message)
