"""A run as a file: one row a step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from gradnorm.runs.plain import json_safe
from gradnorm.runs.records import Evaluation, Snapshot, columns
from gradnorm.runs.store import RunStore

FORMATS = ("csv", "parquet", "json")
MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet", "json": "application/json"}
# Steps held in memory at once.
SLICE = 32_768


def write(store: RunStore, run: str, file_format: str, sink: BinaryIO) -> None:
    """Write a run's records to `sink`, a row a step with column `step`, in slices.

    file_format: "csv", "parquet", or "json" (an object with spec, outcome, steps, evaluations, and events, the live
        changes of the run). Events have no place in a table with a row a step, so CSV and Parquet are without them.
    Training columns are named vector.task, test columns test_losses.task, test_loss_ratios.task,
    test_task_normalized_loss and test_metric.task, the first of the task's metrics; where there are several, each
    is test_metric.task.name, too. A step without evaluation leaves those empty.
    Raises UnknownRunError.
    """
    if file_format == "json":
        sink.write(json.dumps(_as_json(store, run), allow_nan=False).encode())
        return
    tables = _tables(store, run)
    first = next(tables)
    if file_format == "csv":
        with pyarrow.csv.CSVWriter(sink, first.schema) as csv:
            csv.write_table(first)
            for table in tables:
                csv.write_table(table)
        return
    with pq.ParquetWriter(sink, first.schema) as parquet:
        parquet.write_table(first)
        for table in tables:
            parquet.write_table(table)


def _tables(store: RunStore, run: str) -> Iterator[Any]:
    """Yield the run's steps as tables; at least one, which may be empty."""
    since, metrics = 0, _metrics(store, run)
    while True:
        snapshot = store.read(run, since, since + SLICE)
        if since == 0 or len(snapshot.rows):
            yield _table(snapshot, metrics)
        if len(snapshot.rows) < SLICE:
            return
        since += SLICE


def _metrics(store: RunStore, run: str) -> list[list[str]]:
    """Return the names of each task's test metrics, where it has several."""
    info = store.info(run)
    evaluations = store.read(run, info.steps, evaluated_since=-1).evaluations
    if not evaluations:
        return [[] for _ in info.tasks]
    return [list(each) if len(each) > 1 else [] for each in evaluations[0].metrics]


def _table(snapshot: Snapshot, metrics: Sequence[Sequence[str]]) -> Any:
    tasks = snapshot.info.tasks
    steps = snapshot.rows[:, 0].astype(np.int64)
    arrays: dict[str, Any] = {"step": pa.array(steps)}
    for name, column in zip(columns(tasks, snapshot.info.quantities)[1:], snapshot.rows.T[1:], strict=True):
        arrays[name] = pa.array(column, from_pandas=True)
    where = {int(step): i for i, step in enumerate(steps)}
    for name, values in _test_columns(snapshot.evaluations, tasks, metrics, where, len(steps)).items():
        arrays[name] = pa.array(values, from_pandas=True)
    return pa.table(arrays)


def _test_columns(
    evaluations: Sequence[Evaluation],
    tasks: Sequence[str],
    metrics: Sequence[Sequence[str]],
    where: Mapping[int, int],
    size: int,
) -> dict[str, Any]:
    arrays: dict[str, Any] = {"test_task_normalized_loss": np.full(size, np.nan)}
    for task, names in zip(tasks, metrics, strict=True):
        for kind in ("losses", "loss_ratios", "metric"):
            arrays[f"test_{kind}.{task}"] = np.full(size, np.nan)
        for name in names:
            arrays[f"test_metric.{task}.{name}"] = np.full(size, np.nan)
    for evaluation in evaluations:
        i = where.get(evaluation.step)
        if i is None:
            continue
        arrays["test_task_normalized_loss"][i] = evaluation.task_normalized_loss
        for j, task in enumerate(tasks):
            arrays[f"test_losses.{task}"][i] = evaluation.losses[j]
            arrays[f"test_loss_ratios.{task}"][i] = evaluation.loss_ratios[j]
            arrays[f"test_metric.{task}"][i] = next(iter(evaluation.metrics[j].values()), np.nan)
            for name in metrics[j]:
                arrays[f"test_metric.{task}.{name}"][i] = evaluation.metrics[j].get(name, np.nan)
    return arrays


def _as_json(store: RunStore, run: str) -> dict[str, Any]:
    snapshot = store.read(run)
    info = snapshot.info
    names = columns(info.tasks, info.quantities)
    return {
        "run": info.run,
        "spec": dict(info.spec),
        "tasks": list(info.tasks),
        "outcome": info.outcome.to_dict() if info.outcome else None,
        "steps": [dict(zip(names, _plain(row), strict=True)) for row in snapshot.rows],
        "evaluations": [json_safe(e.to_dict()) for e in snapshot.evaluations],
        "events": [json_safe(asdict(event)) for event in snapshot.events],
    }


def _plain(row: Any) -> list[Any]:
    step, *rest = row.tolist()
    return [int(step), *(json_safe(value) for value in rest)]
