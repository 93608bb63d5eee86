"""What the user of a run should hear: of tasks that cannot improve, and of first losses near 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradnorm.config.spec import methods
from gradnorm.methods.small_start import SmallStart, small_starts
from gradnorm.runs.records import Evaluation, Snapshot
from gradnorm.runs.stuck_tasks import stuck


@dataclass(frozen=True)
class Trouble:
    """A task that GradNorm gives a weight which does nobody good. task: its index, from 0.  sentence: why."""

    task: int
    sentence: str


def troubles(snapshot: Snapshot) -> list[Trouble]:
    """Return the tasks in trouble, by index.

    A held task is in none, nor is any task where α is 0 or the method sets no targets: no rate raises its weight then.
    A run that diverged is past such advice.
    snapshot: of one run, with all its evaluations and events.
    """
    info, evaluations = snapshot.info, snapshot.evaluations
    settings = {**info.spec, **{event.key: event.value for event in snapshot.events}}
    method = methods().get(str(settings.get("method")))
    if method is None or not method.sets_targets or settings.get("alpha") == 0 or info.state == "diverged":
        return []
    held = {int(number) - 1 for number in settings.get("hold", ())}
    told = {each.task: each for each in (*_small_starts(evaluations), *stuck(evaluations))}
    return [Trouble(i, told[i].sentence(info.tasks[i])) for i in sorted(told.keys() - held)]


def _small_starts(evaluations: Sequence[Evaluation]) -> list[SmallStart]:
    """Return the tasks whose newest test loss is far above that of the untrained network."""
    if not evaluations:
        return []
    newest = evaluations[-1]
    pairs = zip(newest.losses, newest.loss_ratios, strict=True)
    return small_starts(newest.losses, [loss / ratio if ratio > 0 else math.nan for loss, ratio in pairs])
