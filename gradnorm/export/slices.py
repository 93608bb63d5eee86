"""The records of a run a slice at a time, so that no export holds more of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from gradnorm.runs.records import Evaluation, RunInfo, Snapshot, width
from gradnorm.runs.store import RunStore

# Numbers held in memory at once, those of a step together.
SLICE = 1 << 18


class CutShortError(RuntimeError):
    """A run has lost records while it was exported; the message says how many there should be."""


def as_it_stands(store: RunStore, run: str) -> Snapshot:
    """Return the run as it stands now and its events, without rows and evaluations. Raises UnknownRunError."""
    return store.read(run, sys.maxsize, evaluated_since=sys.maxsize)


def slices(store: RunStore, info: RunInfo) -> Iterator[Snapshot]:
    """Yield rows and evaluations up to step `info.steps` in slices of at most SLICE numbers; at least one slice.

    What a running run adds meanwhile is left out. The first slice has the evaluation before the first step, too.
    Raises UnknownRunError if the run is deleted meanwhile, CutShortError if records are taken back.
    """
    for since, evaluated, until in _bounds(info):
        yield _read(store, info, since, evaluated, until)


def evaluations(store: RunStore, info: RunInfo) -> Iterator[Evaluation]:
    """Yield the evaluations up to step `info.steps`, in their order. Raises what `slices` raises."""
    for _, evaluated, until in _bounds(info):
        yield from _read(store, info, sys.maxsize, evaluated, until).evaluations


def _bounds(info: RunInfo) -> Iterator[tuple[int, int, int]]:
    """Yield the cursors of rows and of evaluations, and the last step of each slice."""
    size = max(1, SLICE // width(len(info.tasks), info.quantities))
    # A fork's own records begin where it was forked.
    for since in range(info.forked_at, max(info.steps, info.forked_at + 1), size):
        yield since, -1 if since == info.forked_at else since, min(since + size, info.steps)


def _read(store: RunStore, info: RunInfo, since: int, evaluated: int, until: int) -> Snapshot:
    snapshot = store.read(info.run, since, until, evaluated, known_events=sys.maxsize)
    if snapshot.info.steps < until:
        raise CutShortError(
            f"Run {info.run} should keep its {info.steps:,} steps until it is written. Found {snapshot.info.steps:,}: "
            "it is about to go on from a checkpoint. Export it again."
        )
    return snapshot
