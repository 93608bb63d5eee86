"""The person's own problem: a file with one function, on the command line alone."""

import json
import subprocess
import sys

import pytest

from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.datasets.problems import own_file
from gradnorm.datasets.problems.own_file import OwnProblem
from gradnorm.datasets.readers.folders import DataError
from gradnorm.export.script import NoScriptError, script
from gradnorm.lab.lab import Lab
from gradnorm.runs.store import CannotGoOnError, RunStore
from tests.factories import ROOT, finished, step_records

DECAY = '''
"""u' = -u, u(0) = 1."""
import torch


def losses(model, random):
    t = torch.from_numpy(random.uniform(0, 1, (16, 1)).astype("float32")).requires_grad_()
    u = model(t)
    (du,) = torch.autograd.grad(u.sum(), t, create_graph=True)
    return {"residual": (du + u).square().mean(), "start": (model(torch.zeros(1, 1)) - 1).square().mean()}


def error(model):
    t = torch.linspace(0, 1, 20)[:, None]
    return float((model(t) - torch.exp(-t)).abs().max())
'''


@pytest.fixture
def permitted(tmp_path, monkeypatch):
    """This process may execute files, as the command line may."""
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path))
    monkeypatch.setattr(own_file, "_permitted", True)


def written(tmp_path, text):
    path = tmp_path / "own.py"
    path.write_text(text)
    return str(path)


@pytest.mark.slow
def test_a_file_is_trained_resumed_and_shown_by_the_command_line(tmp_path):
    def gradnorm(*arguments):
        command = [sys.executable, "-m", "gradnorm", *arguments, "--home", str(tmp_path / "home")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    file = written(tmp_path, DECAY)
    options = ["--coordinates", "1", "--width", "8", "--depth", "1", "--steps", "30", "--device", "cpu"]
    done = gradnorm("train", "--dataset", f"problem:{file}", *options, "--json", str(tmp_path / "out.json"))
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["tasks"] == ["residual", "start"]
    assert result["spec"]["term_names"] == ["residual", "start"]
    assert 0 < result["test"]["metrics"][0]["error"] < 2
    exported = gradnorm("export", result["run"], "--format", "python", "--out", str(tmp_path / "run.py"))
    assert exported.returncode != 0
    assert "which computes its own losses" in exported.stderr
    assert "Traceback" not in exported.stderr

    written(tmp_path, DECAY + "\n1 / 0\n")
    broken = gradnorm("train", "--dataset", f"problem:{file}", *options)
    assert broken.returncode == 2
    assert "Found ZeroDivisionError in line 17: division by zero. Mend the file." in broken.stderr
    assert "Traceback" not in broken.stderr


@pytest.mark.usefixtures("permitted")
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1", r"should have a function losses\(model, random\)"),
        ("def losses(model, random):\n    return [1]", r"should return a dictionary, .* Found list"),
        ("def losses(model, random):\n    return {'a': 1.0}", "scalar tensor for each name. Found float for 'a'"),
        ("def losses(model, random):\n    return {'a': model.head.weight}", r"Found the shape \(1, 8\) for 'a'"),
        ("def losses(model, random):\n    return {'b': model.head.bias.sum()}", "should name a at each step. Found b"),
        ("def losses(model, random):\n    nothing", "Found NameError in line 2"),
        ("def losses(model:\n    pass", "Found SyntaxError"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, text, fault):
    from gradnorm.models.field import Field

    problem = OwnProblem(file=written(tmp_path, text), term_names=("a",))
    with pytest.raises(DataError, match=fault):
        problem.losses(Field(2, 1, width=8), problem.load(0).batch(1, 8).inputs)


@pytest.mark.usefixtures("permitted")
def test_the_file_s_own_network_is_trained(tmp_path):
    text = (
        "import torch\n"
        "def network(seed):\n    torch.manual_seed(seed)\n"
        "    return torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Linear(4, 1))\n"
        "def losses(model, random):\n"
        "    y = model(torch.from_numpy(random.normal(size=(8, 1)).astype('float32')))\n"
        "    return {'a': y.square().mean(), 'b': (y - 1).abs().mean()}\n"
    )
    from gradnorm.training.engine import train

    file = written(tmp_path, text)
    assert own_file.terms_of(file) == ("a", "b")
    spec = RunSpec.parse({"dataset": "problem", "file": file, "term_names": "a,b", "steps": 3, "device": "cpu"})
    one, two = (list(train(spec)) for _ in range(2))
    assert one[-1].kind == "finished"
    assert [item for item in one if item.step == 3][:2] == [item for item in two if item.step == 3][:2]
    assert one[0].metrics == ({}, {})


def test_no_file_is_executed_where_that_was_not_permitted(tmp_path):
    mark = tmp_path / "executed"
    file = written(tmp_path, f"open({str(mark)!r}, 'w')\n")
    problem = OwnProblem(file=file, term_names=("a",))
    for attempt in (lambda: problem.network(0), lambda: problem.error(None), lambda: own_file.terms_of(file)):
        with pytest.raises(DataError, match="should be started on the command line"):
            attempt()
    assert not mark.exists()


def test_the_lab_of_the_pages_starts_continues_and_forks_none(tmp_path):
    store = RunStore(tmp_path / "home")
    lab = Lab(store, workers=1)
    try:
        spec = RunSpec.parse({"dataset": "problem", "file": "own.py", "term_names": "a,b"})
        run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
        store.end(run, finished(0))
        with pytest.raises(SpecError, match=r"execute no file of a user's.*Use the command line"):
            lab.launch(spec)
        with pytest.raises(SpecError, match="execute no file"):
            lab.race([spec, spec])
        with pytest.raises(CannotGoOnError, match="execute no file"):
            lab.go_on(run)
        with pytest.raises(SpecError, match="execute no file"):
            lab.fork(run, 0, {})
        with pytest.raises(SpecError, match="execute no file"):
            lab.static(run)
        assert len(store.runs()) == 1
    finally:
        lab.close()


def test_a_problem_has_no_script(tmp_path):
    store = RunStore(tmp_path / "home")
    spec = RunSpec.parse({"dataset": "helmholtz"})
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    store.start(run, "cpu")
    store.append(run, step_records(1, 2))
    with pytest.raises(NoScriptError, match=r"should have targets to learn\. Found the problem helmholtz"):
        script(store, run)
