"""A run as a file: one row a step that was trained or tested."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gradnorm.export import document
from gradnorm.export.slices import evaluations, slices
from gradnorm.runs.records import Evaluation, RunInfo, Snapshot, columns
from gradnorm.runs.store import RunStore


def write(store: RunStore, run: str, file_format: str, sink: BinaryIO) -> None:
    """Write a run's records to `sink`, a row a step with column `step`, in slices.

    file_format: "csv", "parquet", or "json" (an object with spec, outcome, steps, evaluations, and events, the live
        changes of the run). Events have no place in a table with a row a step, so CSV and Parquet are without them.
    Training columns are named vector.task. Test columns are test_task_normalized_loss, test_losses.task,
    test_loss_ratios.task, and test_metric.task.name for each metric that any evaluation has of the task. A step without
    evaluation leaves those empty. An evaluation without a training step, such as that of step 0 (which gives
    L_i(0)), has a row of its own whose training columns are empty.
    Raises UnknownRunError; CutShortError if records are taken back meanwhile.
    """
    if file_format == "json":
        document.write(store, run, sink)
        return
    tables = _tables(store, run)
    first = next(tables)
    make = pyarrow.csv.CSVWriter if file_format == "csv" else pq.ParquetWriter
    with make(sink, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def _tables(store: RunStore, run: str) -> Iterator[Any]:
    """Yield what the run holds now as tables, a slice each; at least one, which may be empty."""
    info = store.info(run)
    metrics = _metrics(info, evaluations(store, info))
    for snapshot in slices(store, info):
        yield _table(snapshot, metrics)


def _metrics(info: RunInfo, tests: Iterable[Evaluation]) -> list[list[str]]:
    """Return the names of each task's test metrics, of all evaluations together, in the order of first use."""
    names: list[dict[str, None]] = [{} for _ in info.tasks]
    for test in tests:
        for known, scores in zip(names, test.metrics, strict=True):
            known.update(dict.fromkeys(scores))
    return [list(known) for known in names]


def _table(snapshot: Snapshot, metrics: Sequence[Sequence[str]]) -> Any:
    """Return a table with a row for each step that was trained or tested. metrics: the names of each task's metrics."""
    tasks, rows, evaluations = snapshot.info.tasks, snapshot.rows, snapshot.evaluations
    trained = rows[:, 0].astype(np.int64)
    tested = np.array([evaluation.step for evaluation in evaluations], np.int64)
    steps = np.union1d(trained, tested)
    test_names = _test_names(tasks, metrics)
    tests = np.array([_tested(evaluation, metrics) for evaluation in evaluations]).reshape(-1, len(test_names))
    arrays: dict[str, Any] = {"step": pa.array(steps)}
    for name, column in zip(columns(tasks, snapshot.info.quantities)[1:], rows.T[1:], strict=True):
        arrays[name] = _spread(column, trained, steps)
    for name, column in zip(test_names, tests.T, strict=True):
        arrays[name] = _spread(column, tested, steps)
    return pa.table(arrays)


def _spread(column: NDArray[Any], own: NDArray[np.int64], steps: NDArray[np.int64]) -> Any:
    """Return a column over `steps`, empty where it has no value. own: the steps of its values, some of `steps`."""
    spread = np.full(len(steps), np.nan, column.dtype)
    spread[np.searchsorted(steps, own)] = column
    return pa.array(spread, from_pandas=True)


def _test_names(tasks: Sequence[str], metrics: Sequence[Sequence[str]]) -> list[str]:
    names = ["test_task_normalized_loss"]
    for task, own in zip(tasks, metrics, strict=True):
        names += [f"test_losses.{task}", f"test_loss_ratios.{task}", *(f"test_metric.{task}.{name}" for name in own)]
    return names


def _tested(evaluation: Evaluation, metrics: Sequence[Sequence[str]]) -> list[float]:
    """Return an evaluation's numbers in the order of `_test_names`."""
    numbers = [evaluation.task_normalized_loss]
    for i, own in enumerate(metrics):
        numbers += [evaluation.losses[i], evaluation.loss_ratios[i]]
        numbers += [evaluation.metrics[i].get(name, math.nan) for name in own]
    return numbers
