"""What works in the library alone, and what is said where a package of an extra is missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib

import pytest

from gradnorm.cli import main
from gradnorm.common.extras import EXTRA_OF, PARTS, MissingPackageError, explain_import, requirement
from tests.factories import ROOT
from tests.packaging.hidden import OPTIONAL

# Trains by GradNorm in a loop of one's own, and by the engine, with nothing but torch, numpy, pydantic, jaxtyping.
LIBRARY = """
import torch
from gradnorm import GradNorm, RunSpec, train

torch.manual_seed(0)
shared, heads = torch.nn.Linear(3, 4), [torch.nn.Linear(4, 1), torch.nn.Linear(4, 1)]
balancer = GradNorm(["a", "b"], alpha=0.5)
for _ in range(3):
    features = shared(torch.ones(2, 3))
    losses = [scale * head(features).square().mean() for scale, head in zip((1, 100), heads)]
    balance = balancer.backward(losses, shared=shared, features=features)
assert abs(float(balancer.weights.sum()) - 2) < 1e-6 and balancer.weights[0] > balancer.weights[1]
items = list(train(RunSpec.parse({"dataset": "toy", "tasks": 2, "sigmas": (1, 2), "steps": 3, "width": 4, "depth": 1})))
assert items[-1].kind == "finished", items[-1]
"""
# Runs commands, and prints exit code and standard error of each as JSON.
COMMANDS = """
import contextlib, io, json, sys
from gradnorm.cli import main
told = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    told.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""


def without(packages, code, *arguments):
    """Run Python code in a process in which some packages are not installed; return what it printed."""
    start = f"from tests.packaging.hidden import hide\nhide(*{sorted(packages)!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", start + code, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def commands_without(packages, *commands):
    """Return exit code, standard output and standard error of each command."""
    return json.loads(without(packages, COMMANDS, json.dumps([command.split() for command in commands])))


@pytest.mark.slow
def test_the_library_alone_trains():
    assert without(OPTIONAL, LIBRARY) == ""


@pytest.mark.slow
def test_the_library_alone_lists_methods_and_says_what_each_command_lacks(home):
    told = commands_without(OPTIONAL, "methods", "cite", "train --preset toy-2", "runs", "dashboard", "figure2")
    (methods, out, _), (cite, entries, _) = told[:2]
    assert (methods, cite) == (0, 0)
    assert "cagrad" in out
    assert "chen2018gradnorm" in entries
    install = "Install them with: pip install 'gradnorm-live"
    assert [(code, err) for code, _, err in told[2:]] == [
        (2, f"gradnorm: gradnorm train needs apsw, psutil and tqdm. Found them not installed. {install}[cli]'\n"),
        (2, f"gradnorm: gradnorm runs needs apsw and psutil. Found them not installed. {install}[recorder]'\n"),
        (
            2,
            "gradnorm: gradnorm dashboard needs streamlit, starlette, uvicorn, websockets, plotly, pandas, pyarrow, "
            f"apsw and psutil. Found them not installed. {install}[dashboard]'\n",
        ),
        (2, f"gradnorm: gradnorm figure2 needs tqdm and matplotlib. Found them not installed. {install}[dashboard]'\n"),
    ]
    assert not home.exists()


@pytest.mark.slow
def test_what_only_some_runs_need_is_said_before_there_is_a_run(home):
    told = commands_without(
        {"pandas", "clarabel", "pyarrow", "playwright"},
        "train --preset bikes",
        "train --preset toy-2 --race equal,cagrad",
        "train --dataset table:gradnorm/datasets/builtin/files/diamonds.csv.gz --targets price",
        "bench streaming",
    )
    needs = "Found it not installed. Install it with: pip install"
    assert [(code, out, err) for code, out, err in told] == [
        (2, "", f"gradnorm: Data set bikes needs pandas. {needs} 'gradnorm-live[data]'\n"),
        (2, "", f"gradnorm: Method cagrad needs clarabel. {needs} 'gradnorm-live[surgery]'\n"),
        (2, "", f"gradnorm: gradnorm train needs pyarrow. {needs} 'gradnorm-live[data]'\n"),
        (2, "", f"gradnorm: gradnorm bench streaming needs playwright. {needs} playwright\n"),
    ]
    assert not home.exists()


def test_a_benchmark_in_a_browser_says_which_browser_it_lacks(monkeypatch, capsys):
    monkeypatch.setenv("CHROMIUM", "/nowhere/chromium")
    assert main(["bench", "startup"]) == 2
    assert capsys.readouterr().err == (
        "gradnorm: gradnorm bench startup should find Chromium. Found no /nowhere/chromium. "
        "Install it with `apt-get install chromium`, or set CHROMIUM to another one.\n"
    )


@pytest.mark.slow
def test_a_library_user_is_told_too():
    code = """
for attempt in (
    "from gradnorm import Recorder",
    "from gradnorm import Balancer; from gradnorm.methods.aligned_mtl import AlignedGradients as A; Balancer(2, A())",
):
    try:
        exec(attempt)
    except ImportError as error:
        print(error)
"""
    first, second = without(OPTIONAL, code).splitlines()
    assert first.endswith("pip install 'gradnorm-live[recorder]'")
    assert second.startswith("Method aligned-mtl needs torchjd.")


def test_an_import_that_no_extra_mends_stays_an_error():
    assert explain_import("gradnorm train", ModuleNotFoundError("No module named 'x'", name="x")) is None
    # It is there, and broken in another way.
    assert explain_import("gradnorm train", ImportError("cannot import name 'y'", name="pandas")) is None
    assert explain_import("gradnorm train", MissingPackageError("As it is.")) == "As it is."


def test_extras_that_contain_others_are_named_alone():
    assert requirement(["apsw", "tqdm", "h5py"]) == "'gradnorm-live[cli,data]'"
    assert requirement(["apsw", "streamlit", "h5py"]) == "'gradnorm-live[dashboard]'"


def test_what_is_said_is_what_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    pip_names = {extra: {re.split(r"[\[>]", line)[0] for line in lines} for extra, lines in extras.items()}
    for package, extra in EXTRA_OF.items():
        assert {"PIL": "pillow"}.get(package, package) in pip_names[extra]
    own = {extra: re.findall(r"gradnorm-live\[(.+?)\]", " ".join(lines)) for extra, lines in extras.items()}
    assert own == {
        "surgery": [],
        "data": [],
        "recorder": [],
        "cli": ["recorder"],
        "dashboard": ["surgery,data,cli"],
        "all": ["dashboard"],
        "ray": ["cli"],
        "slurm": ["cli"],
    }
    clusters = {"ray": {"cli", "recorder"}, "slurm": {"cli", "recorder"}}
    assert {"cli": {"recorder"}, "dashboard": {"surgery", "data", "cli", "recorder"}, **clusters} == PARTS
    assert set(EXTRA_OF) | {"playwright"} == OPTIONAL
    assert [re.split(">", line)[0] for line in project["dependencies"]] == ["torch", "numpy", "pydantic", "jaxtyping"]
