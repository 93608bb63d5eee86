"""What travels over the live route."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from gradnorm.common.texts import filled
from gradnorm.config.spec import RunSpec, datasets, methods
from gradnorm.runs.records import ENDED, Evaluation, Outcome, RunInfo, columns
from gradnorm.ui.live import wire
from tests.factories import rows_of, step_records


def strict(text):
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def info(**changes):
    spec = RunSpec.parse(changes.pop("spec", {}))
    given = {
        "run": "r",
        "title": spec.title,
        "spec": spec.flat(),
        "tasks": spec.dataset.task_names,
        "state": "running",
        "steps": 10,
        "created": 0.0,
    }
    return RunInfo(**{**given, **changes})


@given(st.integers(1, 10_000_000))
def test_a_stride_is_the_smallest_power_of_two_that_fits_the_screen(steps):
    every = wire.stride(steps)
    assert every & (every - 1) == 0
    assert steps <= every * wire.MOST_ROWS
    assert every == 1 or steps > every // 2 * wire.MOST_ROWS


@pytest.mark.parametrize(("steps", "every"), [(1, 1), (4096, 1), (4097, 2), (8192, 2), (8193, 4), (10_000_000, 4096)])
def test_strides_are_these(steps, every):
    assert wire.stride(steps) == every


@given(first=st.integers(1, 500), size=st.integers(0, 300), power=st.integers(0, 6))
def test_thinned_rows_are_the_multiples_and_the_newest(first, size, power):
    rows, every = rows_of(step_records(first, first + size)), 2**power
    kept = wire.thin(rows, every)[:, 0].astype(int).tolist()
    assert kept == [s for s in range(first, first + size + 1) if s % every == 0 or s == first + size]


@given(cuts=st.sets(st.integers(1, 199), max_size=8), power=st.integers(0, 5))
def test_no_multiple_is_lost_however_the_rows_are_sliced(cuts, power):
    rows, every = rows_of(step_records(1, 200)), 2**power
    parts = [wire.thin(part, every) for part in np.split(rows, sorted(cuts))]
    steps = np.concatenate(parts)[:, 0].astype(int).tolist()
    assert steps == sorted(set(steps))
    assert set(range(every, 201, every)) <= set(steps)
    assert set(steps) - set(range(every, 201, every)) <= cuts | {200}


@given(k=st.integers(1, 40), power=st.integers(1, 6))
def test_what_is_measured_at_every_kth_step_alone_is_not_thinned_away(k, power):
    rows, every = rows_of(step_records(1, 200)), 2**power
    rows[(rows[:, 0] - 1) % k != 0, 3] = np.nan
    kept = wire.thin(rows, every)
    for row, before in zip(kept, [0, *kept[:-1, 0]], strict=True):
        since = rows[int(before) : int(row[0]), 3]
        measured = since[~np.isnan(since)]
        assert row[3] == measured[-1] if len(measured) else np.isnan(row[3])
    unthinned = rows[kept[:, 0].astype(int) - 1]
    np.testing.assert_array_equal(np.delete(kept, 3, 1), np.delete(unthinned, 3, 1))


def test_thinning_leaves_the_rows_alone():
    rows = rows_of(step_records(1, 9))
    before = rows.copy()
    wire.thin(rows, 4)
    np.testing.assert_array_equal(rows, before)
    assert wire.thin(rows[:0], 4).shape == (0, rows.shape[1])


tables = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 12), st.integers(1, 20)),
    elements=st.floats(width=32, allow_nan=True),
)


@given(rows=tables, kind=st.sampled_from([wire.LIVE, wire.DETAIL]), every=st.integers(1, 4096))
def test_a_block_is_read_as_it_was_written(rows, kind, every):
    message = wire.block(kind, rows, every)
    assert len(message) == 16 + 4 * rows.size
    found_kind, found, found_every = wire.read_block(message)
    assert (found_kind, found_every) == (kind, every)
    np.testing.assert_array_equal(found, rows)


def test_a_block_is_little_endian():
    rows = np.array([[1.0, 2.0]], np.float32)
    assert wire.block(wire.LIVE, rows, 4) == struct.pack("<4I2f", 1, 1, 2, 4, 1.0, 2.0)


def test_a_block_of_a_view_holds_the_views_numbers():
    rows = rows_of(step_records(1, 9))[::2, 1:4]
    np.testing.assert_array_equal(wire.read_block(wire.block(wire.LIVE, rows, 1))[1], rows)


@given(rows=tables, cut=st.integers(1, 15))
def test_a_block_that_is_cut_short_is_refused(rows, cut):
    message = wire.block(wire.LIVE, rows, 1)
    with pytest.raises(ValueError):  # noqa: PT011
        wire.read_block(message[:-cut])


@pytest.mark.parametrize("dataset", list(datasets()))
@pytest.mark.parametrize("method", list(methods()))
def test_hello_tells_how_to_read_the_rows(dataset, method):
    about = info(spec={"dataset": dataset, "method": method})
    message = strict(wire.hello(about))
    assert message["type"] == "run"
    assert [task["name"] for task in message["tasks"]] == list(about.tasks)
    assert message["columns"] == columns(len(about.tasks))
    assert (message["steps"], message["stride"]) == (about.spec["steps"], wire.stride(about.spec["steps"]))
    assert message["has_targets"] is (method == "gradnorm")
    known = {"toy": ["r2"], "digits": ["accuracy", "r2"], "diamonds": ["r2", "accuracy"]}
    assert message["metrics"] == known.get(dataset, message["metrics"])
    assert "r2" not in message["errors"]
    assert len(message["task_metrics"]) == len(about.tasks)
    assert set(message["task_metrics"]) == set(message["metrics"])
    assert (message["parent"], message["forked_at"]) == (None, 0)


def test_64_tasks_look_different():
    tasks = strict(wire.hello(info(spec={"tasks": 64})))["tasks"]
    assert len({json.dumps([task["color"], task["dash"]]) for task in tasks}) == 64


def test_hello_of_a_spec_that_is_no_longer_known_is_still_said():
    about = info()
    message = strict(wire.hello(info_with(about, {**about.spec, "dataset": "gone", "method": "gone too"})))
    assert message["metrics"] == message["task_metrics"] == []
    assert message["has_targets"] is False
    assert message["steps"] == about.spec["steps"]


def test_hello_of_a_fork_names_its_parent():
    message = strict(wire.hello(info(parent="before", forked_at=40)))
    assert (message["parent"], message["forked_at"]) == ("before", 40)


@given(st.lists(st.integers(0, 10**6)))
def test_checkpoints_are_told_by_their_steps(steps):
    assert strict(wire.checkpoints(steps)) == {"type": "checkpoints", "steps": steps}


def info_with(about, spec):
    return RunInfo(**{**vars(about), "spec": spec})


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(anything, anything, anything), max_size=4))
def test_evaluations_are_strict_json(numbers):
    given = [Evaluation(i, (a,), (b,), c, ({"r2": a},)) for i, (a, b, c) in enumerate(numbers)]
    message = strict(wire.evaluations(given))
    assert message["type"] == "evaluations"
    for row, (a, b, c) in zip(message["rows"], numbers, strict=True):
        for found, number in ((row["losses"][0], a), (row["loss_ratios"][0], b), (row["task_normalized_loss"], c)):
            assert found == (number if math.isfinite(number) else None)


@given(
    state=st.sampled_from(["queued", "running", "paused", *sorted(ENDED)]),
    steps=st.integers(0, 4000),
    speed=st.sampled_from([None, 0.0]) | st.floats(0.1, 1e6),  # a feed rounds to tenths
)
def test_a_status_is_strict_json(state, steps, speed):
    outcome = Outcome(state, steps, "So it ended.", "a", math.nan) if state in ENDED else None
    about = info(state=state, steps=steps, outcome=outcome, place=2 if state == "queued" else None)
    message = strict(wire.status(about, speed, {"alpha": 0.5}))
    assert message["type"] == "status"
    # A run with patience may finish early.
    total = steps if state == "finished" else 4000
    assert (message["state"], message["step"], message["steps"]) == (state, steps, total)
    assert message["place"] == about.place
    assert message["message"] == (outcome.message if outcome else None)
    if state != "running" or not speed:
        assert message["seconds_left"] is None


def test_the_time_left_is_steps_by_speed():
    assert strict(wire.status(info(steps=1000), 100.0, {}))["seconds_left"] == 30.0
    assert strict(wire.status(info(steps=4000), 100.0, {}))["seconds_left"] == 0.0


def test_a_text_is_told_with_its_template_and_its_numbers_as_written():
    text = filled("{what}: {steps:,} of {name}", what=filled("done"), steps=1200, name="a, b")
    values = {"what": {"template": "done", "values": {}}, "steps": ["1,200"], "name": "a, b"}
    assert wire.told(text) == {"template": text.template, "values": values}
    assert wire.told("My words.") == "My words."


def test_title_tasks_and_ending_are_told_to_be_translated():
    told = strict(wire.hello(info(title="toy-2 · GradNorm α 0.5 → 1 at step 1,200 · seed 3")))
    assert told["tasks"][0]["told"] == {"template": "task {number}", "values": {"number": ["1"]}}
    data, method, seed = told["told"]["values"].values()
    assert data == "toy-2"
    assert method["values"]["method"]["template"] == "GradNorm"
    assert method["values"]["alpha"]["values"]["step"] == ["1,200"]
    assert seed["values"]["value"] == ["3"]
    ended = Outcome("finished", 1200, filled("Finished all {taken:,} steps.", taken=1200))
    status = strict(wire.status(info(state="finished", outcome=ended, device="cpu, 2 runs as one program"), None, {}))
    assert (status["message"], status["told"]["values"]) == ("Finished all 1,200 steps.", {"taken": ["1,200"]})
    assert status["device"]["values"] == {"device": "cpu", "count": "2"}


def test_names_that_a_script_gave_are_told_as_they_are():
    title = "toy-2 · Equal weights · seed 0"
    spec = {"recorded": title, "steps": 10, "metrics": [[], []], "targets": False}
    told = strict(wire.hello(replace(info(title=title), spec=spec, tasks=("task 1", "task 2"))))
    assert told["told"] == title
    assert [task["told"] for task in told["tasks"]] == ["task 1", "task 2"]
