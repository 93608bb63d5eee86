"""A run for TensorBoard: its scalars as an event file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from gradnorm.runs.records import Evaluation, RunInfo, Snapshot, columns
from gradnorm.runs.store import RunStore

# Steps held in memory at once.
SLICE = 32_768


def write(store: RunStore, run: str, folder: Path) -> None:
    """Write a run's records as an event file into a folder, which is made if missing; an event a step.

    Training scalars are named vector/task (weights/price), besides alpha and imbalance; those of evaluations
    test/losses/task, test/loss_ratios/task, test/METRIC/task and test/task_normalized_loss. Numbers that are
    not finite are left out. The records do not say when a step was taken: its wall time is the run's start and the
    step's share of the seconds that it trained.
    Raises UnknownRunError, OSError.
    """
    info = store.info(run)
    folder.mkdir(parents=True, exist_ok=True)

    from tensorboardX import FileWriter

    writer = FileWriter(str(folder))
    try:
        for evaluation in store.read(run, info.steps, evaluated_since=-1).evaluations:
            _add(writer, info, evaluation.step, _tested(evaluation, info.tasks))
        for since in range(info.forked_at, info.steps, SLICE):
            for step, numbers in _trained(store.read(run, since, min(since + SLICE, info.steps))):
                _add(writer, info, step, numbers)
    finally:
        writer.close()


def _add(writer: Any, info: RunInfo, step: int, numbers: Iterable[tuple[str, float]]) -> None:
    from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

    values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers if math.isfinite(value)]
    taken = max(1, info.steps - info.forked_at)
    when = info.created + info.seconds * (step - info.forked_at) / taken
    writer.add_summary(Summary(value=values), step, when)


def _trained(snapshot: Snapshot) -> Iterator[tuple[int, Iterable[tuple[str, float]]]]:
    info = snapshot.info
    names = columns(info.tasks, info.quantities, "/")
    for step, *numbers in snapshot.rows.tolist():
        yield int(step), zip(names[1:], numbers, strict=True)


def _tested(evaluation: Evaluation, tasks: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    yield "test/task_normalized_loss", evaluation.task_normalized_loss
    for i, task in enumerate(tasks):
        yield f"test/losses/{task}", evaluation.losses[i]
        yield f"test/loss_ratios/{task}", evaluation.loss_ratios[i]
        for metric, value in evaluation.metrics[i].items():
            yield f"test/{metric}/{task}", value
