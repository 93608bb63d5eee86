"""Each script under examples/ runs as it is, and its run is in the store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import RunStore
from tests.factories import ROOT, wait_for

pytestmark = pytest.mark.slow

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
MOST_LINES = 40


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / f"{name}.py"), *arguments]


def surroundings(home: Path, steps: int) -> dict[str, str]:
    return {**os.environ, "GRADNORM_HOME": str(home), "PYTHONPATH": str(ROOT), "STEPS": str(steps)}


def running(store: RunStore) -> RunInfo:
    """Return the run of a script that has been started, once it has logged."""
    return wait_for(lambda: next((info for info in store.runs() if info.steps > 3 and not info.ended), None))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_runs(script, tmp_path):
    assert len(script.read_text().splitlines()) < MOST_LINES
    subprocess.run(command(script.stem), check=True, env=surroundings(tmp_path, 30), timeout=120)
    (info,) = RunStore(tmp_path).runs()
    assert (info.state, info.steps) == ("finished", 30)
    assert np.isfinite(RunStore(tmp_path).read(info.run).vector("losses")).all()


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
