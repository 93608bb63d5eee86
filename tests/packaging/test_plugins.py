"""Methods and data sets of other packages: installed as pip would leave them, then found, trained and judged."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.factories import ROOT

# Whole runs, servers and commands: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

METHOD = """
from gradnorm.methods.base import Decision, Method, Needs, fresh_state

class Halves(Method):
    name, title, summary, citation = "halves", "Halves", "Every weight is a half.", "@misc{halves, title={Halves}}"
    needs = Needs.LOSSES

    def start(self, ones, kinds):
        return fresh_state(ones / 2)

    def decide(self, state, signal, relative_rates):
        return Decision(state.weights, {})
"""
NAMELESS = METHOD.replace('"halves", "Halves"', '"", "Halves"')
SECOND_EQUAL = METHOD.replace('"halves", "Halves"', '"equal", "Halves"')
DATA = """
from gradnorm.datasets.base import Batch, Dataset, Source, Task

class Squares(Dataset):
    name, title, summary = "squares", "Squares", "x and x squared from x."

    @property
    def task_names(self):
        return ("line", "square")

    @property
    def task_forms(self):
        return ("regression", "regression")

    def load(self, seed):
        return SquaresSource(seed)

class SquaresSource(Source):
    tasks = (Task("line", "regression", 1), Task("square", "regression", 1))

    def __init__(self, seed):
        self.test = self.batch(0, 8)

    def batch(self, step, size):
        import torch
        x = torch.randn(size, 1, generator=torch.Generator().manual_seed(step))
        return Batch(x, (x + 1, x**2))
"""


def install(site, name, entry_points, **modules):
    """Leave a package in the folder `site` as pip does: its modules, and a dist-info folder with its entry points."""
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    for module, code in modules.items():
        (site / f"{module}.py").write_text(code)


@pytest.fixture
def gradnorm(tmp_path):
    """Runs `python -m gradnorm …` with the packages of the folder `site`."""

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path / "site")])}
        command = [sys.executable, "-m", "gradnorm", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return run


@pytest.mark.slow
def test_an_installed_method_and_data_set_are_listed_and_train(tmp_path, gradnorm):
    entries = "[gradnorm.methods]\nhalves = tiny_method:Halves\n\n[gradnorm.datasets]\nsquares = tiny_data\n"
    install(tmp_path / "site", "tiny", entries, tiny_method=METHOD, tiny_data=DATA)

    listed = json.loads(gradnorm("methods", "--json", "-").stdout)
    assert [m["summary"] for m in listed if m["method"] == "halves"] == ["Every weight is a half."]
    assert {"gradnorm", "equal", "uncertainty"} <= {m["method"] for m in listed}

    small = ["--steps", "3", "--width", "4", "--depth", "1", "--batch-size", "4"]
    done = gradnorm("train", "--dataset", "squares", "--method", "halves", *small, "--json", "-")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert (result["outcome"], result["steps"], result["tasks"]) == ("finished", 3, ["line", "square"])
    assert result["mean_weights"] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("code", "value", "message"),
    [
        ("import nowhere_at_all", "tiny_method:Halves", "should be importable. Found ModuleNotFoundError: No module"),
        ("", "tiny_method:Halves", "should be importable. Found AttributeError"),
        ("raise RuntimeError('first\\nsecond')", "tiny_method", "Found RuntimeError: first. Update or uninstall tiny."),
        ("Halves = 3", "tiny_method:Halves", "should be a concrete subclass of Method, or a module with one."),
        ("x = 3", "tiny_method", "should be a concrete subclass of Method, or a module with one."),
        (
            NAMELESS,
            "tiny_method",
            "should have a text as `name`. Found ''.",
        ),
        (SECOND_EQUAL, "tiny_method", "Found 'equal' in package 'tiny'"),
    ],
)
def test_a_package_that_cannot_be_used_is_named_in_one_line(tmp_path, gradnorm, code, value, message):
    install(tmp_path / "site", "tiny", f"[gradnorm.methods]\nhalves = {value}\n", tiny_method=code)
    done = gradnorm("methods")
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "package 'tiny'" in done.stderr
    assert done.stderr.startswith("gradnorm: ")
    assert done.stderr.count("\n") == 1


def test_two_packages_with_one_name_are_both_named(tmp_path, gradnorm):
    for name in ("first", "second"):
        module = f"{name}_method"
        install(tmp_path / "site", name, f"[gradnorm.methods]\nhalves = {module}:Halves\n", **{module: METHOD})
    done = gradnorm("methods")
    assert done.returncode == 2
    assert "Found 'halves' in package 'second' and in first_method." in done.stderr
