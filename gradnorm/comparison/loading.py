"""Runs of the store as they are compared; what cannot be read is told in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from gradnorm.comparison.measures import Measure, tested
from gradnorm.runs.damage import sentence
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import Evaluation, Event, RunInfo

if TYPE_CHECKING:
    from gradnorm.runs.store import RunStore

# Dash and colour together tell this many lines apart.
MOST_RUNS = 64
# Endings after which the newest evaluation, which may be that of the untrained network, is no result.
LOST = frozenset({"diverged", "failed"})
# Events that change nothing of what is learnt.
_HARMLESS = frozenset({"paused", "checkpoint"})


@dataclass(frozen=True)
class ComparedRun:
    """A run with its evaluations, and the live changes that its spec does not tell of."""

    info: RunInfo
    evaluations: tuple[Evaluation, ...]
    changes: tuple[Event, ...] = ()

    @property
    def seed(self) -> int | None:
        """The seed; None of a script's run, which tells none."""
        return self.info.spec.get("seed")

    @cached_property
    def measured(self) -> list[tuple[int, dict[Measure, float]]]:
        """The step and the numbers of each evaluation."""
        return [(each.step, tested(self.info.tasks, each)) for each in self.evaluations]


@dataclass(frozen=True)
class Loaded:
    """The runs that could be read, and a sentence for each thing that could not."""

    runs: tuple[ComparedRun, ...]
    faults: tuple[str, ...]


def load(store: RunStore, wanted: Sequence[str]) -> Loaded:
    """Return runs of the store in the order of their ids, each once, without their training records.

    wanted: ids, of which the first `MOST_RUNS` are read. A run that is unknown or damaged becomes a sentence.
    """
    # Needs packages that the library by itself does without.
    from gradnorm.runs.store import UnknownRunError

    ids = list(dict.fromkeys(run for run in wanted if run))
    runs: list[ComparedRun] = []
    faults: list[str] = []
    if len(ids) > MOST_RUNS:
        faults.append(f"Up to {MOST_RUNS} runs can be compared. Found {len(ids)}. The first {MOST_RUNS} are shown.")
    for run in ids[:MOST_RUNS]:
        try:
            snapshot = store.read(run, sys.maxsize, evaluated_since=-1)
        except UnknownRunError:
            faults.append(f"There is no run {run[:40]!r} here. It may have been deleted; the other runs are compared.")
            continue
        except StoreError as error:
            faults.append(f"Run {run} is left out. {error}")
            continue
        faults += filter(None, [sentence(run, snapshot.damage)])
        if snapshot.info.labels.trashed is not None:
            faults.append(f"Run {run} is in the trash. It is compared all the same; the Runs page can restore it.")
        changes = tuple(event for event in snapshot.events if event.key not in _HARMLESS)
        runs.append(ComparedRun(snapshot.info, tuple(snapshot.evaluations), changes))
    return Loaded(tuple(runs), tuple(faults))
