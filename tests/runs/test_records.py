"""Plain numbers: rows and their columns, and the JSON forms."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.common.texts import Text, filled, joined
from gradnorm.runs.plain import json_safe
from gradnorm.runs.records import (
    ENDED,
    SCALARS,
    VECTORS,
    Evaluation,
    Outcome,
    RunInfo,
    Snapshot,
    StepRecord,
    columns,
    width,
)
from tests.factories import SPEC, rows_of, step_record, step_records

numbers = st.floats(allow_nan=False, width=32)


@st.composite
def records(draw):
    tasks = draw(st.integers(1, 5))
    vector = st.tuples(*[numbers] * tasks)
    return StepRecord(
        step=draw(st.integers(1, 2**24)),
        losses=draw(vector),
        weights=draw(vector),
        loss_ratios=draw(vector),
        relative_rates=draw(vector),
        gradient_norms=draw(st.none() | vector),
        targets=draw(st.none() | vector),
        imbalance=draw(st.none() | numbers),
        alpha=draw(st.none() | numbers),
    )


@st.composite
def evaluations(draw):
    tasks = draw(st.integers(1, 4))
    vector = st.tuples(*[st.floats(allow_nan=False)] * tasks)
    metrics = st.fixed_dictionaries({draw(st.sampled_from(["r2", "accuracy"])): st.floats(allow_nan=False)})
    return Evaluation(
        draw(st.integers(0, 10**7)),
        draw(vector),
        draw(vector),
        draw(st.floats(allow_nan=False)),
        draw(st.tuples(*[metrics] * tasks)),
    )


outcomes = st.builds(
    Outcome,
    kind=st.sampled_from(sorted(ENDED)),
    step=st.integers(0, 10**7),
    message=st.text(),
    task=st.none() | st.text(),
    value=st.none() | st.floats(allow_nan=False),
)


def test_columns_of_two_tasks_begin_with_these():
    # Later quantities come after them.
    assert columns(2)[:15] == [
        "step",
        "alpha",
        "imbalance",
        "weights.0",
        "weights.1",
        "gradient_norms.0",
        "gradient_norms.1",
        "targets.0",
        "targets.1",
        "losses.0",
        "losses.1",
        "loss_ratios.0",
        "loss_ratios.1",
        "relative_rates.0",
        "relative_rates.1",
    ]


@pytest.mark.parametrize("tasks", [1, 2, 10, 64])
def test_width_counts_the_columns(tasks):
    assert width(tasks) == len(columns(tasks)) == len(set(columns(tasks))) == len(step_record(1, tasks).row())


@given(records())
def test_a_row_has_its_numbers_where_the_columns_say(record):
    row = dict(zip(columns(len(record.losses)), record.row(), strict=True))
    for name in SCALARS:
        value = getattr(record, name)
        np.testing.assert_equal(row[name], math.nan if value is None else value)
    for name in VECTORS:
        vector = getattr(record, name)
        for i in range(len(record.losses)):
            np.testing.assert_equal(row[f"{name}.{i}"], math.nan if vector is None else vector[i])


@given(records())
def test_float32_rows_hold_single_precision_numbers_and_steps_exactly(record):
    np.testing.assert_array_equal(np.array(record.row(), np.float32).astype(float), np.array(record.row()))


def test_a_snapshot_finds_vectors_and_scalars_by_name():
    info = RunInfo("r", "t", SPEC, ("a", "b", "c"), "running", 4, 0.0)
    snapshot = Snapshot(info, rows_of(step_records(1, 4, 3)))
    assert snapshot.columns == columns(3)
    for name in VECTORS:
        expected = [getattr(record, name) for record in step_records(1, 4, 3)]
        np.testing.assert_array_equal(snapshot.vector(name), np.array(expected, np.float32))
    assert snapshot.scalar("step").tolist() == [1, 2, 3, 4]
    assert snapshot.scalar("imbalance").tolist() == [0.25, 0.5, 0.75, 1]


@given(evaluations())
def test_an_evaluation_survives_json(evaluation):
    assert Evaluation.from_dict(json.loads(json.dumps(evaluation.to_dict()))) == evaluation


@given(outcomes)
def test_an_outcome_survives_strict_json(outcome):
    assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict(), allow_nan=False))) == outcome


def test_an_outcome_of_nan_survives_strict_json():
    given = Outcome("diverged", 3, "Too fast.", "a", math.nan)
    found = Outcome.from_dict(json.loads(json.dumps(given.to_dict(), allow_nan=False)))
    assert math.isnan(found.value)
    assert (found.kind, found.step, found.message, found.task) == ("diverged", 3, "Too fast.", "a")


def test_an_outcome_needs_no_more_than_kind_and_step():
    assert Outcome.from_dict({"kind": "stopped", "step": 7}) == Outcome("stopped", 7)


@pytest.mark.parametrize(
    ("state", "ended"),
    [("queued", False), ("running", False), ("paused", False), *((kind, True) for kind in sorted(ENDED))],
)
def test_a_run_has_ended_or_not(state, ended):
    assert RunInfo("r", "t", {}, ("a",), state, 0, 0.0).ended is ended


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
    max_leaves=15,
)


@given(nested)
def test_json_safe_gives_strict_json_and_changes_finite_numbers_nowhere(value):
    text = json.dumps(json_safe(value), allow_nan=False)

    def expected(part):
        if isinstance(part, float):
            return part if math.isfinite(part) else None
        if isinstance(part, list | tuple):
            return [expected(p) for p in part]
        return {k: expected(v) for k, v in part.items()} if isinstance(part, dict) else part

    assert json.loads(text) == expected(value)


def test_json_safe_turns_nan_and_infinity_into_none_at_any_depth():
    assert json_safe({"a": [1.5, (math.nan, {"b": math.inf})], 2: -math.inf}) == {
        "a": [1.5, [None, {"b": None}]],
        "2": None,
    }


def test_how_a_run_ended_is_kept_with_what_the_sentence_was_filled_from():
    message = joined(
        [filled("Lost {task}.", task=filled("task {number}", number=1)), filled("At {step:,}.", step=1200)], " "
    )
    plain = json.loads(json.dumps(Outcome("failed", 1200, message).to_dict()))
    assert plain["message"] == "Lost task 1. At 1,200."
    again = Outcome.from_dict(plain)
    assert again.message == message
    assert isinstance(again.message, Text)
    assert again.to_dict() == plain


@pytest.mark.parametrize(
    "filled_from",
    [
        None,
        {},
        {"template": "{a}"},
        {"template": "{a.b}", "values": {"a": 1}},
        {"template": "{", "values": {"a": 1}},
        {"template": "Other.", "values": {}},
    ],
)
def test_a_sentence_without_a_template_that_makes_it_is_kept_as_it_is(filled_from):
    found = Outcome.from_dict({"kind": "stopped", "step": 7, "message": "Enough.", "filled_from": filled_from})
    assert found == Outcome("stopped", 7, "Enough.")
    assert not isinstance(found.message, Text)
