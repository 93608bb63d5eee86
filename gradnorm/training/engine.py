"""From specs to records: one run, or several that go in step."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gradnorm.balancing.base import NonFiniteLossError
from gradnorm.records import Checkpoint, Outcome, Record
from gradnorm.spec import RunSpec
from gradnorm.training.alone import Alone
from gradnorm.training.control import Control
from gradnorm.training.group import Result, fits, partition
from gradnorm.training.run import Run, device_name
from gradnorm.training.teams import Teams


@dataclass(frozen=True)
class Entry:
    """One run to be trained.

    control: steers the run from another thread; see `Control`.
    on_device: told what the run is trained on, once it is built.
    start: goes on from a checkpoint of this run instead, with the very numbers of a run never interrupted.
    branch: `start` is another run's, of the same data and network; the first item is then its evaluation.
    """

    spec: RunSpec
    control: Control = field(default_factory=Control)
    on_device: Callable[[str], None] | None = None
    start: Checkpoint | None = None
    branch: bool = False


def train(
    spec: RunSpec,
    control: Control | None = None,
    on_device: Callable[[str], None] | None = None,
    *,
    start: Checkpoint | None = None,
    branch: bool = False,
) -> Iterator[Record]:
    """Train, and yield what happened: a StepRecord for each step, Evaluations, Checkpoints, and an Outcome last.

    The first item is the evaluation of the untrained network (step 0), which gives the L_i(0) of the test
    losses; then one every `spec.eval_every` steps, and one at the end.
    The other arguments are those of `Entry`.
    Raises SpecError if the spec asks for a device that is not there. A loss that is not finite is no
    exception: the run's Outcome is then "diverged".
    """
    return enter([lambda: Entry(spec, control or Control(), on_device, start, branch)])[0]


def train_together(specs: Sequence[RunSpec], controls: Sequence[Control] | None = None) -> list[Iterator[Record]]:
    """Train several runs, and return an iterator for each, with what `train` yields and raises.

    Runs of one small network and one data set, which may differ in method, learning rates, schedule, initial values
    and seed, are stepped as one program; the others one by one. Pull from all in turn: what comes of a run that
    nobody pulls waits in memory until its iterator is closed.
    controls: one for each, to steer it by.

    >>> records = train_together([RunSpec.parse({"dataset": "toy", "alpha": a}) for a in (0.0, 0.5, 1.5)])
    >>> for together in zip(*records): ...
    """
    steered = controls or [Control() for _ in specs]
    return enter([partial(Entry, spec, control) for spec, control in zip(specs, steered, strict=True)])


def enter(entries: Sequence[Callable[[], Entry]]) -> list[Iterator[Record]]:
    """Train several runs as `train_together` does.

    entries: each called once, when the first item of any is pulled; what it raises comes out of its own iterator.
    """
    contest = _Contest(entries)
    return [contest.records(place) for place in range(len(entries))]


@dataclass
class _Member:
    """A run on its way. items: yielded next.  over: nothing more is to be made."""

    entry: Entry
    run: Run
    items: deque[Record | Exception] = field(default_factory=deque[Record | Exception])
    over: bool = False


class _Contest:
    """Runs that were entered together."""

    def __init__(self, entries: Sequence[Callable[[], Entry]]) -> None:
        self._entries = entries
        self._rounds: dict[int, _Rounds] = {}
        self._failed: dict[int, Exception] = {}
        self._prepared = False

    def records(self, place: int) -> Iterator[Record]:
        """Yield one run's records."""
        if not self._prepared:
            self._prepare()
        if place in self._failed:
            raise self._failed[place]
        rounds, member = self._rounds[place], self._rounds[place].members[place]
        try:
            while member.items or not member.over:
                if not member.items:
                    rounds.play()
                    continue
                item = member.items.popleft()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            rounds.leave(place)

    def _prepare(self) -> None:
        self._prepared = True
        members: dict[int, _Member] = {}
        sources: dict[Any, Any] = {}
        for place, enter in enumerate(self._entries):
            try:
                entry = enter()
                key = (entry.spec.dataset, entry.spec.seed)
                run = Run.build(entry.spec, sources.get(key))
                sources[key] = run.source
                if entry.start is not None:
                    run.restore(entry.start, entry.branch)
                members[place] = _Member(entry, run)
            except Exception as error:
                self._failed[place] = error
        places = list(members)
        for group in partition([member.run for member in members.values()]):
            rounds = _Rounds({places[i]: members[places[i]] for i in group})
            self._rounds |= dict.fromkeys(rounds.members, rounds)


