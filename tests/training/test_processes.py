"""Processes of torchrun that share a run do what one process does with the whole batch."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from gradnorm.config.spec import RunSpec
from gradnorm.runs.store import RunStore
from tests.factories import ROOT, wait_for
from tests.training.shared_runs import WAYS

pytestmark = pytest.mark.slow

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
SURROUNDINGS = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
TOY = ["--preset", "toy-2", "--batch-size", "25", "--eval-every", "20", "--checkpoint-every", "20", "--device", "cpu"]


def run(command):
    return subprocess.run(command, env=SURROUNDINGS, text=True, timeout=240, check=False, capture_output=True)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What one process found, and what each of two found."""
    folder = tmp_path_factory.mktemp("shared")
    script = [str(ROOT / "tests" / "training" / "shared_runs.py")]
    (folder / "alone").mkdir()
    for launcher, where in (([sys.executable], folder / "alone"), ([*TORCHRUN, "2"], folder)):
        done = run([*launcher, *script, str(where)])
        assert done.returncode == 0, done.stderr
    return torch.load(folder / "alone" / "0.pt"), [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_are_as_one_with_the_whole_batch(together, way):
    alone, (first, second) = together
    for ours, theirs, others in zip(alone[way], first[way], second[way], strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-12, atol=1e-12, equal_nan=True)
        assert torch.equal(theirs.nan_to_num(-1), others.nan_to_num(-1))
    weights, losses, _ = alone[way]
    assert losses[3].isnan().tolist() == [False, False, True], "nobody has normals at step 4"
    assert way == "pcgrad" or (weights[-1] - weights[0]).abs().max() > 1e-3


def test_a_run_is_recorded_once_and_ends_where_one_process_ends(tmp_path):
    train = ["-m", "gradnorm", "train", *TOY, "--steps", "50", "--home"]
    for launcher, home in (([sys.executable], "alone"), ([*TORCHRUN, "3"], "together")):
        done = run([*launcher, *train, str(tmp_path / home)])
        assert done.returncode == 0, done.stderr
    assert done.stdout.count("finished: Finished all 50 steps.") == 1
    assert "3 processes train each its part of every batch" in done.stderr
    (info,) = RunStore(tmp_path / "together").runs()
    found = RunStore(tmp_path / "together").read(info.run)
    alone = RunStore(tmp_path / "alone").read(RunStore(tmp_path / "alone").runs()[0].run)
    assert (info.state, found.scalar("step").tolist()) == ("finished", list(range(1, 51)))
    assert len(found.evaluations) == len(alone.evaluations) == 4
    np.testing.assert_allclose(found.vector("weights"), alone.vector("weights"), rtol=1e-3)
    np.testing.assert_allclose(found.evaluations[-1].losses, alone.evaluations[-1].losses, rtol=1e-3)


def test_a_signal_stops_all_processes_at_one_step_and_the_run_goes_on(tmp_path):
    """The network has batch normalisation, whose statistics are of each process's own part."""
    given = ["--dataset", "rooms", "--size", "32", "--count", "8", "--channels", "0.0625", "--batch-size", "2"]
    train = ["-m", "gradnorm", "train", *given, "--device", "cpu", "--steps", "100000", "--home", str(tmp_path)]
    store = RunStore(tmp_path)
    with subprocess.Popen([*TORCHRUN, "2", *train], env=SURROUNDINGS, stderr=subprocess.DEVNULL) as launcher:
        try:
            wait_for(lambda: any(info.steps > 3 for info in store.runs()), 120)
            launcher.send_signal(signal.SIGTERM)
            launcher.wait(60)
        finally:
            launcher.kill()
    (info,) = store.runs()
    assert info.state == "stopped"
    assert store.checkpoints.latest(info.run, info.steps)[0].step == info.steps

    # As of a run of which fewer steps were left to go.
    last = info.steps + 3
    done = run([*TORCHRUN, "2", "-m", "gradnorm", "fork", info.run, "--at", str(info.steps), "--steps", str(last),
                "--home", str(tmp_path)])  # fmt: skip
    assert done.returncode == 0, done.stderr
    child = next(other for other in store.runs() if other.parent == info.run)
    assert (child.state, child.steps) == ("finished", last)
    assert store.read(child.run).scalar("step").tolist()[-3:] == [last - 2, last - 1, last]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "toy-2", "--batch-size", "1"], "batch_size should be at least 2, a row for each process"),
        (["--preset", "helmholtz"], "A problem should be trained by one process"),
    ],
)
def test_what_processes_cannot_share_is_refused(tmp_path, arguments, message):
    done = run([*TORCHRUN, "2", "-m", "gradnorm", "train", *arguments, "--home", str(tmp_path)])
    assert done.returncode != 0
    assert done.stdout.count(message) == 1, done.stdout + done.stderr


def test_a_wrong_option_is_told_once(tmp_path):
    done = run([*TORCHRUN, "2", "-m", "gradnorm", "train", "--steps", "0", "--home", str(tmp_path)])
    assert done.returncode != 0
    assert done.stderr.count("steps should be a whole number") == 1, done.stderr


def test_one_process_takes_the_whole_batch():
    from gradnorm.training.processes import Part, average, check, first

    spec = RunSpec.parse({"dataset": "toy", "batch_size": 1})
    check(spec)
    value = torch.ones(2)
    average([value])
    assert (Part.own(), first("mine"), value.tolist()) == (Part(0, 1), "mine", [1.0, 1.0])
