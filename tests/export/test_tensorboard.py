"""A run's event file, read back by the framing of TFRecords and TensorBoard's own message."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from gradnorm.export.tensorboard import write
from gradnorm.runs.records import VECTORS, Evaluation
from gradnorm.runs.store import RunStore, UnknownRunError
from tests.factories import SPEC, evaluation, finished, step_record

TASKS = ("price", "a task/with a slash")


def events(folder: Path) -> Iterator[Event]:
    """Yield the events of the one file: each is its length, a checksum, the message, and its checksum."""
    (path,) = folder.iterdir()
    data, at = path.read_bytes(), 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield Event.FromString(data[at + 12 : at + 12 + length])
        at += 12 + length + 4


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


@pytest.fixture
def run(tmp_path: Path) -> tuple[RunStore, str]:
    store = RunStore(tmp_path / "home")
    run = store.create("x", SPEC, TASKS, queued=False)
    records = [step_record(step, alpha=None if step == 2 else 0.5) for step in range(1, 41)]
    store.append(run, records, [evaluation(0), evaluation(20), evaluation(40)], 4.0)
    store.end(run, finished(40))
    return store, run


def test_every_number_is_the_store_s(run, tmp_path):
    store, name = run
    write(store, name, tmp_path / "events")
    found, snapshot = scalars(tmp_path / "events"), store.read(name)
    for vector in VECTORS:
        for i, task in enumerate(TASKS):
            assert list(found[f"{vector}/{task}"]) == list(range(1, 41))
            np.testing.assert_array_equal(list(found[f"{vector}/{task}"].values()), snapshot.vector(vector)[:, i])
    # What is not finite is left out: α of step 2.
    assert found["alpha"] == {step: 0.5 for step in range(1, 41) if step != 2}
    tested: dict[int, Evaluation] = {e.step: e for e in snapshot.evaluations}
    assert found["test/task_normalized_loss"] == {0: 0.0625, 20: 20.0625, 40: 40.0625}
    for i, task in enumerate(TASKS):
        assert found[f"test/losses/{task}"] == {step: e.losses[i] for step, e in tested.items()}
        assert found[f"test/r2/{task}"] == {step: e.metrics[i]["r2"] for step, e in tested.items()}
    assert len(found) == len(VECTORS) * 2 + 2 + 1 + 3 * 2


def test_times_go_from_the_run_s_start_to_its_end(run, tmp_path):
    store, name = run
    write(store, name, tmp_path / "events")
    begun = store.info(name).created
    times = {event.step: event.wall_time for event in events(tmp_path / "events") if event.summary.value}
    assert times[1] == pytest.approx(begun + 0.1)
    assert times[40] == pytest.approx(begun + 4.0)


def test_a_run_that_is_not_there_leaves_no_folder(run, tmp_path):
    with pytest.raises(UnknownRunError):
        write(run[0], "nothing", tmp_path / "events")
    assert not (tmp_path / "events").exists()
