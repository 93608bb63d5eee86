"""Keeps studies going: queues the runs that they want, and notes what each came to."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import numpy as np

from gradnorm.config import memory
from gradnorm.config.parts import code_refusal
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.lab.lab import Lab, NotHereError
from gradnorm.lab.summary import LOST
from gradnorm.runs.database import PASSING
from gradnorm.runs.faults import DamageError, StoreError
from gradnorm.runs.store import CAN_GO_ON, CannotGoOnError, RunStore, UnknownRunError
from gradnorm.runs.studies import MemberInfo, StudyInfo, StudyState
from gradnorm.studies.base import Member, Result, Study
from gradnorm.studies.registry import study_of

log = logging.getLogger(__name__)

# Runs that are stepped as one program: more of them gain little, and hold up what else is in the queue.
TEAM = 32
# How often a thread looks after the studies.
SECONDS = 0.5
# Endings that say what a run came to.
ENDED = frozenset({"finished", *LOST})


@dataclass(frozen=True)
class Progress:
    """How far a study has got. steps, total: of all runs that it has or will have; total is an upper bound.

    ended: members that have ended, of `count`.  best: key and loss of the best one so far, None before there is one.
    """

    ended: int
    count: int
    steps: int
    total: int
    best: tuple[str, float] | None


class StudyKeeper:
    """Runs the studies of a store on the workers of a lab. Any number of processes may keep one study.

    What a study should do is its state in the store; each process does so with those of its runs that it holds.

    lab: trains the runs; studies on other engines than its own are left to whoever has theirs.
    team: how many runs are trained in lock step at most, 1 … 32.
    """

    def __init__(self, lab: Lab, team: int | None = None) -> None:
        self._lab, self._store, self._team = lab, lab.store, team or TEAM
        self._over = Event()
        self._thread = Thread(target=self._keep, name="gradnorm-studies", daemon=True)
        # The state of each study that was paused or stopped here, and whether none of its runs goes on any more.
        self._held: dict[str, tuple[str, bool]] = {}
        # How many members and results each study had when it wanted nothing more: to ask it takes a while.
        self._asked: dict[str, tuple[int, int]] = {}

    def start(self) -> None:
        """Keep all studies of the store going on a thread, until `close`."""
        if self._thread.ident is None and not self._store.read_only:
            self._thread.start()

    def close(self) -> None:
        """End the thread. The runs go on, or end with the lab."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._over.wait(SECONDS):
            try:
                self.tend_all()
            except (*PASSING, StoreError) as error:
                log.warning("Studies cannot be looked after now: %s. It is tried again.", error)
            except Exception:
                # The thread must outlive it, or no study would ever go on again.
                log.exception("Studies could not be looked after. It is tried again.")
        self._store.close()

    def launch(self, study: Study, title: str = "") -> str:
        """Begin a study and return its id.

        Raises SpecError for networks that would not fit into memory, and for a data set that executes a user's file.
        """
        if code_refusal(study.base):
            raise SpecError(
                "A study should be of a data set that any server of the home may train. "
                f"Found {study.base['dataset']!r}, which executes a file of yours. Train it run by run: gradnorm train."
            )
        for team in teams(study.wanted({}), self._team):
            memory.check([member.spec for member in team])
        name = title or f"{study.title}: {RunSpec.parse(study.base).title.partition(' · ')[0]}"
        made = self._store.studies.create(study.kind, name, study.model_dump(mode="json"), self._lab.engine.name)
        self.tend(made)
        return made

    def tend_all(self) -> None:
        """Tend all studies; one that this build cannot go on with is stopped, and holds up no other."""
        for info in self._store.studies.all():
            try:
                self.tend(info.study)
            except SpecError as error:
                log.warning("Study %s was stopped. %s", info.study, error)
                self.stop(info.study)

    def tend(self, study: str) -> None:
        """Do what a study's state asks of the runs here.

        One that is running gets what has ended noted, what was interrupted queued again and what it wants next queued,
        and is finished where it wants nothing more. Raises UnknownStudyError, SpecError.
        """
        info = self._store.studies.info(study)
        if info.state == "running" and info.engine != self._lab.engine.name:
            return
        if info.state == "running":
            held = self._held.pop(study, None)
            members = self._noted(info)
            for member in members:
                if member.result is None and member.state == "interrupted":
                    self._revive(info, member)
                elif held and member.state in ("running", "paused"):  # it may be about to pause
                    self._steer(self._lab.resume, member)
            self._queue_next(info, members)
        elif info.state != "finished" and self._held.get(study) != (info.state, True):
            self._hold(info)

    def pause(self, study: str) -> None:
        """Hold a study and its runs. Raises UnknownStudyError."""
        self._set(study, "paused")

    def resume(self, study: str) -> None:
        """Let a study that was paused or stopped go on; its runs go on from their last checkpoints.

        Runs that failed are tried again. Raises UnknownStudyError.
        """
        info = self._store.studies.info(study)
        if info.state != "running":
            for member in self._store.studies.members(study):
                failed = member.result is not None and member.result["outcome"] == "failed"
                if failed:
                    self._store.studies.reopen(study, member.key)
                if member.state == "stopped" or failed:
                    self._revive(info, member)
            self._asked.pop(study, None)
        self._set(study, "running")

    def stop(self, study: str) -> None:
        """End a study and its runs; `resume` lets it go on. Raises UnknownStudyError."""
        self._set(study, "stopped")

    def _set(self, study: str, state: StudyState) -> None:
        self._store.studies.set_state(study, state)
        self.tend(study)

    def _noted(self, info: StudyInfo) -> list[MemberInfo]:
        """Return a study's members, after noting what those that have ended since came to.

        A run that was stopped came to nothing: it goes on with the study. One that was deleted is made anew.
        """
        self._store.reap()
        found: dict[str, dict[str, Any]] = {}
        for member in self._store.studies.members(info.study):
            if member.result is None and member.state is None:
                self._store.studies.forget(info.study, member.key)
            elif member.result is None and member.state in ENDED:
                with suppress(UnknownRunError):  # deleted this moment
                    found[member.key] = result_of(self._store, member.run, member.state).to_dict()
        if found:
            self._store.studies.keep(info.study, found)
        return self._store.studies.members(info.study)

    def _queue_next(self, info: StudyInfo, members: Sequence[MemberInfo]) -> None:
        """Queue the next team that a study wants; where it wants none, note that it has finished, or was stopped."""
        # One team waits at a time, so that what others queue gets its turn between them.
        if any(member.state == "queued" for member in members):
            return
        results, counts = results_of(members), (len(members), sum(member.result is not None for member in members))
        if self._asked.get(info.study) != counts:
            known = {member.key for member in members}
            wanted = study_of(info.kind, info.spec).wanted(results)
            for team in teams([member for member in wanted if member.key not in known], self._team)[:1]:
                entries = [(member.key, member.spec.title, member.spec.settled().flat()) for member in team]
                self._store.studies.add_team(info.study, entries, team[0].spec.dataset.task_names)
                self._lab.warm()
                return
            self._asked[info.study] = counts
        if all(member.result is not None for member in members):
            self._store.studies.set_state(info.study, "finished")
        elif all(member.result is not None or member.state == "stopped" for member in members):
            self._store.studies.set_state(info.study, "stopped")

    def _hold(self, info: StudyInfo) -> None:
        """Pause or stop the runs of a study, and note when none goes on. What waits in the queue is taken out of it."""
        going = ("queued", "running") if info.state == "paused" else ("queued", "running", "paused")
        members = [each for each in self._store.studies.members(info.study) if each.state in going]
        for member in members:
            pauses = info.state == "paused" and member.state != "queued"
            self._steer(self._lab.pause if pauses else self._lab.stop, member)
        self._held[info.study] = (info.state, not members)

    def _steer(self, action: Callable[[str], None], member: MemberInfo) -> None:
        with suppress(NotHereError, UnknownRunError):
            action(member.run)

    def _revive(self, info: StudyInfo, member: MemberInfo) -> None:
        """Queue a member's run again, with its team; one that cannot go on is left, and made anew."""
        try:
            self._lab.go_on(member.run)
        except UnknownRunError:
            return
        except CannotGoOnError as error:
            if self._store.info(member.run).state in CAN_GO_ON:
                log.warning("%s", error)
                self._store.studies.forget(info.study, member.key)


