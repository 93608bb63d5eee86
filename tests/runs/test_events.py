"""Live changes of a run: kept, taken back with the steps that used them, marked and exported."""

from __future__ import annotations

import io
import json

import pytest

from gradnorm.charts import history
from gradnorm.export import document, tables
from gradnorm.runs.recorder import Recorder
from gradnorm.runs.records import Checkpoint, Event
from gradnorm.runs.store import RunStore
from gradnorm.ui.live import wire
from tests.factories import SPEC, finished, step_records

EVENTS = (
    Event(4, "alpha", 0.7, 1000.5),
    Event(4, "hold", [1, 2], 1001.0),
    Event(8, "paused", True, 1002.0),
    Event(8, "paused", False, 1003.25),
)


@pytest.fixture
def run(store):
    run = store.create("a run", SPEC, ["a", "b"], queued=False)
    store.append(run, step_records(1, 5), events=EVENTS[:2])
    store.append(run, step_records(6, 9), events=EVENTS[2:])
    return run


def test_events_come_back_in_the_order_in_which_they_happened(store, run):
    assert store.read(run).events == EVENTS
    assert store.read(run, 9).events == EVENTS
    assert store.read(run, until=7).events == EVENTS[:2]
    assert store.read(run, known_events=3).events == EVENTS[3:]
    assert store.read(run, known_events=4).events == ()


def test_events_survive_the_process_and_go_with_their_run(store, run):
    store.close()
    again = RunStore(store.home)
    assert again.read(run).events == EVENTS
    other = again.create("another", SPEC, ["a", "b"], queued=False)
    assert again.read(other).events == ()
    again.end(run, finished(9))
    again.delete(run)
    again.append(other, [], events=EVENTS[:1])
    assert again.read(other).events == EVENTS[:1]
    again.close()


def test_the_title_says_the_alpha_that_was_used(store):
    spec = {**SPEC, "alpha": 0.12}
    run = store.create("toy-2 · GradNorm α 0.12 · seed 0", spec, ["a", "b"], queued=False)
    store.append(run, step_records(1, 5), events=[Event(4, "hold", [1], 1.0)])
    assert store.info(run).title == "toy-2 · GradNorm α 0.12 · seed 0"
    store.append(run, step_records(6, 1900), events=[Event(1800, "alpha", 2.06, 2.0)])
    assert store.info(run).title == "toy-2 · GradNorm α 0.12 → 2.06 at step 1,800 · seed 0"
    store.append(run, [], events=[Event(1901, "alpha", 2.06, 3.0), Event(1901, "alpha", 1.5, 3.0)])
    assert store.info(run).title == "toy-2 · GradNorm α 0.12 → … → 1.5 at step 1,901 · seed 0"
    sink = io.BytesIO()
    document.write(store, run, sink)
    assert json.loads(sink.getvalue())["title"] == store.info(run).title
    # Steps that are made again are without what changed in them.
    store.rewind(run, 1850, 1850)
    assert store.info(run).title == "toy-2 · GradNorm α 0.12 → 2.06 at step 1,800 · seed 0"
    store.rewind(run, 5, 5)
    assert store.info(run).title == "toy-2 · GradNorm α 0.12 · seed 0"


def test_nothing_of_a_block_is_written_if_its_rows_are_refused(store, run):
    with pytest.raises(ValueError, match="continue at step 10"):
        store.append(run, step_records(12, 13), events=EVENTS[:1])
    assert store.read(run).events == EVENTS


def test_rewinding_takes_back_the_events_of_later_steps(store, run):
    store.rewind(run, 7, 7)
    assert store.read(run).events == EVENTS[:2]
    store.rewind(run, 3, 3)
    assert store.read(run).events == ()


def test_a_change_that_the_checkpoint_holds_is_kept_when_rewinding_to_it(store, run):
    # Made after step 7 and written in its checkpoint; step 8 is the first to use it.
    store.rewind(run, 7, 7, 8)
    assert store.read(run).events == EVENTS


def test_a_fork_starts_without_its_parents_events(store, run):
    store.checkpoints.write(run, Checkpoint(9, b"state"))
    child = store.create("a fork", SPEC, ["a", "b"], queued=True, parent=run, forked_at=9)
    assert store.read(child).events == ()
    assert store.read(run).events == EVENTS


def test_labels_are_short_and_in_the_fields_words():
    assert [event.label for event in EVENTS] == ["α 0.7", "hold 1, 2", "paused", "resumed"]
    assert Event(1, "weight_learning_rate", 0.012345678, 0.0).label == "weight learning rate 0.01235"
    assert Event(1, "hold", [], 0.0).label == "hold none"
    assert Event(1, "amp", False, 0.0).label == "amp off"


def test_events_travel_to_the_page_with_their_labels(store, run):
    message = json.loads(wire.events(store.info(run), EVENTS[2:], 2))
    assert (message["type"], message["known"], message["title"]) == ("events", 2, "a run")
    assert message["rows"][0] == {"step": 8, "key": "paused", "value": True, "when": 1002.0, "label": "paused"}
    assert len(message["rows"]) == 2


def test_a_still_chart_marks_events(store, run):
    figure = history.weights(store.read(run))
    assert [shape.x0 for shape in figure.layout.shapes] == [4, 4, 8, 8]
    assert [note.text for note in figure.layout.annotations] == [event.label for event in EVENTS]


def test_json_has_events_and_tables_have_not(store, run):
    sinks = {kind: io.BytesIO() for kind in ("json", "csv")}
    for kind, sink in sinks.items():
        tables.write(store, run, kind, sink)
    exported = json.loads(sinks["json"].getvalue())["events"]
    assert exported[1] == {"step": 4, "key": "hold", "value": [1, 2], "when": 1001.0}
    assert [event["step"] for event in exported] == [4, 4, 8, 8]
    assert len(sinks["csv"].getvalue().splitlines()) == 10


def test_a_recorder_logs_changes_for_the_next_step(tmp_path):
    with Recorder("own", ["a"], home=tmp_path) as recorder:
        recorder.event("learning_rate", 0.1)
        recorder.log(losses=[1.0])
        recorder.event("learning_rate", 0.01)
        with pytest.raises(TypeError, match="not JSON serializable"):
            recorder.event("model", object())
    events = RunStore(tmp_path).read(recorder.run).events
    assert [(event.step, event.key, event.value) for event in events] == [
        (1, "learning_rate", 0.1),
        (2, "learning_rate", 0.01),
    ]
    with pytest.raises(ValueError, match="it has ended"):
        recorder.event("learning_rate", 0.001)
