"""A run as a script: run as a process of its own, it comes to the very numbers of the run."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradnorm.config.spec import RunSpec, preset
from gradnorm.export.script import NoScriptError, script
from gradnorm.lab.run_writer import record
from gradnorm.runs.recorder import Recorder
from gradnorm.runs.records import Event, StepRecord
from gradnorm.runs.store import RunStore
from gradnorm.training.control import Control
from gradnorm.training.engine import train
from gradnorm.training.run import learning_rate
from tests.factories import ROOT, TINY


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "home")


def trained(store: RunStore, spec: RunSpec, moves: dict[int, Any] | None = None, key: str = "alpha") -> str:
    """Train a run as the engine does. moves: values of an option by the step after which it is moved there."""
    control = Control()
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    for item in record(store, run, train(spec, control, lambda device: store.start(run, device)), control):
        if isinstance(item, StepRecord) and item.step in (moves or {}):
            assert moves is not None
            control.retune(**{key: moves[item.step]})
    return run


def repeated(source: str, folder: Path) -> dict[str, list[float]]:
    """Run the script on its own, and return what it wrote."""
    (folder / "again.py").write_text(source)
    environment = {"PATH": "", "PYTHONPATH": str(ROOT), "GRADNORM_HOME": str(folder / "none")}
    subprocess.run([sys.executable, "again.py", "out.json"], check=True, cwd=folder, env=environment, timeout=300)
    assert not (folder / "none").exists()
    return json.loads((folder / "out.json").read_text())


def check(store: RunStore, run: str, folder: Path) -> str:
    source = script(store, run)
    found, last = repeated(source, folder), store.read(run)
    assert found["tasks"] == list(last.info.tasks)
    # Bit for bit.
    np.testing.assert_array_equal(np.float32(found["weights"]), last.vector("weights")[-1])
    np.testing.assert_array_equal(np.float32(found["losses"]), last.vector("losses")[-1])
    return source


@pytest.mark.slow
@pytest.mark.parametrize("name", ["toy-2", "diamonds"])
def test_a_preset_s_script_ends_with_its_weights(store, tmp_path, name):
    run = trained(store, preset(name, {"steps": 300, "device": "cpu"}))
    check(store, run, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"method": "uncertainty", "optimizer": "adam", "weight_decay": 2.0},
        {"method": "dwa", "watch_norms": False, "schedule": "cosine"},
        {"method": "pcgrad", "weight_decay": 2.0},
        {"method": "gradnorm", "update": "adam", "seed": 3, "depth": 2},
        {"method": "gradnorm", "update": "closed", "heads": "own", "every": 3, "watch_norms": False},
        {"method": "gradnorm", "update": "log", "priorities": "1,3", "least": 0.5, "most": 1.4, "depth": 2},
        {"method": "dwa", "heads": "own", "watch_norms": False, "optimizer": "adam"},
        {"method": "uncertainty", "heads": "own"},
        {"method": "pcgrad", "heads": "weighted"},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_methods_of_every_kind(store, tmp_path, changes):
    run = trained(store, RunSpec.parse({**TINY, "learning_rate": 0.01, "steps": 37, **changes}))
    check(store, run, tmp_path)


@pytest.mark.slow
def test_alpha_is_moved_where_it_was(store, tmp_path):
    # Of the updates that move by how far a norm is from its target, not only by which side it is on.
    spec = RunSpec.parse({**TINY, "update": "sgd", "alpha": 0.12, "steps": 60, "learning_rate": 0.02})
    run = trained(store, spec, {20: 1.7, 40: 0.35})
    source = check(store, run, tmp_path)
    assert "CHANGES = {\n    21: {'alpha': 1.7},\n    41: {'alpha': 0.35},\n}\n" in source
    still = trained(store, spec)
    gap = np.abs(store.read(still).vector("weights")[-1] - store.read(run).vector("weights")[-1]).max()
    assert gap > 1e-3


@pytest.mark.slow
def test_weights_held_by_hand_are_moved_where_they_were(store, tmp_path):
    spec = RunSpec.parse({**TINY, "method": "static", "weights": "1,1", "steps": 30, "learning_rate": 0.02})
    run = trained(store, spec, {10: [3.0, 1.0]}, "weights")
    check(store, run, tmp_path)
    # w = T·v/Σv: ones, then 2·3/4 and 2·1/4.
    weights = store.read(run).vector("weights")
    assert weights[9].tolist() == [1.0, 1.0]
    assert weights[10].tolist() == weights[-1].tolist() == [1.5, 0.5]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "steps"])
def test_every_change_that_training_used_is_repeated(store, schedule):
    spec = RunSpec.parse({**TINY, "steps": 30, "schedule": schedule})
    run = trained(store, spec)
    moves = {3: ("hold", [2]), 5: ("weight_learning_rate", 0.5), 7: ("paused", True), 9: ("learning_rate", 0.25)}
    store.append(run, [], events=[Event(step, key, value, 0.0) for step, (key, value) in moves.items()])
    store.append(run, [], events=[Event(5, "alpha", 0.3, 0.0), Event(31, "alpha", 3.0, 0.0)])
    names: dict[str, Any] = {}
    exec(script(store, run), names)
    # A pause changes nothing, and no step has used the last α.
    assert names["CHANGES"] == {3: {"hold": (2,)}, 5: {"weight_learning_rate": 0.5, "alpha": 0.3}}
    for step in range(1, 31):
        changed = spec.model_copy(update={"learning_rate": 0.25}) if step >= 9 else spec
        assert names["learning_rate"](step) == learning_rate(changed, step)


def test_the_script_leans_on_the_library_alone_and_is_short(store):
    run = trained(store, RunSpec.parse({**TINY, "steps": 5}))
    source = script(store, run)
    modules = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    rooms = {module.split(".")[1] for module in modules if module and module.startswith("gradnorm.")}
    assert rooms <= {"methods", "datasets", "models", "metrics", "training"}
    lines = source.splitlines()
    assert len(lines) < 100
    assert max(map(len, lines)) <= 120


def test_what_cannot_be_repeated_is_refused(store):
    spec = RunSpec.parse({**TINY, "steps": 5})
    with Recorder("own", ["a"], home=store.home) as recorder:
        recorder.log(losses=[1.0])
    with pytest.raises(NoScriptError, match="recorded"):
        script(store, recorder.run)
    fresh = store.create("queued", spec.flat(), spec.dataset.task_names, queued=True)
    with pytest.raises(NoScriptError, match="without steps"):
        script(store, fresh)
