"""What a row a step holds of a task with several metrics."""

import io

import numpy as np
import pandas as pd
import pytest

from gradnorm.export import tables
from gradnorm.runs.records import Evaluation
from tests.factories import SPEC, step_records


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_every_metric_of_a_task_has_a_column(store, kind):
    run = store.create("run", SPEC, ["depth", "class"], queued=False)
    scores = [({"rmse": 1.0 + t, "rel_error": 2.0 + t}, {"accuracy": 3.0 + t}) for t in (0, 2)]
    evaluations = [
        Evaluation(t, (1.0, 1.0), (1.0, 1.0), 2.0, metrics) for t, metrics in zip((0, 2), scores, strict=True)
    ]
    store.append(run, step_records(1, 3), evaluations)
    file = io.BytesIO()
    tables.write(store, run, kind, file)
    file.seek(0)
    table = pd.read_csv(file) if kind == "csv" else pd.read_parquet(file)
    metrics = [name for name in table if name.startswith("test_metric.")]
    assert metrics == [
        "test_metric.depth",
        "test_metric.depth.rmse",
        "test_metric.depth.rel_error",
        "test_metric.class",
    ]
    np.testing.assert_array_equal(table[metrics].to_numpy(), [[np.nan] * 4, [3, 3, 4, 5], [np.nan] * 4])
