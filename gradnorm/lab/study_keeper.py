"""Keeps studies going: queues the runs that they want, and notes what each came to."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import numpy as np

from gradnorm.config import memory
from gradnorm.config.spec import RunSpec
from gradnorm.lab.lab import Lab, NotHereError
from gradnorm.lab.summary import LOST
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import CannotGoOnError, RunStore, UnknownRunError
from gradnorm.runs.studies import MemberInfo, StudyInfo
from gradnorm.studies.base import Member, Result, Study
from gradnorm.studies.registry import study_of

log = logging.getLogger(__name__)

# Runs that are stepped as one program: more of them gain little, and hold up what else is in the queue.
TEAM = 32
# How often a thread looks after the studies.
SECONDS = 0.5


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

    lab: trains the runs.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab, self._store = lab, lab.store
        self._over = Event()
        self._thread = Thread(target=self._keep, name="gradnorm-studies", daemon=True)

    def start(self) -> None:
        """Keep all studies of the store going on a thread, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """End the thread. The runs go on, or end with the lab."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _keep(self) -> None:
        while not self._over.wait(SECONDS):
            try:
                self.advance_all()
            except Exception:
                # The thread must outlive it, or no study would ever go on again.
                log.exception("Studies could not be looked after. It is tried again.")
        self._store.close()

    def launch(self, study: Study, title: str = "") -> str:
        """Begin a study and return its id. Raises SpecError for networks that would not fit into memory."""
        first = study.wanted({})
        memory.check([member.spec for member in first[:TEAM]])
        name = title or f"{study.title}: {RunSpec.parse(study.base).title}"
        made = self._store.studies.create(study.kind, name, study.model_dump(mode="json"))
        self.advance(made)
        return made

    def advance_all(self) -> bool:
        """Advance each study that is running; return whether there is one."""
        running = [info.study for info in self._store.studies.all() if info.state == "running"]
        for study in running:
            self.advance(study)
        return bool(running)

    def advance(self, study: str) -> None:
        """Note what has ended, queue what is wanted next, and finish a study that wants nothing more.

        Raises UnknownStudyError.
        """
        info = self._store.studies.info(study)
        if info.state != "running":
            return
        members = self._noted(info)
        results = results_of(members)
        for member in members:
            if member.result is None:
                self._revive(member, ("interrupted",))
        known = {member.key for member in members}
        wanted = study_of(info.kind, info.spec).wanted(results)
        missing = [member for member in wanted if member.key not in known]
        for team in teams(missing):
            tasks = team[0].spec.dataset.task_names
            entries = [(member.key, member.spec.title, member.spec.settled().flat()) for member in team]
            self._store.studies.add_team(study, entries, tasks)
        if missing:
            self._lab.warm()
        elif len(results) == len(members):
            self._store.studies.set_state(study, "finished")

    def pause(self, study: str) -> None:
        """Hold a study and its runs; those that wait in the queue are held when their turn comes."""
        self._store.studies.set_state(study, "paused")
        for member in self._open(study):
            with suppress(NotHereError, UnknownRunError):
                self._lab.pause(member.run)

    def resume(self, study: str) -> None:
        """Let a study that was paused or stopped go on; runs that were stopped go on from their last checkpoint."""
        self._store.studies.set_state(study, "running")
        for member in self._store.studies.members(study):
            if member.result is not None and member.result["outcome"] == "stopped":
                self._revive(member, ("stopped",))
                self._store.studies.reopen(study, member.key)
            with suppress(NotHereError, UnknownRunError):
                self._lab.resume(member.run)
        self.advance(study)

    def stop(self, study: str) -> None:
        """End a study and its runs; `resume` lets it go on."""
        self._store.studies.set_state(study, "stopped")
        for member in self._open(study):
            with suppress(NotHereError, UnknownRunError):
                self._lab.stop(member.run)

    def _open(self, study: str) -> list[MemberInfo]:
        return [member for member in self._store.studies.members(study) if member.result is None]

    def _noted(self, info: StudyInfo) -> list[MemberInfo]:
        """Return a study's members, after noting what those that have ended since came to."""
        found: dict[str, dict[str, Any]] = {}
        for member in self._open(info.study):
            try:
                run = self._store.info(member.run)
            except UnknownRunError:  # somebody has deleted it: it is made anew
                self._store.studies.forget(info.study, member.key)
                continue
            if run.ended and run.state != "interrupted":
                found[member.key] = result_of(self._store, run).to_dict()
        if found:
            self._store.studies.keep(info.study, found)
        return self._store.studies.members(info.study)

    def _revive(self, member: MemberInfo, states: Sequence[str]) -> None:
        """Queue a member's run again, with its team, if it ended in one of these states."""
        with suppress(UnknownRunError):
            if self._store.info(member.run).state not in states:
                return
            try:
                self._lab.go_on(member.run)
            except CannotGoOnError as error:
                log.warning("%s", error)


def teams(members: Sequence[Member]) -> list[Sequence[Member]]:
    """Return members in groups that are trained in lock step: of one data set, length and shape, 32 at most.

    Networks for pictures are stepped one after another. They share the pictures of their seed, and no more than that.
    """
    alike: Mapping[Any, list[Member]] = defaultdict(list)
    for member in members:
        spec = member.spec
        network = spec.dataset.networks[0] if spec.network == "auto" else spec.network
        seed = None if network == "mlp" else spec.seed
        shape = network, spec.width, spec.depth
        alike[spec.dataset, seed, spec.steps, spec.epochs, spec.eval_every, shape].append(member)
    # Of equal size, so that none is left with a few runs that cost almost as much.
    return [
        each
        for group in alike.values()
        for each in np.array_split(np.array(group, dtype=object), -(-len(group) // TEAM))  # pyright: ignore
    ]


def results_of(members: Sequence[MemberInfo]) -> dict[str, Result]:
    """Return what the members of a study came to that have ended, by key."""
    return {member.key: Result.from_dict(member.result) for member in members if member.result is not None}


def result_of(store: RunStore, info: RunInfo) -> Result:
    """Return what a run that has ended came to."""
    snapshot = store.read(info.run)
    weights = snapshot.vector("weights").astype(np.float64)
    last = snapshot.evaluations[-1] if snapshot.evaluations and info.state not in LOST else None
    means = [part.mean(0).tolist() if len(part) else [] for part in (weights, weights[len(weights) // 2 :])]
    return Result(
        outcome=info.state,
        step=last.step if last else info.steps,
        loss=last.task_normalized_loss if last else float("nan"),
        losses=tuple(last.losses) if last else (),
        metrics=tuple(last.metrics) if last else (),
        weights=tuple(means[0]),
        late_weights=tuple(means[1]),
    )


def progress(store: RunStore, info: StudyInfo) -> Progress:
    """Return how far a study has got."""
    study, members = study_of(info.kind, info.spec), store.studies.members(info.study)
    results = results_of(members)
    usable = {key: result.loss for key, result in results.items() if result.usable}
    best = min(usable, key=lambda key: usable[key], default=None)
    total = study.size * int(study.base["steps"])
    count = len(members) if info.state == "finished" else study.size
    return Progress(
        len(results), count, store.studies.steps(info.study), total, None if best is None else (best, usable[best])
    )
