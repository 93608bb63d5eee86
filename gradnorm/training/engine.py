"""From specs to records: one run, or several that go in step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gradnorm.balancer.arguments import ZeroFirstLossError
from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Source
from gradnorm.methods.base import NonFiniteLossError
from gradnorm.runs.records import Checkpoint, Outcome, Record
from gradnorm.training.autograd_stepper import Alone
from gradnorm.training.batched.group import Result, fits, partition
from gradnorm.training.batched.threads import Teams
from gradnorm.training.control import Control
from gradnorm.training.pacer import Pacer
from gradnorm.training.run import Run, device_name, nothing_to_learn


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

    >>> from gradnorm import RunSpec, train
    >>> spec = RunSpec.parse({"dataset": "toy", "tasks": 2, "steps": 3, "checkpoint_every": 0})
    >>> for record in train(spec):
    ...     print(type(record).__name__, record.step)
    Evaluation 0
    StepRecord 1
    StepRecord 2
    StepRecord 3
    Evaluation 3
    Outcome 3
    """
    return enter([lambda: Entry(spec, control or Control(), on_device, start, branch)])[0]


def train_together(specs: Sequence[RunSpec], controls: Sequence[Control] | None = None) -> list[Iterator[Record]]:
    """Train several runs, and return an iterator for each, with what `train` yields and raises.

    Runs of one small network and one data set, which may differ in method, learning rates, schedule, initial values
    and seed, are stepped as one program; the others one by one. Pull from all in turn, from one thread, each until
    its next StepRecord: what comes of a run that nobody pulls waits in memory until its iterator is closed.
    controls: one for each, to steer it by.
    """
    steered = controls or [Control() for _ in specs]
    return enter([partial(Entry, spec, control) for spec, control in zip(specs, steered, strict=True)])


def enter(entries: Sequence[Callable[[], Entry]]) -> list[Iterator[Record]]:
    """Train several runs as `train_together` does.

    entries: each called once, when the first item of any is pulled; what it raises comes out of its own iterator.
    """
    contest = _Contest(entries)
    return [_Records(contest, place) for place in range(len(entries))]


@dataclass
class _Member:
    """A run on its way. items: yielded next.  over: nothing more is to be made."""

    entry: Entry
    run: Run
    items: deque[Record | Exception] = field(default_factory=deque[Record | Exception])
    over: bool = False

    def end(self, last: Record | Exception) -> None:
        """Let this be the last item."""
        self.items.append(last)
        self.over = True


class _Records(Iterator[Record]):
    """One run's records; closed, the others need not carry the run along."""

    def __init__(self, contest: _Contest, place: int) -> None:
        self._contest, self._place = contest, place

    def __next__(self) -> Record:
        try:
            return self._contest.next(self._place)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the run here; nothing more comes."""
        self._contest.leave(self._place)

    def __del__(self) -> None:
        self.close()


class _Contest:
    """Runs that were entered together."""

    def __init__(self, entries: Sequence[Callable[[], Entry]]) -> None:
        self._entries = entries
        self._members: dict[int, _Member] = {}
        self._rounds: dict[int, _Rounds] = {}
        self._failed: dict[int, Exception] = {}
        self._left: set[int] = set()
        self._prepared = False

    def next(self, place: int) -> Record:
        """Return the next record of one run. Raises StopIteration, and what ended the run."""
        if place in self._left:
            raise StopIteration
        if not self._prepared:
            self._prepare()
        if place in self._failed:
            raise self._failed[place]
        member = self._members[place]
        while not member.items:
            if member.over:
                raise StopIteration
            self._rounds[place].play()
        item = member.items.popleft()
        if isinstance(item, Exception):
            raise item
        return item

    def leave(self, place: int) -> None:
        """Nobody pulls this run's records any more."""
        self._left.add(place)
        if place in self._rounds:
            self._members[place].over = True
            self._members[place].items.clear()
            self._rounds[place].close_if_over()

    def _prepare(self) -> None:
        self._prepared = True
        sources: dict[Any, Source] = {}
        for place, enter in enumerate(self._entries):
            if place in self._left:
                continue
            try:
                self._members[place] = _built(enter(), sources)
            except Exception as error:
                self._failed[place] = error
        places = list(self._members)
        for group in partition([member.run for member in self._members.values()]):
            rounds = _Rounds([self._members[places[i]] for i in group])
            self._rounds |= {places[i]: rounds for i in group}


