"""Runs of pictures: they go on bit for bit, and end with a sentence where there is nothing to learn."""

import math
import subprocess
import sys
import threading

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.datasets.scenes.nyu_splits import drawn
from gradnorm.datasets.scenes.source import SceneSource
from gradnorm.runs.records import Checkpoint, StepRecord
from gradnorm.training.engine import train
from tests.datasets.files import pictures, write_nyu
from tests.training.test_resume import same_state

ROOMS = {"dataset": "rooms", "count": 8, "size": 32, "channels": 0.05, "batch_size": 2, "threads": 1, "device": "cpu"}
SHORT = {"steps": 4, "eval_every": 2, "checkpoint_every": 2, "method": "gradnorm"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes", [{}, {"network": "resnet_fcn"}, {"learn_keypoints": True}, {"method": "pcgrad"}], ids=str
)
def test_a_run_of_pictures_goes_on_bit_for_bit(changes):
    spec = RunSpec.parse({**ROOMS, **SHORT, **changes})
    whole = list(train(spec))
    at = next(i for i, item in enumerate(whole) if isinstance(item, Checkpoint))
    rest, expected = list(train(spec, start=whole[at])), whole[at + 1 :]
    assert same_state(rest[-2], expected[-2])
    assert [i for i in rest if not isinstance(i, Checkpoint)] == [i for i in expected if not isinstance(i, Checkpoint)]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gradnorm-batches")]


@pytest.mark.parametrize("method", ["gradnorm", "nash-mtl", "equal"])
def test_a_later_batch_may_tell_nothing_of_a_task(monkeypatch, method):
    """The third batch has no labels at all: its classes are absent, and the run goes on."""
    ordinary = SceneSource.batch

    def batch(self, step, size):
        made = ordinary(self, step, size)
        if step == 3:
            made.targets[0].fill_(-1)
        return made

    monkeypatch.setattr(SceneSource, "batch", batch)
    records = [
        item for item in train(RunSpec.parse({**ROOMS, **SHORT, "method": method})) if isinstance(item, StepRecord)
    ]
    assert [math.isnan(record.losses[0]) for record in records] == [False, False, True, False]
    assert all(math.isfinite(value) for record in records for value in (*record.weights, *record.losses[1:]))


@pytest.mark.slow
@pytest.mark.parametrize(("unlabelled", "where"), [("test", "test set"), ("train", "first batch")])
def test_a_task_without_a_single_target_ends_the_run_with_a_sentence(tmp_path, unlabelled, where):
    labels = pictures(8)[2]
    labels[dict(zip(("train", "test"), drawn(8), strict=True))[unlabelled]] = 0
    write_nyu(tmp_path / "rooms.mat", 8, labels=labels)
    flat = ["--size", "32", "--channels", "0.05", "--steps", "4", "--batch-size", "2", "--device", "cpu"]
    told = python("-m", "gradnorm", "train", "--dataset", f"nyuv2:{tmp_path / 'rooms.mat'}", *flat)
    assert (told.returncode, told.stderr) == (1, "")
    assert f"failed: The {where} should have something to learn for 'classes'" in told.stdout


@pytest.mark.slow
def test_what_reading_finds_wrong_ends_the_run_and_its_threads(tmp_path):
    labels = pictures(12)[2]
    labels[drawn(12)[0][3], 20:, 20:] = 4000
    write_nyu(tmp_path / "rooms.mat", 12, labels=labels)
    flat = ["--size", "32", "--channels", "0.05", "--steps", "40", "--batch-size", "2", "--device", "cpu"]
    told = python("-m", "gradnorm", "train", "--dataset", f"nyuv2:{tmp_path / 'rooms.mat'}", *flat)
    assert (told.returncode, told.stderr) == (1, "")
    assert "should have labels in 0 … 9, the number of names. Found 0 … 4000." in told.stdout


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=100, check=False)
