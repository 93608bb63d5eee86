"""A run for TensorBoard: its scalars as an event file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
from numpy.typing import NDArray

from gradnorm.export.event_file import events, head
from gradnorm.export.slices import slices
from gradnorm.runs.records import Evaluation, RunInfo, columns
from gradnorm.runs.store import RunStore


def write(store: RunStore, run: str, folder: Path) -> None:
    """Write a run's records as an event file into a folder, which is made if missing; an event a step.

    Training scalars are named vector/task (weights/price), besides alpha and imbalance; those of evaluations
    test/losses/task, test/loss_ratios/task, test/METRIC/task and test/task_normalized_loss. Numbers that are
    not finite are left out. The records do not say when a step was taken: its wall time is the run's start and the
    step's share of the seconds that it trained.
    Raises UnknownRunError, OSError; CutShortError if records are taken back meanwhile.
    """
    info = store.info(run)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _name(info)
    # TensorBoard reads files with "tfevents" in their names, so this one is left alone until it is whole.
    partial = folder / f"{run}.tmp"
    try:
        with partial.open("wb") as sink:
            sink.writelines(_parts(store, info))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_zip(store: RunStore, run: str, sink: BinaryIO) -> None:
    """Write the event file in a folder named as the run, as TensorBoard wants it, in a zip.

    sink: need not be seekable.
    Raises what `write` raises.
    """
    info = store.info(run)
    member = ZipInfo(f"{run}/{_name(info)}", time.localtime(info.created)[:6])
    member.compress_type = ZIP_DEFLATED
    # The size is not known before, and may be above 2 GiB.
    with ZipFile(sink, "w") as archive, archive.open(member, "w", force_zip64=True) as file:
        for part in _parts(store, info):
            file.write(part)


def _name(info: RunInfo) -> str:
    return f"events.out.tfevents.{int(info.created)}.{info.run}"


def _parts(store: RunStore, info: RunInfo) -> Iterator[bytes]:
    names = columns(info.tasks, info.quantities, "/")[1:]
    yield head(info.created)
    for snapshot in slices(store, info):
        yield _tests(info, snapshot.evaluations)
        steps = snapshot.rows[:, 0].astype(np.int64)
        yield events(steps, _when(info, steps), names, snapshot.rows[:, 1:])


def _when(info: RunInfo, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    taken = max(1, info.steps - info.forked_at)
    return info.created + info.seconds * (steps - info.forked_at) / taken


def _tests(info: RunInfo, evaluations: Sequence[Evaluation]) -> bytes:
    numbers = [dict(_tested(each, info.tasks)) for each in evaluations]
    tags = list(dict.fromkeys(tag for each in numbers for tag in each))
    steps = np.array([each.step for each in evaluations], np.int64)
    values = np.array([[each.get(tag, np.nan) for tag in tags] for each in numbers]).reshape(len(steps), len(tags))
    with np.errstate(over="ignore"):  # what single precision cannot hold becomes infinite, and is left out
        return events(steps, _when(info, steps), tags, values.astype(np.float32))


def _tested(evaluation: Evaluation, tasks: tuple[str, ...]) -> Iterable[tuple[str, float]]:
    yield "test/task_normalized_loss", evaluation.task_normalized_loss
    for i, task in enumerate(tasks):
        yield f"test/losses/{task}", evaluation.losses[i]
        yield f"test/loss_ratios/{task}", evaluation.loss_ratios[i]
        for metric, value in evaluation.metrics[i].items():
            yield f"test/{metric}/{task}", value
