"""A training loop of somebody's own: what it logs is in the store, whatever becomes of the process."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from gradnorm import GradNorm, NonFiniteLossError, Recorder
from gradnorm.runs.records import columns
from gradnorm.runs.store import RunStore
from tests.factories import ROOT, start_python, wait_for

TASKS = ("depth", "normals")


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path)


def recorder(store: RunStore, **options) -> Recorder:
    return Recorder("my network", TASKS, home=store.home, **options)


def test_plain_numbers_are_in_the_store_with_ratios_and_rates(store):
    with recorder(store, steps=2) as ours:
        ours.log(losses=[2.0, 8.0], weights=(1.5, 0.5), norms=[3.0, 4.0], alpha=0.25)
        ours.log(losses={"depth": 1.0, "normals": 6.0})
    info, rows = store.info(ours.run), store.read(ours.run).rows
    assert (info.title, info.tasks, info.state, info.total, info.steps) == ("my network", TASKS, "finished", 2, 2)
    named = [dict(zip(columns(2), row.tolist(), strict=True)) for row in rows]
    assert (named[0]["weights.0"], named[0]["weights.1"], named[0]["alpha"]) == (1.5, 0.5, 0.25)
    assert (named[0]["gradient_norms.0"], named[0]["gradient_norms.1"]) == (3.0, 4.0)
    # 1/2 and 6/8, over their mean 0.625.
    assert (named[1]["loss_ratios.0"], named[1]["loss_ratios.1"]) == (0.5, 0.75)
    assert named[1]["relative_rates.0"] == pytest.approx(0.8)
    assert named[1]["relative_rates.1"] == pytest.approx(1.2)
    assert all(math.isnan(named[1][name]) for name in ("weights.0", "gradient_norms.1", "targets.0", "alpha"))


def test_a_balance_is_logged_whole(store):
    torch.manual_seed(0)
    shared, heads = torch.nn.Linear(3, 4), torch.nn.ModuleList(torch.nn.Linear(4, 1) for _ in TASKS)
    balancer = GradNorm(tasks=TASKS, alpha=0.12)
    balances = []
    with Recorder("tiny", tasks=balancer.names, home=store.home) as ours:
        for _ in range(5):
            hidden = shared(torch.randn(8, 3)).relu()
            balance = balancer.backward([head(hidden).square().mean() for head in heads], shared=shared)
            balances.append(balance)
            ours.log(balance, alpha=balancer.method.alpha)  # pyright: ignore
    snapshot = store.read(ours.run)
    vectors = ("weights", "losses", "loss_ratios", "relative_rates", "gradient_norms", "targets")
    for name in vectors:
        expected = np.array([getattr(balance, name).tolist() for balance in balances], np.float32)
        np.testing.assert_array_equal(snapshot.vector(name), expected)
    np.testing.assert_array_equal(snapshot.scalar("imbalance"), np.array([b.imbalance.item() for b in balances], "f4"))
    assert snapshot.scalar("alpha") == pytest.approx(0.12)
    assert snapshot.info.spec["targets"] is True
    assert snapshot.info.device == "cpu"


def test_evaluations_have_ratios_and_any_metrics(store):
    with recorder(store) as ours:
        ours.evaluate([4.0, 10.0], metrics=[{"rmse": 2.0}, {}])
        ours.log(losses=[1.0, 1.0])
        ours.evaluate(
            torch.tensor([1.0, 5.0]), metrics={"normals": {"angle_mean": torch.tensor(21.0), "within_11": 0.5}}
        )
    first, second = store.read(ours.run).evaluations
    assert (first.step, first.loss_ratios, first.metrics) == (0, (1.0, 1.0), ({"rmse": 2.0}, {}))
    assert (second.step, second.loss_ratios, second.task_normalized_loss) == (1, (0.25, 0.5), 0.75)
    assert second.metrics == ({}, {"angle_mean": 21.0, "within_11": 0.5})
    assert store.info(ours.run).spec["metrics"] == [["rmse"], ["angle_mean", "within_11"]]


def test_an_absent_task_is_none_and_the_others_are_rated_without_it(store):
    with recorder(store) as ours:
        ours.log(losses=[2.0, None])
        ours.log(losses={"depth": 1.0, "normals": 5.0})
    snapshot = store.read(ours.run)
    np.testing.assert_array_equal(snapshot.vector("loss_ratios"), np.array([[1, np.nan], [0.5, 1]], "f4"))
    np.testing.assert_allclose(snapshot.vector("relative_rates"), [[1, np.nan], [2 / 3, 4 / 3]], rtol=1e-6)
    assert store.info(ours.run).state == "finished"


@pytest.mark.parametrize(
    ("error", "state", "says"),
    [
        (RuntimeError("out of memory"), "failed", "RuntimeError: out of memory"),
        (KeyboardInterrupt(), "stopped", "Stopped by hand after 1 steps."),
        (SystemExit(2), "failed", "SystemExit: 2"),
        (NonFiniteLossError("depth", math.inf), "diverged", "The loss of 'depth' should be finite."),
    ],
)
def test_an_exception_ends_the_run_and_goes_on_its_way(store, error, state, says):
    def loop(ours: Recorder) -> None:
        with ours:
            ours.log(losses=[1.0, 1.0])
            raise error

    ours = recorder(store)
    with pytest.raises(type(error)):
        loop(ours)
    outcome = store.info(ours.run).outcome
    assert outcome is not None
    assert (outcome.kind, outcome.step) == (state, 1)
    assert outcome.message.startswith(says)


@pytest.mark.parametrize(("last", "state"), [([math.nan, 1.0], "diverged"), ([0.5, 1.0], "finished")])
def test_a_last_loss_that_is_not_finite_is_a_run_that_diverged(store, last, state):
    with recorder(store) as ours:
        for losses in ([1.0, 1.0], [math.inf, 1.0], last):
            ours.log(losses=losses)
    outcome = store.info(ours.run).outcome
    assert outcome is not None
    assert outcome.kind == state
    if state == "diverged":
        assert (outcome.task, outcome.value) == ("depth", math.inf)
        assert "step 2" in outcome.message


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda ours: ours.log(losses=[1.0]), "losses should have 2 numbers"),
        (lambda ours: ours.log(losses={"deep": 1.0}), "Found 'deep'"),
        (lambda ours: ours.log(weights=["a", "b"]), "weights should be numbers. Found 'a'"),
        (lambda ours: ours.log(), "Found nothing"),
        (lambda ours: ours.log([1.0, 2.0]), "Found a list"),
        (lambda ours: ours.log(losses=[1.0, 1.0], step=1), "Step 2 should be logged next.*Found 1"),
        (lambda ours: ours.log(losses=[1.0, 1.0], step=7), "Found 7"),
        (lambda ours: ours.evaluate([1.0, 1.0], [{"r2": 1.0}]), "metrics should be 2 mappings"),
        (lambda ours: (ours.evaluate([1.0, 1.0]), ours.evaluate([1.0, 1.0])), "evaluated once"),
        (lambda ours: Recorder("", TASKS), "title should be a text"),
        (lambda ours: Recorder("x", "depth"), "tasks should be different names"),
        (lambda ours: Recorder("x", ["a", "a"]), "tasks should be different names"),
        (lambda ours: Recorder("x", ["a"], steps=0), "steps should be in"),
    ],
)
def test_what_is_wrong_is_told_and_leaves_no_trace(store, wrong, says):
    with recorder(store) as ours:
        ours.log(losses=[1.0, 1.0])
        with pytest.raises(ValueError, match=says):
            wrong(ours)
        ours.log(losses=[1.0, 1.0], step=2)
    assert store.info(ours.run).steps == 2
    with pytest.raises(ValueError, match="has ended"):
        ours.log(losses=[1.0, 1.0])


def test_a_step_is_seen_while_the_next_one_is_still_computed(store):
    with recorder(store) as ours:
        ours.log(losses=[1.0, 2.0])
        wait_for(lambda: store.info(ours.run).steps == 1, 5)
        assert store.info(ours.run).state == "running"


def test_a_deleted_run_does_not_end_the_training(store, caplog):
    with recorder(store) as ours:
        ours.log(losses=[1.0, 2.0])
        ours.flush()
        store._set(ours.run, "state = ?", "finished")
        store.delete(ours.run)
        ours.log(losses=[1.0, 2.0])
        ours.log(losses=[1.0, 2.0])
    assert not store.runs()
    assert "was removed while it was recorded" in caplog.text


LOOP = """
import sys, time
from gradnorm import Recorder
recorder = Recorder("killed", tasks=["depth", "normals"])
for step in range(1, 1_000_000):
    recorder.log(losses=[1 / step, 2.0], weights=[1.0, 1.0])
    if step % 50 == 0:
        recorder.flush()
        print(recorder.run, step, "torch" in sys.modules, flush=True)
    time.sleep(0.001)
