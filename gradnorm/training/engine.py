"""From specs to records: one run, or several in lock step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from gradnorm.balancer.arguments import ZeroFirstLossError
from gradnorm.common.texts import filled, joined
from gradnorm.config.spec import RunSpec
from gradnorm.config.variants import task_texts
from gradnorm.datasets.base import Source
from gradnorm.methods.base import NonFiniteLossError
from gradnorm.runs.devices import AS_ONE, PROCESSES
from gradnorm.runs.records import Checkpoint, Event, Outcome, Record
from gradnorm.training.autograd_stepper import AutogradStepper
from gradnorm.training.batched.group import Result, fits, partition
from gradnorm.training.batched.threads import ThreadedGroup
from gradnorm.training.control import Control
from gradnorm.training.pacer import Pacer
from gradnorm.training.problem_stepper import stepper_of
from gradnorm.training.processes import Part, asked
from gradnorm.training.run import Run, device_name, nothing_to_learn

# An exception takes the place of the last record of a run that could not go on.
Item = Record | Exception


@dataclass(frozen=True)
class Entry:
    """One run to be trained.

    spec: what to train.
    control: steers the run from another thread; see `Control`.
    on_device: called with the name of the run's device, once the run is built.
    start: a checkpoint of this run to go on from. The numbers are then those of a run that was never interrupted.
    branch: whether `start` is a checkpoint of another run with the same data and network. The first record is then
        the evaluation of that network.
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
) -> Generator[Record]:
    """Train one run and yield its records: StepRecords, Evaluations, Checkpoints, Events, and an Outcome last.

    The first record is the evaluation of the untrained network (step 0). It gives the L_i(0) of the test losses.
    An evaluation follows every `spec.eval_every` steps and the last one. With `spec.patience` the run may end early,
    and its last evaluation and checkpoint are those of the network with the best validation loss.
    The arguments are those of `Entry`. A loss that is not finite is no exception: the run's Outcome is then "diverged".

    Raises SpecError if the spec asks for a device that is not there, and DataError if data cannot be read.

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
    entry = Entry(spec, control or Control(), on_device, start, branch)
    with closing(train_group([lambda: entry])) as items:
        for _, item in items:
            if isinstance(item, Exception):
                raise item
            yield item


def train_group(entries: Sequence[Callable[[], Entry]], left: set[int] | None = None) -> Generator[tuple[int, Item]]:
    """Train several runs in lock step, and yield (index of the run, record).

    Between two steps of a run lies a step of every other run that is as far as it is. A run that is behind the others,
    as after a crash, catches up first. An exception takes the place of the last record of a run that could not go on;
    the other runs go on. A run's other records are those of `train`.

    entries: each is called once, when the first record is pulled. What it raises ends its own run.
    left: the indexes of runs whose records are no longer wanted. The caller may add to it at any time.
    """
    left = set() if left is None else left
    members: list[_Member] = []
    sources: dict[Any, Source] = {}
    for index, entry_of in enumerate(entries):
        if index in left:
            continue
        try:
            entry = entry_of()
            members.append(_Member(index, entry, _built(entry, sources)))
        except Exception as error:
            yield index, error
    rounds = [_Rounds([members[i] for i in group], left) for group in partition([m.run for m in members])]
    try:
        for group in rounds:
            yield from group.begin()
        going = rounds
        while going := [group for group in going if group.going]:
            behind = min(group.step for group in going)
            for group in going:
                if group.step == behind:
                    yield from group.play()
                if not group.going:
                    group.close()
    finally:
        for group in rounds:
            group.close()


@dataclass(eq=False)
class _Member:
    """A run of a group. over: nothing more comes of it."""

    index: int
    entry: Entry
    run: Run
    over: bool = False

    def end(self, last: Item) -> tuple[int, Item]:
        """Return the run's last item."""
        self.over = True
        return self.index, last


def _built(entry: Entry, sources: dict[Any, Source]) -> Run:
    """Return a run at its start. sources: the data that are loaded already, by data set and seed."""
    key = (entry.spec.dataset, entry.spec.seed)
    run = Run.build(entry.spec, sources.get(key))
    sources[key] = run.source
    if entry.start is not None:
        run.restore(entry.start, entry.branch)
    return run


