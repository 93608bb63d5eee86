"""The part of a lease that runs in the server: sends workers out, and takes in what they seal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from gradnorm.common.texts import Text, later
from gradnorm.lab.cluster.folder import Attempt, Contender
from gradnorm.lab.cluster.launcher import Launcher
from gradnorm.lab.engine import EngineError, Reached, Told
from gradnorm.lab.resume import rewound
from gradnorm.lab.run_writer import failed, insist
from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.faults import DamageError
from gradnorm.runs.leases import LateError, lease_of
from gradnorm.runs.ownership import TakenOverError
from gradnorm.runs.records import Checkpoint, Event, Outcome, OutcomeKind, RunInfo
from gradnorm.runs.sealed_files import SealError
from gradnorm.runs.segments import Segment
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.training.control import Control

log = logging.getLogger(__name__)

# How often the folder is looked at, and how often the cluster is asked for a worker.
LOOK_SECONDS, ASK_SECONDS = 0.1, 1.0
# How many workers of a lease may be lost one after another without a step that is new.
PATIENCE = 10
_LOST = later(
    "A worker should bring its runs further before it ends. Found {count} lost one after another, at step {steps:,}. "
    "{logs}"
)

T = TypeVar("T")


class Cluster:
    """Trains leases on other machines.

    launcher: starts workers there.  folder: what they share with this process.
    """

    def __init__(self, launcher: Launcher, folder: Path) -> None:
        self.name, self._launcher, self._folder = launcher.name, launcher, folder

    def carry_out(
        self,
        store: RunStore,
        claimed: Sequence[RunInfo],
        controls: Mapping[str, Control],
        left: set[int],
        held: Callable[[bool], None],
    ) -> Told:
        """Train a lease; see `Engine`. A pause gives the machine back: it goes on from a checkpoint."""
        return _Lease(store, self._launcher, self._folder, claimed, controls, left, held).follow()


class _Lease:
    """A lease in the hands of this process."""

    def __init__(
        self,
        store: RunStore,
        launcher: Launcher,
        folder: Path,
        claimed: Sequence[RunInfo],
        controls: Mapping[str, Control],
        left: set[int],
        held: Callable[[bool], None],
    ) -> None:
        self._store, self._launcher, self._left, self._held = store, launcher, left, held
        self._controls, self._index = list(controls.values()), {info.run: i for i, info in enumerate(claimed)}
        self._lease = lease_of(claimed[0])
        self._folder = folder / self._lease
        self._attempt: Attempt | None = None
        self._handle = ""
        # How far each run is that has not ended, how many segments of the attempt are recorded, and when the cluster
        # was last asked for its worker.
        self._steps, self._taken, self._asked = {info.run: info.steps for info in claimed}, 0, 0.0
        # How many workers were lost since the runs were further than ever, and how far that is.
        self._lost, self._furthest = 0, 0

    @property
    def _stopping(self) -> bool:
        return any(control.stopping for control in self._controls)

    @property
    def _paused(self) -> bool:
        return any(control.paused for control in self._controls)

    def follow(self) -> Told:
        """Record what comes of the lease, and yield how far each run is."""
        self._insist(self._adopt)
        try:
            while self._steps:
                if self._attempt is not None:
                    yield from self._look(self._attempt)
                elif self._stopping:
                    yield from self._end_all("stopped", later("Stopped by hand after {steps:,} steps."))
                elif self._paused:
                    yield from self._hold()
                elif self._lost >= PATIENCE:
                    yield from self._end_all("failed", _LOST, count=self._lost, logs=self._launcher.logs)
                else:
                    yield from self._begin()
        finally:
            if self._attempt is not None:
                with suppress(OSError):
                    self._tell(self._attempt)
                if not self._steps:
                    self._drop(self._attempt)

    def _adopt(self) -> None:
        """Take over the worker that an earlier process has sent out, if its records still count."""
        standing = self._store.leases.standing(self._lease)
        attempt = standing and Attempt(self._folder / str(standing.attempt))
        if not standing or not attempt or attempt.given_up or not attempt.handle:
            return
        if set(self._steps) <= {contender.run for contender in attempt.contenders()}:
            attempt.go_on()
            self._attempt, self._taken, self._handle = attempt, standing.taken, attempt.handle

    def _begin(self) -> Told:
        """Send a worker out, which goes on from the newest checkpoints; end the runs that cannot go on."""
        contenders, starts = list[Contender](), dict[str, Checkpoint]()
        for run in list(self._steps):
            try:
                info = self._store.info(run)
                start, branch = self._insist(partial(rewound, self._store, info))
            except (UnknownRunError, TakenOverError) as error:
                self._leave(run, error)
            except (CheckpointError, DamageError) as error:
                yield from self._end(run, failed(self._steps[run], error))
            else:
                step = start.step if start else None
                contenders.append(Contender(run, info.spec, info.quantities, step, branch))
                self._steps[run] = step or 0
                if start is not None:
                    starts[run] = start
        try:
            if contenders:
                self._insist(partial(self._send, contenders, starts))
        except EngineError as error:
            yield from self._end_all("failed", "{error}", error=str(error))

    def _send(self, contenders: Sequence[Contender], starts: Mapping[str, Checkpoint]) -> None:
        attempt = Attempt(self._folder / str(self._store.leases.begin(self._lease)))
        for path in self._folder.glob("[0-9]*"):
            Attempt(path).give_up()
        attempt.create(contenders, starts)
        self._handle = attempt.handle = self._launcher.submit(attempt.path, f"gradnorm-{self._lease}-{attempt.number}")
        self._attempt, self._taken, self._asked = attempt, 0, time.monotonic()

    def _look(self, attempt: Attempt) -> Told:
        """Take in what has come of an attempt, and note if no more will."""
        self._insist(partial(self._tell, attempt))
        going, before = self._going(), self._taken  # asked first, so that its last segment is seen
        yield from self._take(attempt)
        if self._taken > before or not self._steps:
            return
        if going:
            time.sleep(LOOK_SECONDS)
            yield self._here()
        else:
            self._drop(attempt)
            self._lost += not (self._stopping or self._paused)

    def _drop(self, attempt: Attempt) -> None:
        attempt.give_up()
        self._attempt = None

    def _going(self) -> bool:
        """Whether the worker is still there, as far as is known: the cluster is not asked all the time."""
        if time.monotonic() - self._asked < ASK_SECONDS:
            return True
        self._asked = time.monotonic()
        try:
            return self._launcher.going(self._handle)
        except Exception as error:  # of whatever kind a cluster that does not answer raises
            log.warning("The cluster cannot be asked for worker %s now: %s. It is tried again.", self._handle, error)
            return True

    def _tell(self, attempt: Attempt) -> None:
        """Tell the worker to end if its lease is to stop or to pause; one that still waits is called off."""
        if (self._stopping or self._paused) and not attempt.stopped and not attempt.given_up:
            attempt.stop()
            if not attempt.begun:
                self._launcher.cancel(self._handle)

    def _take(self, attempt: Attempt) -> Told:
        """Record the segments that have come, each once and in order."""
        while self._steps and (path := attempt.segment(self._taken + 1)).exists():
            try:
                segment = Segment.read(path)
            except SealError as error:
                log.warning("%s Its records are made again.", error)
                self._launcher.cancel(self._handle)
                self._drop(attempt)
                return
            self._insist(partial(self._keep_checkpoints, attempt, segment))
            try:
                refused = self._insist(partial(self._store.leases.take, segment))
            except LateError as error:
                refused = dict.fromkeys(self._steps, error)
            self._taken += 1
            path.unlink(missing_ok=True)
            for run, error in refused.items():
                self._leave(run, error)
            pieces = [piece for piece in segment.pieces if piece.run in self._steps]
            for piece in pieces:
                self._steps[piece.run] += piece.steps
            reached = {piece.run: piece.outcome or Reached(self._steps[piece.run]) for piece in pieces}
            if (furthest := max(self._steps.values(), default=0)) > self._furthest:
                self._lost, self._furthest = 0, furthest
            for run in [piece.run for piece in pieces if piece.outcome]:  # also if nobody pulls any more
                del self._steps[run]
                self._left.add(self._index[run])
            yield from reached.items()

    def _keep_checkpoints(self, attempt: Attempt, segment: Segment) -> None:
        """Keep the checkpoints of a segment: before its records, so that none is missing if this process dies."""
        for piece in segment.pieces:
            for step in piece.checkpoints if piece.run in self._steps else ():
                try:
                    self._store.checkpoints.write(piece.run, attempt.checkpoints.read(piece.run, step))
                except CheckpointError as error:  # thinned out meanwhile, or damaged
                    log.warning("%s", error)

    def _hold(self) -> Told:
        """Wait out a pause. The run table says "paused" meanwhile, and each run keeps the event."""
        self._set_paused(True)
        self._held(True)
        try:
            while self._paused and not self._stopping:
                time.sleep(LOOK_SECONDS)
                yield self._here()
        finally:
            if not self._paused or self._stopping:
                self._held(False)
                self._set_paused(False)

    def _set_paused(self, paused: bool) -> None:
        for run in list(self._steps):
            event = Event(self._steps[run] + 1, "paused", paused, time.time())
            self._insist(partial(self._store.set_paused, run, paused))
            try:
                self._insist(partial(self._store.append, run, (), events=[event]))
            except (UnknownRunError, TakenOverError) as error:
                self._leave(run, error)

    def _end_all(self, kind: OutcomeKind, message: str, **values: Any) -> Told:
        for run, step in list(self._steps.items()):
            yield from self._end(run, Outcome(kind, step, Text(message, {**values, "steps": step})))

    def _end(self, run: str, outcome: Outcome) -> Told:
        try:
            self._insist(partial(self._store.end, run, outcome))
        except (UnknownRunError, TakenOverError) as error:
            self._leave(run, error)
            return
        del self._steps[run]
        yield run, outcome

    def _leave(self, run: str, error: Exception) -> None:
        """Leave a run that is no longer ours to record."""
        log.warning("%s", error if not isinstance(error, UnknownRunError) else f"Run {run} was removed.")
        self._steps.pop(run, None)
        self._left.add(self._index[run])

    def _here(self) -> tuple[str, Reached]:
        run, step = next(iter(self._steps.items()))
        return run, Reached(step)

    def _insist(self, write: Callable[[], T]) -> T:
        return insist(self._controls[0], write)
