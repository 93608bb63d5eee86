"""Curves of groups over one axis: steps, seconds or epochs. Seeds become a mean and a band."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gradnorm.comparison.groups import Group
from gradnorm.comparison.loading import LOST, ComparedRun
from gradnorm.comparison.measures import Measure
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.runs.damage import Damage, sentence
from gradnorm.runs.records import Snapshot

if TYPE_CHECKING:
    from gradnorm.runs.store import RunStore

By = Literal["step", "time", "epoch"]
AXES: tuple[By, ...] = get_args(By)
# Points of a line; a still chart shows no more. Steps that are read at a time.
MOST_POINTS, SLICE = 1000, 50_000

Numbers = NDArray[np.float64]
Line = tuple[Numbers, Numbers]


@dataclass(frozen=True)
class Curve:
    """A measure of a group over an axis.

    x, mean: shape [points].  low, high: mean ± the standard deviation over seeds; None of a single run.
    n: how many runs.
    """

    label: str
    x: Numbers
    mean: Numbers
    low: Numbers | None
    high: Numbers | None
    n: int


def scale(run: ComparedRun, by: By) -> float | None:
    """Return what one step of a run is on the axis: 1, seconds at its mean pace, or epochs; None where not known.

    Records hold no time of their own, so a pause counts for nothing and each step took as long as any other.
    """
    if by == "step":
        return 1.0
    if by == "time":
        own = run.info.steps - run.info.forked_at
        return run.info.seconds / own if own > 0 and run.info.seconds > 0 else None
    try:
        spec = RunSpec.parse(run.info.spec)
    except SpecError:
        return None
    rows = spec.dataset.examples()
    return spec.batch_size / rows if rows else None


def curves(store: RunStore, groups: Sequence[Group], measure: Measure, by: By) -> tuple[list[Curve], list[str]]:
    """Return the curve of each group that has one, and a sentence for each run that is not part of it.

    A group's curve is drawn where all of its runs are, but for those that diverged or failed while others did not.
    Between the steps of a run it is straight.
    Raises UnknownRunError if a run is deleted meanwhile, StoreError.
    """
    found: list[Curve] = []
    told: list[str] = []
    for group in groups:
        whole = [run for run in group.runs if run.info.state not in LOST]
        lines: list[Line] = []
        for run in group.runs:
            per_step = scale(run, by)
            if whole and run not in whole:
                told.append(f"Run {run.info.run} {run.info.state}, and is left out of the curve of {group.label}.")
            elif per_step is None:
                unit = "training time" if by == "time" else "number of training rows"
                named = f"{group.label}, run {run.info.run}"
                told.append(f"A curve by {by} needs the run's {unit}. Found none of {named}. Align by step instead.")
            else:
                # On the axis of time a fork begins where its own steps do.
                start = run.info.forked_at if by == "time" else 0
                damage: list[Damage] = []
                x, y = _tested(run, measure) if measure.tested else _recorded(store, run, measure, damage)
                lines += [((x - start) * per_step, y)] if len(x) else []
                told += filter(None, [sentence(run.info.run, damage)])
        if lines:
            found.append(averaged(group.label, lines))
    return found, told


def averaged(label: str, lines: Sequence[Line]) -> Curve:
    """Return mean and spread of lines over all x that lie on every one of them. lines: 1 or more, x ascending."""
    x = lines[0][0]
    if any(len(line[0]) != len(x) or not np.allclose(line[0], x) for line in lines):
        x = np.unique(np.concatenate([line[0] for line in lines]))
        x = x[(x >= max(line[0][0] for line in lines)) & (x <= min(line[0][-1] for line in lines))]
    values = np.array([np.interp(x, *line) for line in lines])
    mean = values.mean(axis=0)
    if len(lines) == 1 or not len(x):
        return Curve(label, x, mean, None, None, len(lines))
    sd = values.std(axis=0, ddof=1)
    return Curve(label, x, mean, mean - sd, mean + sd, len(lines))


def recorded(groups: Sequence[Group]) -> list[Measure]:
    """Return the measures that training steps of any run record."""
    found: dict[Measure, None] = {}
    for info in (run.info for group in groups for run in group.runs):
        for name, shape in info.quantities:
            if name != "step":
                found |= dict.fromkeys(Measure(name, task) for task in (info.tasks if shape == "task" else ("",)))
    return list(found)


def _tested(run: ComparedRun, measure: Measure) -> Line:
    steps = np.array([step for step, _ in run.measured], np.float64)
    values = np.array([numbers.get(measure, math.nan) for _, numbers in run.measured], np.float64)
    return steps[np.isfinite(values)], values[np.isfinite(values)]


def _recorded(store: RunStore, run: ComparedRun, measure: Measure, damage: list[Damage]) -> Line:
    """Return about `MOST_POINTS` of the finite recorded values of a run, a slice of its steps at a time.

    damage: gets what cannot be read.
    """
    first, last = run.info.forked_at, run.info.steps
    parts: list[Any] = [np.empty((2, 0))]
    for since in range(first, last, SLICE):
        snapshot = store.read(run.info.run, since, min(since + SLICE, last), evaluated_since=sys.maxsize)
        damage += [each for each in snapshot.damage if each.kind == "records"]
        steps, values = snapshot.scalar("step"), _values(snapshot, measure)
        # Every k-th of what was measured, which may itself be one step in ten.
        known = np.flatnonzero(np.isfinite(values))
        every = max(1, math.ceil((last - first) / MOST_POINTS) * len(known) // max(1, len(steps)))
        parts.append(np.stack([steps[known[::every]], values[known[::every]]]))
    steps, values = np.concatenate(parts, axis=1).astype(np.float64)
    return steps, values


def _values(snapshot: Snapshot, measure: Measure) -> Any:
    info = snapshot.info
    if all(measure.quantity != name for name, _ in info.quantities) or measure.task not in ("", *info.tasks):
        return np.full(len(snapshot.rows), np.nan)
    if not measure.task:
        return snapshot.scalar(measure.quantity)
    return snapshot.vector(measure.quantity)[:, info.tasks.index(measure.task)]