def _built(entry: Entry, sources: dict[Any, Source]) -> _Member:
    """Return a run at its start, its first items made; `sources` has the data that are loaded already."""
    key = (entry.spec.dataset, entry.spec.seed)
    run = Run.build(entry.spec, sources.get(key))
    sources[key] = run.source
    if entry.start is not None:
        run.restore(entry.start, entry.branch)
    member = _Member(entry, run)
    if entry.start is None or entry.branch:
        member.items.append(run.evaluate())
    return member


class _Rounds:
    """Runs in step: each round is one training step of all that are still going."""

    def __init__(self, members: Sequence[_Member]) -> None:
        self._going = list(members)
        self._stepper: Teams | Alone | None = None
        device = device_name(members[0].run.device)
        told = device if len(members) == 1 else f"{device}, {len(members)} runs as one program"
        for member in members:
            try:
                if member.entry.on_device is not None:
                    member.entry.on_device(told)
            except Exception as error:
                member.end(error)
        self._pacer = Pacer(_pace(members))

    def play(self) -> None:
        """Play one round: what was asked for, then a step."""
        for place, member in enumerate(self._going):
            if not member.over:
                self._obey(place, member)
        stepper = self._regrouped()
        if stepper is None:
            return
        self._pacer.wait()
        for place, (member, result) in enumerate(zip(self._going, stepper.step(), strict=True)):
            self._take(place, member, result)
        self.close_if_over()

    def close_if_over(self) -> None:
        """End the threads of runs that have all ended."""
        if self._stepper is not None and all(member.over for member in self._going):
            self._stepper.close()
            self._stepper = None

    def _obey(self, place: int, member: _Member) -> None:
        """Do what is due before a step: the end, a stop, changes."""
        run, control = member.run, member.entry.control
        if run.taken >= run.spec.steps:
            member.end(Outcome("finished", run.taken, f"Finished all {run.taken:,} steps."))
        elif control.stopping:
            self._keep(place, member)
            member.end(Outcome("stopped", run.taken, f"Stopped by hand after {run.taken:,} steps."))
        elif changes := control.take_changes():
            try:
                self._stepping().retune(place, changes)
            except ValueError as error:
                member.end(error)
            else:
                self._keep(place, member)  # or a resumed run would not know of the change

    def _stepping(self) -> Teams | Alone:
        """Return what steps the runs, made when it is first needed."""
        if self._stepper is None:
            runs = [member.run for member in self._going]
            self._stepper = Teams(runs) if fits(runs[0]) else Alone(runs[0])
        return self._stepper

    def _regrouped(self) -> Teams | Alone | None:
        """Return what steps the runs, without those that have ended; None if all have."""
        going = [member for member in self._going if not member.over]
        if len(going) < len(self._going):
            if self._stepper is not None:
                self._stepper.settle()
                self._stepper.close()
            self._stepper, self._going = None, going
            self._pacer = Pacer(_pace(going))
        return self._stepping() if going else None

    def _take(self, place: int, member: _Member, result: Result) -> None:
        run, spec = member.run, member.run.spec
        if isinstance(result, NonFiniteLossError):
            member.end(_diverged(result, run.taken))
        elif isinstance(result, ZeroFirstLossError):
            member.end(nothing_to_learn(result.task, "first batch"))
        elif isinstance(result, Exception):
            member.end(result)
        else:
            member.items.append(result)
            last = run.taken == spec.steps
            if run.taken % spec.eval_every == 0 or last:
                evaluation = run.evaluate()
                member.items.append(evaluation)
                for name, loss in zip(run.balancer.names, evaluation.losses, strict=True):
                    if not math.isfinite(loss):
                        member.end(_diverged(NonFiniteLossError(name, loss), run.taken))
                        return
            if spec.checkpoint_every and (run.taken % spec.checkpoint_every == 0 or last):
                self._keep(place, member)

    def _keep(self, place: int, member: _Member) -> None:
        if member.run.spec.checkpoint_every:
            member.items.append(self._stepping().checkpoint(place))


def _pace(members: Sequence[_Member]) -> float:
    """Return the pace of runs in step: the slowest that is asked for counts."""
    return min((pace for member in members if (pace := member.run.spec.pace)), default=0.0)


def _diverged(error: NonFiniteLossError, step: int) -> Outcome:
    message = (
        f"The loss of {error.task!r} became {error.value} at step {step:,}. "
        "Try a learning rate ten times lower, or standardised targets."
    )
    return Outcome("diverged", step, message, task=error.task, value=error.value)