def teams(members: Sequence[Member], most: int = TEAM) -> list[Sequence[Member]]:
    """Return members in groups that are trained in lock step: of one data set and length, and `most` at most.

    Networks for pictures are stepped one after another. They share the pictures of their seed, and no more than that.
    """
    alike: dict[Any, list[Member]] = defaultdict(list)
    for member in members:
        spec = member.spec
        network = spec.dataset.networks[0] if spec.network == "auto" else spec.network
        alike[spec.dataset, spec.steps, network, None if network == "mlp" else spec.seed].append(member)
    made: list[Sequence[Member]] = []
    for group in alike.values():
        # Of equal size, so that none is left with a few runs that cost almost as much.
        size = -(-len(group) // -(-len(group) // most))
        made += [group[at : at + size] for at in range(0, len(group), size)]
    return made


def results_of(members: Sequence[MemberInfo]) -> dict[str, Result]:
    """Return what the members of a study came to that have ended, by key."""
    return {member.key: Result.from_dict(member.result) for member in members if member.result is not None}


def result_of(store: RunStore, run: str, state: str) -> Result:
    """Return what a run that has ended came to; nothing where its records are damaged. Raises UnknownRunError."""
    try:
        snapshot = store.read(run)
    except DamageError as error:
        log.warning("%s", error)
        return Result(state)
    weights = snapshot.vector("weights").astype(np.float64)
    means = [part.mean(0).tolist() if len(part) else [] for part in (weights, weights[len(weights) // 2 :])]
    last = snapshot.evaluations[-1] if snapshot.evaluations and state not in LOST and not snapshot.damage else None
    return Result(
        outcome=state,
        step=last.step if last else snapshot.info.steps,
        loss=last.task_normalized_loss if last else float("nan"),
        losses=tuple(last.losses) if last else (),
        metrics=tuple(last.metrics) if last else (),
        weights=tuple(means[0]),
        late_weights=tuple(means[1]),
    )


def progress(store: RunStore, info: StudyInfo) -> Progress:
    """Return how far a study has got. Raises SpecError for a kind that this build lacks."""
    study, members = study_of(info.kind, info.spec), store.studies.members(info.study)
    results = results_of(members)
    usable = {key: result.loss for key, result in results.items() if result.usable}
    best = min(usable.items(), key=lambda entry: entry[1], default=None)
    count = len(members) if info.state == "finished" else study.size
    steps = store.studies.steps(info.study)
    return Progress(len(results), count, steps, study.steps, best)
