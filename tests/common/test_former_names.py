"""Scripts that earlier versions exported still run, and old imports say where the module is now."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import gradnorm.methods.base
from gradnorm.common.former_names import FORMER_NAMES, todays_name
from tests.factories import ROOT

SCRIPTS = Path(__file__).parents[1] / "export" / "scripts"
# What each script printed with the version that exported it.
PRINTED = {
    "written_out": ["task 1: weight 1.02999, loss 1.64307", "task 2: weight 0.970009, loss 4.66665"],
    "by_autograd": ["task 1: weight 1, loss 3.08366", "task 2: weight 0, loss 6.58458"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_a_script_of_the_version_before_runs_and_comes_to_its_numbers(name, tmp_path):
    (tmp_path / "old.py").write_text((SCRIPTS / f"{name}.py.txt").read_text())
    environment = {"PATH": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "old.py", "out.json"]
    done = subprocess.run(
        command, check=False, cwd=tmp_path, env=environment, timeout=120, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PRINTED[name]
    assert json.loads((tmp_path / "out.json").read_text())["tasks"] == ["task 1", "task 2"]
    assert "DeprecationWarning: The module should be imported as gradnorm.methods. Found its former name" in done.stderr
    assert "old.py:" in done.stderr


@pytest.fixture
def forgetting():
    """Forget stand-ins, so that their import is seen to work and to warn."""

    def forget():
        for name in [name for name in sys.modules if todays_name(name)]:
            del sys.modules[name]

    forget()
    yield
    forget()


@pytest.mark.parametrize("name", [*FORMER_NAMES, "gradnorm.balancing.gradnorm"])
def test_every_former_name_is_a_module_of_today_and_no_other_module(name, forgetting):
    if (package := name.rpartition(".")[0]) in FORMER_NAMES:
        with pytest.warns(DeprecationWarning, match="imported as gradnorm.methods"):
            importlib.import_module(package)
    with pytest.warns(DeprecationWarning, match=rf"imported as {todays_name(name)}\. Found its former name {name}\."):
        old = importlib.import_module(name)
    now = importlib.import_module(todays_name(name))
    public = [each for each in dir(now) if not each.startswith("__")]
    assert public
    for each in public:
        assert getattr(old, each) is getattr(now, each)


def test_types_are_the_same_under_both_names(forgetting):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        base = importlib.import_module("gradnorm.balancing.base")
    assert base.Method is gradnorm.methods.base.Method


def test_a_name_that_never_was_is_not_found(forgetting):
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'gradnorm\.no_such_room'"):
        importlib.import_module("gradnorm.no_such_room")
    with pytest.warns(DeprecationWarning, match="imported as gradnorm.methods"):
        importlib.import_module("gradnorm.balancing")
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'gradnorm\.methods\.no_such_method'"):
        importlib.import_module("gradnorm.balancing.no_such_method")
