"""A run whose norms are measured at every tenth step alone: what it records, and what reads its records."""

import csv
import io
import json
import math

import numpy as np
import pytest

from gradnorm.charts import history
from gradnorm.config.spec import RunSpec
from gradnorm.export import tables, tensorboard
from gradnorm.lab.resume import mean_weights
from gradnorm.lab.run_writer import record
from gradnorm.lab.summary import Summary
from gradnorm.runs.records import Checkpoint, StepRecord
from gradnorm.runs.store import RunStore
from gradnorm.runs.troubles import troubles
from gradnorm.training.control import Control
from gradnorm.training.engine import train
from tests.factories import TINY, going_on

EVERY = 10
MEASURED = [step for step in range(1, 48) if step % EVERY == 1]


def sparse(**changes):
    options = {"update": "closed", "heads": "own", "every": EVERY, "watch_norms": False, "half_life": 20.0}
    return RunSpec.parse({**TINY, "learning_rate": 0.01, "steps": 47, "eval_every": 20, **options, **changes})


@pytest.fixture
def finished(tmp_path):
    store, spec, control = RunStore(tmp_path / "home"), sparse(), Control()
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    summary = Summary(spec, run)
    for item in record(store, run, train(spec, control, lambda device: store.start(run, device)), control):
        summary.take(item)
    yield store, run, summary
    store.close()


def test_norms_and_targets_are_nan_where_they_were_not_measured(finished):
    store, run, _ = finished
    snapshot = store.read(run)
    there = np.isin(snapshot.scalar("step"), MEASURED)
    for name in ("gradient_norms", "targets"):
        np.testing.assert_array_equal(np.isfinite(snapshot.vector(name)).all(1), there)
        np.testing.assert_array_equal(np.isnan(snapshot.vector(name)).all(1), ~there)
    np.testing.assert_array_equal(np.isfinite(snapshot.scalar("imbalance")), there)
    for name in ("weights", "losses", "loss_ratios", "relative_rates"):
        assert bool(np.isfinite(snapshot.vector(name)).all())
    # A weight moves at the step after a measurement.
    moved = np.flatnonzero(np.abs(np.diff(snapshot.vector("weights")[:, 0])) > 0) + 2
    assert set(moved) <= {step + 1 for step in MEASURED}
    assert len(moved) == len(MEASURED)


def test_charts_summary_and_troubles_are_made_of_it(finished):
    store, run, summary = finished
    snapshot = store.read(run)
    assert bool(np.isfinite(np.array(history.weights(snapshot).data[0].y)).all())
    assert history.test_loss([snapshot]).data[0].y[-1] > 0
    assert all(math.isfinite(w) for w in mean_weights(store, run))
    result = json.loads(json.dumps(summary.result(), allow_nan=False))
    assert (result["outcome"], result["steps"], result["gradient_norms"]) == ("finished", 47, None)
    assert troubles(store, run) == []


def test_an_event_file_is_made_of_it(finished, tmp_path):
    store, run, _ = finished
    tensorboard.write(store, run, tmp_path / "events")
    (file,) = (tmp_path / "events").rglob("events.*")
    assert file.stat().st_size > 1000


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_tables_are_made_of_it(finished, form):
    store, run, _ = finished
    sink = io.BytesIO()
    tables.write(store, run, form, sink)
    if form == "json":
        steps = json.loads(sink.getvalue())["steps"]
        known = [step["step"] for step in steps if step["gradient_norms.task 1"] is not None]
        assert known == MEASURED
    elif form == "csv":
        rows = csv.DictReader(io.StringIO(sink.getvalue().decode()))
        assert [int(row["step"]) for row in rows if row["gradient_norms.task 1"]] == MEASURED
    else:
        from pyarrow import parquet

        table = parquet.read_table(io.BytesIO(sink.getvalue()))
        values = [v for v in table["gradient_norms.task 1"].to_pylist() if v is not None and not math.isnan(v)]
        assert len(values) == len(MEASURED)


def test_it_goes_on_bit_for_bit_between_two_measurements():
    whole = list(train(sparse(checkpoint_every=15, optimizer="adam")))
    for at in (15, 30, 45):
        start = next(r for r in whole if isinstance(r, Checkpoint) and r.step == at)
        rest = train(sparse(checkpoint_every=15, optimizer="adam"), start=start)
        expected = [r for r in whole if isinstance(r, StepRecord) and r.step > at]
        assert [r for r in rest if isinstance(r, StepRecord)] == expected


def test_a_stored_run_goes_on_after_live_changes(tmp_path):
    store, spec = RunStore(tmp_path / "home"), sparse(every=7, checkpoint_every=10)

    def begun(until):
        run, control = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False), Control()
        records = record(store, run, going_on(store, run, control), control)
        for item in records:
            if isinstance(item, StepRecord) and item.step == 12:
                control.retune(priorities=[1, 5], half_life=3.0, most=1.3)
            if isinstance(item, StepRecord) and item.step == until:
                break
        records.close()
        return run

    left_alone, stopped = begun(None), begun(33)
    assert store.info(stopped).steps < 47
    list(record(store, stopped, going_on(store, stopped, Control()), Control()))
    one, two = store.read(left_alone), store.read(stopped)
    np.testing.assert_array_equal(one.rows, two.rows)
    assert float(one.vector("weights")[20:].max()) == pytest.approx(1.3)
    assert {event.key for event in two.events} == {"priorities", "half_life", "most"}
    store.close()
