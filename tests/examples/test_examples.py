"""Each script under examples/ is started as its docstring says, and its run is in the store."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import RunStore
from tests.factories import ROOT, wait_for

pytestmark = pytest.mark.slow

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MOST_LINES = 40
ALONE = [path.stem for path in EXAMPLES if "`python examples/" in path.read_text()]
TOGETHER = [path.stem for path in EXAMPLES if "`torchrun " in path.read_text()]
# What a script needs that not every checkout has.
NEEDS = {"accelerate_loop": "accelerate", "lightning_loop": "lightning", "trainer_loop": "transformers"}


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / f"{name}.py"), *arguments]


def surroundings(home: Path, steps: int) -> dict[str, str]:
    return {**os.environ, "GRADNORM_HOME": str(home), "PYTHONPATH": str(ROOT), "STEPS": str(steps)}


def running(store: RunStore) -> RunInfo:
    """Return the run of a script that has been started, once it has logged."""
    return wait_for(lambda: next((info for info in store.runs() if info.steps > 3 and not info.ended), None))


def skip_without_its_package(name: str) -> None:
    package = NEEDS.get(name)
    if package is not None and find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install {package}")


def assert_one_run_of_30_steps(home: Path) -> None:
    (info,) = RunStore(home).runs()
    assert (info.state, info.steps) == ("finished", 30)
    assert np.isfinite(RunStore(home).read(info.run).vector("losses")).all()


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(script):
    assert len(script.read_text().splitlines()) < MOST_LINES


def test_every_script_says_how_to_start_it():
    assert {path.stem for path in EXAMPLES} - {*ALONE, *TOGETHER} == {"two_tasks"}


@pytest.mark.parametrize("name", ALONE)
def test_an_example_runs(name, tmp_path):
    skip_without_its_package(name)
    subprocess.run(command(name), check=True, cwd=tmp_path, env=surroundings(tmp_path, 30), timeout=120)
    assert_one_run_of_30_steps(tmp_path)


@pytest.mark.parametrize("name", TOGETHER)
def test_two_processes_end_with_the_same_weights_and_network(name, tmp_path):
    skip_without_its_package(name)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = [str(ROOT / "tests" / "examples" / "one_rank.py"), *command(name)[1:], str(tmp_path)]
    with subprocess.Popen([*torchrun, *script], cwd=tmp_path, env=surroundings(tmp_path, 30)) as launcher:
        try:
            assert launcher.wait(180) == 0
        finally:
            launcher.terminate()  # it ends its processes, too
    first, second = (torch.load(tmp_path / f"rank {rank}") for rank in range(2))
    assert torch.equal(first["weights"], second["weights"])
    assert first["weights"][0] != 1
    for ours, theirs in zip(first["network"], second["network"], strict=True):
        assert torch.equal(ours, theirs)
    assert_one_run_of_30_steps(tmp_path)


def test_the_knobs_are_turned_from_another_process_and_the_script_is_stopped(tmp_path):
    store = RunStore(tmp_path)
    with subprocess.Popen(command("live_knobs"), env=surroundings(tmp_path, 100_000)) as script:
        try:
            run = running(store).run
            store.wishes.ask(run, "alpha", 1.5)
            wait_for(lambda: store.read(run).scalar("alpha")[-1] == 1.5)
            store.wishes.ask(run, "stopped", True)
            assert script.wait(30) == 0
        finally:
            script.kill()
    snapshot = store.read(run)
    assert snapshot.info.state == "stopped"
    (event,) = snapshot.events
    assert (event.key, event.value) == ("alpha", 1.5)
    np.testing.assert_array_equal(snapshot.scalar("alpha") == 1.5, snapshot.scalar("step") >= event.step)


def test_a_script_is_forked_from_a_checkpoint_and_goes_on_with_its_network(tmp_path):
    store = RunStore(tmp_path)
    with subprocess.Popen(command("checkpoint_and_fork"), env=surroundings(tmp_path, 1_000_000)) as script:
        try:
            run = running(store).run
            store.wishes.ask(run, "checkpoint", True)
            step = wait_for(lambda: store.checkpoints.steps(run))[0]
            store.wishes.ask(run, "stopped", True)
            assert script.wait(30) == 0
        finally:
            script.kill()
    fork = command("checkpoint_and_fork", run, str(step))
    subprocess.run(fork, check=True, env=surroundings(tmp_path, step + 20), timeout=120)
    child, parent = store.runs()
    assert (child.parent, child.forked_at, child.steps, child.state) == (run, step, step + 20, "finished")
    assert [info.run for info in store.family(child.run)] == [parent.run, child.run]
    # Both draw the same first batch, on which a fresh network would lose the same again.
    first, before = (store.read(each).vector("losses")[0] for each in (child.run, run))
    assert (first != before).all()
