"""Runs of the same spec but for the seed, as one group; and the options in which groups differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradnorm.common.texts import filled, joined
from gradnorm.comparison.loading import ComparedRun
from gradnorm.config.variants import labels, task_texts


@dataclass(frozen=True)
class Group:
    """Runs that repeat one experiment with other seeds.

    label: tells it from the other groups.  spec: the flat spec without the seed.
    """

    label: str
    spec: Mapping[str, Any]
    runs: tuple[ComparedRun, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of its T tasks."""
        info = self.runs[0].info
        return task_texts(info.spec, info.tasks)

    @property
    def seeds(self) -> list[int]:
        """The seeds that its runs tell, in ascending order."""
        return sorted({run.seed for run in self.runs if run.seed is not None})

    def by_seed(self, values: Sequence[float | None]) -> dict[Hashable, float]:
        """Return a value for each seed, the mean where two runs have the same one; a run without a seed is its own.

        values: of the runs in their order; None leaves one out.
        """
        found: dict[Hashable, list[float]] = {}
        for run, value in zip(self.runs, values, strict=True):
            if value is not None:
                found.setdefault(run.info.run if run.seed is None else run.seed, []).append(value)
        return {seed: sum(each) / len(each) for seed, each in found.items()}


def grouped(runs: Sequence[ComparedRun]) -> list[Group]:
    """Return the groups in the order of their first runs.

    Runs are of one group if their tasks, their specs but for the seed, the step of their fork and their live changes
    are the same.
    """
    found: dict[str, list[ComparedRun]] = {}
    for run in runs:
        found.setdefault(_identity(run), []).append(run)
    specs = [_without_seed(members[0]) for members in found.values()]
    names = _told_apart(labels(specs), list(found.values()))
    return [Group(name, spec, tuple(members)) for name, spec, members in zip(names, specs, found.values(), strict=True)]


def differing(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """Return the options in which groups differ: a value for each group, None where its spec has no such option."""
    keys = dict.fromkeys(key for group in groups for key in group.spec)
    values = {key: [group.spec.get(key) for group in groups] for key in keys}
    return {key: each for key, each in values.items() if any(value != each[0] for value in each)}


def _without_seed(run: ComparedRun) -> dict[str, Any]:
    return {key: value for key, value in run.info.spec.items() if key != "seed"}


def _identity(run: ComparedRun) -> str:
    changes = [(event.step, event.key, event.value) for event in run.changes]
    return json.dumps([run.info.tasks, _without_seed(run), run.info.forked_at, changes], sort_keys=True, default=str)


def _told_apart(names: Sequence[str], groups: Sequence[Sequence[ComparedRun]]) -> list[str]:
    """Add to names what no spec tells, and to those that are still the same the end of a run's id.

    A name that a user gave to all runs of a group takes the place of its own.
    """
    told: list[str] = []
    for name, members in zip(names, groups, strict=True):
        first, given = members[0], {run.info.labels.name for run in members}
        if len(given) == 1 and first.info.labels.name:
            told.append(first.info.labels.name)
            continue
        step = first.info.forked_at
        full = filled("{name} from step {step:,}", name=name, step=step) if step else name
        told.append(filled("{name} (changed live)", name=full) if first.changes else full)
    count = Counter(told)
    return [
        name if count[name] == 1 else joined([name, f"({members[0].info.run[-6:]})"], " ")
        for name, members in zip(told, groups, strict=True)
    ]
