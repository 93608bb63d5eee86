"""What a row holds of a step: its training, and every metric of its evaluation by name."""

import io

import numpy as np
import pandas as pd
import pytest

from gradnorm.export import slices, tables
from gradnorm.runs.records import Checkpoint, Evaluation
from tests.factories import SPEC, evaluation, step_records

both_formats = pytest.mark.parametrize("kind", ["csv", "parquet"])


def exported(store, run, kind):
    file = io.BytesIO()
    tables.write(store, run, kind, file)
    file.seek(0)
    return pd.read_csv(file) if kind == "csv" else pd.read_parquet(file)


def metrics_of(table):
    return table[[name for name in table if name.startswith("test_metric.")]]


@both_formats
def test_every_metric_of_a_task_has_a_column(store, kind):
    run = store.create("run", SPEC, ["depth", "class"], queued=False)
    scores = [({"rmse": 1.0 + t, "rel_error": 2.0 + t}, {"accuracy": 3.0 + t}) for t in (0, 2)]
    evaluations = [
        Evaluation(t, (1.0, 1.0), (1.0, 1.0), 2.0, metrics) for t, metrics in zip((0, 2), scores, strict=True)
    ]
    store.append(run, step_records(1, 3), evaluations)
    metrics = metrics_of(exported(store, run, kind))
    assert list(metrics) == ["test_metric.depth.rmse", "test_metric.depth.rel_error", "test_metric.class.accuracy"]
    np.testing.assert_array_equal(metrics, [[1, 2, 3], [np.nan] * 3, [3, 4, 5], [np.nan] * 3])


@both_formats
def test_metrics_that_come_and_go_are_not_mixed(store, kind):
    run = store.create("run", SPEC, ["class"], queued=False)
    scores = [{"accuracy": 0.1}, {"f1": 0.2}, {"f1": 0.3, "accuracy": 0.4}]
    store.append(run, step_records(1, 2, 1), [Evaluation(t, (1.0,), (1.0,), 1.0, (s,)) for t, s in enumerate(scores)])
    metrics = metrics_of(exported(store, run, kind))
    assert list(metrics) == ["test_metric.class.accuracy", "test_metric.class.f1"]
    np.testing.assert_array_equal(metrics, [[0.1, np.nan], [np.nan, 0.2], [0.4, 0.3]])


@both_formats
def test_the_evaluation_before_the_first_step_has_a_row(store, kind):
    run = store.create("run", SPEC, ["a", "b"], queued=False)
    store.append(run, step_records(1, 2), [evaluation(0), evaluation(2)])
    table = exported(store, run, kind)
    assert list(table["step"]) == [0, 1, 2]
    assert tuple(table.loc[0, ["test_losses.a", "test_losses.b"]]) == evaluation(0).losses
    assert table.loc[0, ["weights.a", "losses.b"]].isna().all()


@both_formats
def test_a_run_that_was_only_tested_has_that_row(store, kind):
    run = store.create("run", SPEC, ["a", "b"], queued=False)
    store.append(run, [], [evaluation(0)])
    table = exported(store, run, kind)
    assert (list(table["step"]), list(table["test_losses.b"])) == ([0], [evaluation(0).losses[1]])


@both_formats
def test_a_fork_is_whole_however_late_it_begins(store, kind, monkeypatch):
    monkeypatch.setattr(slices, "SLICE", 4 * 15)
    parent = store.create("parent", SPEC, ["a", "b"], queued=False)
    store.append(parent, step_records(1, 10), [evaluation(0)])
    store.checkpoints.write(parent, Checkpoint(10, b"state"))
    run = store.create("fork", SPEC, ["a", "b"], queued=False, parent=parent, forked_at=10)
    records = step_records(11, 20)
    store.append(run, records, [evaluation(10), evaluation(20)])
    table = exported(store, run, kind)
    assert list(table["step"]) == list(range(10, 21))
    np.testing.assert_array_equal(table["weights.a"][1:].astype(np.float32), [r.weights[0] for r in records])
    assert list(table["test_losses.a"].dropna()) == [evaluation(t).losses[0] for t in (10, 20)]
