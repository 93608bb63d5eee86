"""What the user of a run should hear: of tasks that cannot improve or are solved, and of first losses near 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gradnorm.config.spec import methods
from gradnorm.methods.small_start import STEPS, SmallStart, SmallStarts
from gradnorm.runs.records import Snapshot
from gradnorm.runs.solved_tasks import Solved, solved
from gradnorm.runs.stuck_tasks import Stuck, stuck

if TYPE_CHECKING:
    from gradnorm.runs.store import RunStore


@dataclass(frozen=True)
class Trouble:
    """A task that GradNorm gives a weight which does nobody good.

    task: its index, from 0.  sentence: why.  hold: whether it helps to hold its weight where it is.
    """

    task: int
    sentence: str
    hold: bool = True


def troubles(store: RunStore, run: str) -> list[Trouble]:
    """Return the tasks in trouble after the newest step of a run, by index.

    A held task is in none, nor is any task where the method sets no targets. Where α is 0 no rate raises a weight, so
    that only solved tasks are told. A run that diverged is past such advice.
    Raises UnknownRunError.
    """
    newest = store.read(run, max(0, store.info(run).steps - STEPS), evaluated_since=-1)
    info = newest.info
    settings = {**info.spec, **{event.key: event.value for event in newest.events}}
    method = methods().get(str(settings.get("method")))
    if method is None or not method.sets_targets or info.state == "diverged":
        return []
    held = {int(number) - 1 for number in settings.get("hold", ())}
    named: dict[int, SmallStart | Stuck | Solved] = {each.task: each for each in _solved(newest)}
    if settings.get("alpha") != 0:
        named |= {each.task: each for each in (*_small_starts(newest), *stuck(newest.evaluations))}
    return [
        Trouble(i, named[i].sentence(info.tasks[i]), hold=not isinstance(named[i], Solved))
        for i in sorted(named.keys() - held)
    ]


def _small_starts(newest: Snapshot) -> list[SmallStart]:
    """Return the tasks whose training loss has stayed far above the first one. newest: the last steps."""
    watch, small = SmallStarts(len(newest.info.tasks)), list[SmallStart]()
    for losses, ratios in zip(newest.vector("losses").tolist(), newest.vector("loss_ratios").tolist(), strict=True):
        pairs = zip(losses, ratios, strict=True)
        small = watch.take(losses, [loss / ratio if ratio > 0 else math.nan for loss, ratio in pairs])
    return small


def _solved(newest: Snapshot) -> list[Solved]:
    """Return the task that is as good as solved and in the others' way. newest: the last steps."""
    weighted = newest.vector("weights") * newest.vector("losses")
    return solved(newest.evaluations, weighted, newest.vector("gradient_norms"))