class _Rounds:
    """Runs in step: each round is one training step of all that are still going."""

    def __init__(self, members: Mapping[int, _Member]) -> None:
        self.members = members
        self._list = list(members.values())
        runs = [member.run for member in self._list]
        for member in self._list:
            entry, device = member.entry, device_name(member.run.device)
            if entry.on_device is not None:
                entry.on_device(device if len(runs) == 1 else f"{device}, {len(runs)} runs as one program")
            if entry.start is None or entry.branch:
                member.items.append(member.run.evaluate())
        self._stepper = Teams(runs) if fits(runs[0]) else Alone(runs[0])
        self._pacer = _pacer(self._list)

    def play(self) -> None:
        """Play one round: what was asked for, then a step."""
        changes: dict[int, Mapping[str, Any]] = {}
        for place, member in enumerate(self._list):
            if member.over:
                continue
            if member.run.taken >= member.run.spec.steps:
                self._end(member, Outcome("finished", member.run.taken, f"Finished all {member.run.taken:,} steps."))
            elif member.entry.control.stopping:
                self._keep(place, member)
                message = f"Stopped by hand after {member.run.taken:,} steps."
                self._end(member, Outcome("stopped", member.run.taken, message))
            elif found := member.entry.control.take_changes():
                changes[place] = found
        if all(member.over for member in self._list):
            return
        if changes:
            self._stepper.retune(changes)
            for place in changes:
                self._keep(place, self._list[place])  # or a resumed run would not know of the change
        self._pacer.wait()
        for place, (member, result) in enumerate(zip(self._list, self._stepper.step(), strict=True)):
            if not member.over:
                self._take(place, member, result)

    def leave(self, place: int) -> None:
        """Nobody pulls this run's records any more."""
        member = self.members[place]
        member.over = True
        member.items.clear()
        if all(other.over for other in self._list):
            self._stepper.close()

    def _take(self, place: int, member: _Member, result: Result) -> None:
        run, spec = member.run, member.run.spec
        if isinstance(result, NonFiniteLossError):
            self._end(member, _diverged(result, run.taken))
        elif isinstance(result, ValueError):
            member.items.append(result)
            member.over = True
        else:
            member.items.append(result)
            last = run.taken == spec.steps
            if run.taken % spec.eval_every == 0 or last:
                evaluation = run.evaluate()
                member.items.append(evaluation)
                for name, loss in zip(run.balancer.names, evaluation.losses, strict=True):
                    if not math.isfinite(loss):
                        self._end(member, _diverged(NonFiniteLossError(name, loss), run.taken))
                        return
            if spec.checkpoint_every and (run.taken % spec.checkpoint_every == 0 or last):
                self._keep(place, member)

    def _keep(self, place: int, member: _Member) -> None:
        if member.run.spec.checkpoint_every:
            member.items.append(self._stepper.checkpoint(place))

    @staticmethod
    def _end(member: _Member, outcome: Outcome) -> None:
        member.items.append(outcome)
        member.over = True


class Pacer:
    """Holds a loop back to `pace` rounds a second; 0 lets it run."""

    def __init__(self, pace: float) -> None:
        self._interval = 1 / pace if pace else 0.0
        self._due: float | None = None

    def wait(self) -> None:
        """Return when the next round is due. Time lost to a pause is not made up for."""
        if not self._interval:
            return
        now = time.monotonic()
        # A little delay is caught up, so that the mean pace holds; a pause is not.
        due = now if self._due is None else max(self._due + self._interval, now - 10 * self._interval)
        self._due = due
        if due > now:
            time.sleep(due - now)


def _pacer(members: Sequence[_Member]) -> Pacer:
    """Return the pacer of runs in step: the slowest that is asked for counts."""
    paces = [pace for member in members if (pace := member.run.spec.pace)]
    return Pacer(min(paces, default=0.0))


def _diverged(error: NonFiniteLossError, step: int) -> Outcome:
    message = (
        f"The loss of {error.task!r} became {error.value} at step {step:,}. "
        "Try a learning rate ten times lower, or standardised targets."
    )
    return Outcome("diverged", step, message, task=error.task, value=error.value)
