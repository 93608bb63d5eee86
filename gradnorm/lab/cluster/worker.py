"""The part of a lease that runs on another machine: trains, and seals what comes of it in the shared folder.

It never opens the database, and needs no server: whoever has it takes in what was sealed, when it is there again.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gradnorm.config.spec import RunSpec
from gradnorm.lab.cluster.folder import Attempt, Contender
from gradnorm.lab.run_writer import RETRY_SECONDS, failed
from gradnorm.runs.records import Checkpoint, Evaluation, Event, Outcome, Record, StepRecord
from gradnorm.runs.segments import Piece, Segment
from gradnorm.training.control import Control

if TYPE_CHECKING:
    from gradnorm.training.engine import Entry

log = logging.getLogger(__name__)

# A segment is sealed this often: a file system on a network carries few files a second.
SEAL_SECONDS = 0.5
# What ends a worker in good order: Slurm takes its machine back, or its time is up.
SIGNALS = (signal.SIGTERM, signal.SIGUSR2, signal.SIGINT)


def carry_out(folder: str) -> None:
    """Train the runs of one attempt at a lease until they have ended, or are to end.

    folder: of the attempt. One that was begun before, or was given up, is left alone: its server begins the next.
    """
    attempt, control = Attempt(Path(folder)), Control()
    if not attempt.begin():
        return
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, lambda number, frame: control.stop())
    from gradnorm.training.engine import train_group

    attempt.open_up()
    contenders = attempt.contenders()
    sealer = _Sealer(attempt, contenders, control)
    entries = [partial(_entry, attempt, each, control, sealer) for each in contenders]
    with closing(sealer), closing(train_group(entries)) as items:
        for index, item in items:
            sealer.take(contenders[index].run, item)


def _entry(attempt: Attempt, contender: Contender, control: Control, sealer: _Sealer) -> Entry:
    from gradnorm.training.engine import Entry

    start = None if contender.start is None else attempt.checkpoints.read(contender.run, contender.start)
    tell = partial(sealer.tell_device, contender.run)
    return Entry(RunSpec.parse(contender.spec), control, tell, start, contender.branch)


class _Gathered:
    """Records of one run that wait to be sealed. step: of the last one."""

    def __init__(self, contender: Contender) -> None:
        self._contender, self.step = contender, contender.start or 0
        self._clear()

    def _clear(self) -> None:
        self._first = self.step + 1
        self._rows: list[list[float]] = []
        self._evaluations: list[Evaluation] = []
        self._events: list[Event] = []
        self._checkpoints: list[int] = []
        self._outcome: Outcome | None = None
        self.device: str | None = None

    def add(self, item: Record) -> None:
        """Take a record; of a checkpoint, that it was kept."""
        if isinstance(item, StepRecord):
            self._rows.append(item.row(self._contender.quantities))
            self.step = item.step
        elif isinstance(item, Evaluation):
            self._evaluations.append(item)
        elif isinstance(item, Event):
            self._events.append(item)
        elif isinstance(item, Checkpoint):
            self._checkpoints.append(item.step)
        else:
            self._outcome = item

    def pop(self, seconds: float) -> Piece | None:
        """Return what has come, and forget it; None if nothing has."""
        rest = (self._evaluations, self._events, self._checkpoints, self._outcome, self.device)
        if not self._rows and not any(rest):
            return None
        piece = Piece(
            self._contender.run,
            self._first,
            np.array(self._rows, dtype="<f4").tobytes(),
            self._evaluations,
            self._events,
            seconds,
            self.device,
            self._checkpoints,
            self._outcome,
            len(self._rows),
        )
        self._clear()
        return piece


class _Sealer:
    """Seals what comes of an attempt, twice a second, and looks what the server wants, on a thread of its own.

    While the folder cannot be written, training goes on, and what has come is kept.
    """

    def __init__(self, attempt: Attempt, contenders: list[Contender], control: Control) -> None:
        self._attempt, self._control = attempt, control
        self._gathered = {each.run: _Gathered(each) for each in contenders}
        self._lock, self._over = threading.Lock(), threading.Event()
        self._unwritten: deque[Segment] = deque()
        self._number, self._since = 0, time.monotonic()
        self._late = self._warned = False
        self._thread = threading.Thread(target=self._serve, name="gradnorm-sealer", daemon=True)
        self._thread.start()

    def take(self, run: str, item: Record | Exception) -> None:
        """Take a record of a run, or why it could not go on."""
        gathered = self._gathered[run]
        if isinstance(item, Exception):
            log.error("Run %s failed at step %d.", run, gathered.step, exc_info=item)
            item = failed(gathered.step, item)
        if isinstance(item, Outcome) and item.kind == "stopped":
            return  # only the server knows whether that is its end: a machine that is taken back stops runs, too
        if isinstance(item, Checkpoint):
            self._insist(lambda: self._attempt.checkpoints.write(run, item))
        with self._lock:
            gathered.add(item)

    def tell_device(self, run: str, device: str) -> None:
        """Take what a run is trained on."""
        with self._lock:
            self._gathered[run].device = device

    def close(self) -> None:
        """Seal what is left."""
        self._over.set()
        self._thread.join()
        self._insist(self._seal)

    def _serve(self) -> None:
        while not self._over.wait(SEAL_SECONDS):
            try:
                self._obey()
                self._seal()
                self._warned = False
            except OSError as error:
                self._warn(error)

    def _obey(self) -> None:
        self._late = self._late or self._attempt.given_up
        if self._late or self._attempt.stopped:
            self._control.stop()

    def _seal(self) -> None:
        with self._lock:
            now = time.monotonic()
            pieces = [piece for each in self._gathered.values() if (piece := each.pop(now - self._since))]
        if pieces:
            self._number, self._since = self._number + 1, now
            self._unwritten.append(Segment(self._attempt.lease, self._attempt.number, self._number, pieces))
        while self._unwritten and not self._late:
            self._unwritten[0].write(self._attempt.segment(self._unwritten[0].number))
            self._unwritten.popleft()

    def _insist(self, write: Callable[[], None]) -> None:
        """Write, however often it has to be tried, unless the attempt is late."""
        while not self._late:
            try:
                return write()
            except OSError as error:
                self._warn(error)
                time.sleep(RETRY_SECONDS)
                self._obey()
        return None

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            log.warning("The shared folder cannot be written now: %s. Training goes on; it is tried again.", error)
        self._warned = True