class _Rounds:
    """Runs stepped as one program, or a single run. A round is one training step of each.

    left: see `train_group`.
    """

    def __init__(self, members: Sequence[_Member], left: set[int]) -> None:
        self._members, self._left = list(members), left
        self._stepper: ThreadedGroup | AutogradStepper | None = None
        self._pacer = Pacer(_pace(members))

    @property
    def going(self) -> list[_Member]:
        """The members that have not ended."""
        return [member for member in self._members if not member.over and member.index not in self._left]

    @property
    def step(self) -> int:
        """The number of steps taken; also while the last member that was going is being left out."""
        return self._members[0].run.taken

    def begin(self) -> Iterator[tuple[int, Item]]:
        """Yield what comes before the first step: the first evaluations."""
        told, processes = device_name(self._members[0].run.device), Part.own().size
        if len(self._members) > 1:
            told = AS_ONE.format(device=told, count=len(self._members))
        elif processes > 1:
            told = PROCESSES.format(device=told, count=processes)
        for member in self.going:
            try:
                if member.entry.start is None or member.entry.branch:
                    yield member.index, member.run.evaluate()
                if member.entry.on_device is not None:
                    member.entry.on_device(told)
            except Exception as error:
                yield member.end(error)

    def play(self) -> Iterator[tuple[int, Item]]:
        """Yield what comes of one round: of the changes that were asked for, and of a step."""
        self._pacer.wait(lambda: any(member.entry.control.stopping for member in self.going), self._tell_of_rest)
        for member in self.going:
            yield from self._obey(member)
        stepper = self._regrouped()
        if stepper is None:
            return
        for member, result in zip(self._members, stepper.step(), strict=True):
            yield from self._take(member, result)

    def _tell_of_rest(self) -> None:
        for member in self.going:
            member.entry.control.before_rest()

    def close(self) -> None:
        """End the threads that make batches and take steps."""
        if self._stepper is not None:
            self._stepper.close()
            self._stepper = None

    def _obey(self, member: _Member) -> Iterator[tuple[int, Item]]:
        """Do what is due before a step: the end, a stop, changes."""
        run = member.run
        due = asked(run.over, member.entry.control)
        if due.over:
            yield member.end(Outcome("finished", run.taken, run.ending))
        elif due.stopping:
            yield from self._checkpoint(member)
            yield member.end(
                Outcome("stopped", run.taken, filled("Stopped by hand after {steps:,} steps.", steps=run.taken))
            )
        elif due.changes:
            try:
                self._stepping().retune(self._members.index(member), due.changes)
            except ValueError as error:
                yield member.end(error)
                return
            yield from ((member.index, event) for event in _events(run.taken + 1, due.changes))
            yield from self._checkpoint(member)  # or a resumed run would not know of the change

    def _stepping(self) -> ThreadedGroup | AutogradStepper:
        """Return what steps the runs, made when it is first needed."""
        if self._stepper is None:
            runs = [member.run for member in self._members]
            self._stepper = ThreadedGroup(runs) if fits(runs[0]) else stepper_of(runs[0])
        return self._stepper

    def _regrouped(self) -> ThreadedGroup | AutogradStepper | None:
        """Return what steps the runs that have not ended; None if all have."""
        going = self.going
        if len(going) < len(self._members):
            if self._stepper is not None:
                self._stepper.settle()
            self.close()
            self._members = going
            self._pacer = Pacer(_pace(going))
        return self._stepping() if going else None

    def _take(self, member: _Member, result: Result) -> Iterator[tuple[int, Item]]:
        """Yield what comes of one run's step."""
        run, spec = member.run, member.run.spec
        if isinstance(result, Exception):
            yield member.end(_ending(result, run))
            return
        yield member.index, result
        try:
            run.validate()
            if run.taken % spec.eval_every == 0 or run.over:
                evaluation = run.evaluate()
                yield member.index, evaluation
                for name, loss in zip(run.balancer.names, evaluation.losses, strict=True):
                    if not math.isfinite(loss):
                        yield member.end(_diverged(NonFiniteLossError(name, loss), run))
                        return
            if run.taken % (spec.checkpoint_every or 1) == 0 or run.over:
                yield from self._checkpoint(member)
        except Exception as error:
            yield member.end(error)

    def _checkpoint(self, member: _Member) -> Iterator[tuple[int, Item]]:
        """Yield the run's whole state, where its spec asks for checkpoints."""
        if member.run.spec.checkpoint_every:
            yield member.index, self._stepping().checkpoint(self._members.index(member))


def _events(step: int, changes: Mapping[str, Any]) -> list[Event]:
    """Return live changes as records. step: the first that uses the new values."""
    now = time.time()
    return [Event(step, key, list(v) if isinstance(v, tuple) else v, now) for key, v in changes.items()]


def _ending(error: Exception, run: Run) -> Item:
    """Return the last item of a run whose step failed."""
    if isinstance(error, NonFiniteLossError):
        return _diverged(error, run)
    if isinstance(error, ZeroFirstLossError):
        return nothing_to_learn(error.task, "first batch")
    return error


def _pace(members: Sequence[_Member]) -> float:
    """Return the pace of runs in step: the slowest that is asked for counts."""
    return min((pace for member in members if (pace := member.run.spec.pace)), default=0.0)


def _diverged(error: NonFiniteLossError, run: Run) -> Outcome:
    names = run.balancer.names
    task = task_texts(run.spec.flat(), names)[names.index(error.task)]
    told = {"task": task, "value": str(error.value), "step": run.taken}
    parts = [
        filled("The loss of '{task}' became {value} at step {step:,}.", **told),
        filled("Try a learning rate ten times lower, or standardised targets."),
    ]
    return Outcome("diverged", run.taken, joined(parts, " "), task=error.task, value=error.value)
