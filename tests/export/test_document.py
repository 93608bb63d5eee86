"""A run as one JSON document: whole in any number of slices, and never short without a word."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict, replace

import pytest

from gradnorm.export import document, slices, tables
from gradnorm.export.slices import CutShortError
from gradnorm.runs.plain import json_safe
from gradnorm.runs.records import Checkpoint, Event, columns
from gradnorm.runs.store import UnknownRunError
from tests.factories import SPEC, evaluation, finished, step_records

TASKS = ("price", 'a "task" %s é')


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr(slices, "SLICE", 7 * 15)


def exported(store, run):
    sink = io.BytesIO()
    document.write(store, run, sink)
    return json.loads(sink.getvalue(), parse_constant=pytest.fail)


def expected(store, run):
    snapshot = store.read(run)
    info = snapshot.info
    names = columns(info.tasks, info.quantities)
    return {
        "run": run,
        "title": info.title,
        "spec": dict(info.spec),
        "tasks": list(info.tasks),
        "outcome": info.outcome.to_dict() if info.outcome else None,
        "steps": [dict(zip(names, json_safe(row), strict=True)) for row in snapshot.rows.tolist()],
        "evaluations": json_safe([each.to_dict() for each in snapshot.evaluations]),
        "events": json_safe([asdict(event) for event in snapshot.events]),
    }


def test_all_of_a_run_is_there_in_order(store, small_slices):
    run = store.create("x", SPEC, TASKS, queued=False)
    records = step_records(1, 40)
    records[3] = replace(records[3], losses=(math.nan, math.inf))
    records[4] = replace(records[4], weights=(1e-30, 1e30))
    changes = [Event(3, "alpha", 0.5, 1.0), Event(41, "paused", True, 2.0)]
    store.append(run, records, [evaluation(step) for step in (0, 7, 8, 40)], 4.0, changes)
    store.end(run, finished(40))
    found = exported(store, run)
    assert found == expected(store, run)
    assert list(found) == ["run", "title", "spec", "tasks", "outcome", "steps", "evaluations", "events"]
    assert found["steps"][3]["losses.price"] is None


@pytest.mark.parametrize("steps", [0, 1, 7, 14])
def test_the_ends_of_slices_lose_nothing(store, small_slices, steps):
    run = store.create("x", SPEC, TASKS, queued=False)
    if steps:
        store.append(run, step_records(1, steps))
    assert exported(store, run) == expected(store, run)


def test_a_fork_begins_where_it_was_forked(store, small_slices):
    parent = store.create("parent", SPEC, TASKS, queued=False)
    store.append(parent, step_records(1, 10))
    store.checkpoints.write(parent, Checkpoint(10, b"state"))
    run = store.create("fork", SPEC, TASKS, queued=False, parent=parent, forked_at=10)
    store.append(run, step_records(11, 30), [evaluation(10), evaluation(30)])
    found = exported(store, run)
    assert found == expected(store, run)
    assert (found["steps"][0]["step"], found["evaluations"][0]["step"]) == (11, 10)


class Sink(io.BytesIO):
    """Does something to the store as soon as the first bytes have come."""

    def __init__(self, act):
        super().__init__()
        self._act = [act]

    def write(self, data):
        if self._act:
            self._act.pop()()
        return super().write(data)


@pytest.fixture
def run(store):
    run = store.create("x", SPEC, TASKS, queued=False)
    store.append(run, step_records(1, 1000))
    return run


def test_what_comes_meanwhile_is_left_out(store, small_slices, run):
    sink = Sink(lambda: store.append(run, step_records(1001, 1010), [evaluation(1010)]))
    document.write(store, run, sink)
    found = json.loads(sink.getvalue())
    assert (len(found["steps"]), found["evaluations"]) == (1000, [])


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_run_that_loses_records_meanwhile_is_no_whole_file(store, small_slices, run, kind):
    with pytest.raises(CutShortError, match=r"1,000 steps .* Found 500"):
        tables.write(store, run, kind, Sink(lambda: store.rewind(run, 500, 500)))


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_run_that_is_deleted_meanwhile_is_no_whole_file(store, small_slices, run, kind):
    store.end(run, finished(1000))
    with pytest.raises(UnknownRunError):
        tables.write(store, run, kind, Sink(lambda: store.delete(run)))