"""


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_what_was_flushed_outlives_the_process(store, how):
    code = LOOP if how == "kill" else LOOP.replace("    time.sleep(0.001)", "    if step == 75: break")
    with start_python(store.home, "-c", code, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        run, step, torch_loaded = process.stdout.readline().split()
        if how == "kill":
            process.kill()
        process.wait(30)
    info = store.info(run)
    assert info.state == "interrupted"
    assert torch_loaded == "False"
    assert info.steps == 75 if how == "exit" else info.steps >= int(step)
    losses = store.read(run).vector("losses")
    np.testing.assert_array_equal(losses[:, 0], 1 / np.arange(1, len(losses) + 1, dtype="f8").astype("f4"))


def test_logging_costs_little(store):
    with recorder(store) as ours:
        began = time.perf_counter()
        for _ in range(2000):
            ours.log(losses=[1.0, 2.0], weights=[1.0, 1.0], norms=[1.0, 1.0])
        each = (time.perf_counter() - began) / 2000
    assert each < 1e-3
    assert store.info(ours.run).steps == 2000


@pytest.mark.slow
def test_ten_lines_in_somebody_s_script(tmp_path):
    code = (ROOT / "tests" / "own_loop.py").read_text()
    environment = {"PATH": "", "GRADNORM_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment, timeout=120)
    (info,) = RunStore(tmp_path).runs()
    snapshot = RunStore(tmp_path).read(info.run)
    assert (info.title, info.state, info.steps) == ("my network", "finished", 60)
    np.testing.assert_allclose(snapshot.vector("weights").sum(1), 2, rtol=1e-5)
    assert [e.step for e in snapshot.evaluations] == [0, 20, 40, 60]
    assert snapshot.evaluations[-1].task_normalized_loss < 2
