"""What `gradnorm study --engine` refuses, in a sentence and before a study is made."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest

from gradnorm.cli import main
from gradnorm.runs.store import RunStore
from tests.lab.cluster.clusters import needs_submitit

GRID = ["study", "grid", "--preset", "toy-2", "--steps", "20"]


@pytest.fixture
def refused(capsys, home):
    def run(*arguments):
        assert main([*GRID, *arguments]) == 2
        assert RunStore(home).studies.all() == []
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize("option", ["--leases=0", "--lease-runs=33", "--gpus-per-lease=-1"])
def test_numbers_out_of_range(refused, option):
    flag = option.partition("=")[0]
    assert refused("--engine", "slurm", "--slurm", "cluster=local", option).startswith(
        f"gradnorm: {flag} should be in ["
    )


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_package_that_is_missing(refused, engine, package):
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed here")
    words = f"--engine {engine} needs {package}. Found it not installed. Install it with: pip install "
    assert refused("--engine", engine) == f"gradnorm: {words}'gradnorm-live[{engine}]'\n"


@needs_submitit
def test_what_slurm_cannot_do(refused):
    local = ("--engine", "slurm", "--slurm", "cluster=local")
    assert refused(*local, "--gpus-per-lease", "0.5") == (
        "gradnorm: --gpus-per-lease should be a whole number for Slurm. Found 0.5. Round it up, or use Ray.\n"
    )
    assert "should be KEY=VALUE,KEY=VALUE. Found 'fast' in it" in refused("--engine", "slurm", "--slurm", "fast")
    assert "submitit should take what --slurm says" in refused("--engine", "slurm", "--slurm", "cluster=local,speed=3")
    if shutil.which("sbatch") is None:
        assert "Found no sbatch" in refused("--engine", "slurm")
