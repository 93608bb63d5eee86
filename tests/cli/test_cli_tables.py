"""Tables of one's own from the command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from gradnorm.cli import main
from gradnorm.config.spec import RunSpec, datasets
from gradnorm.runs.records import Outcome
from gradnorm.runs.store import RunStore
from tests.factories import ROOT

# Whole runs, servers and commands: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

FAST = ["--width", "8", "--depth", "1", "--batch-size", "4", "--device", "cpu", "--steps", "10"]


@pytest.fixture
def houses(tmp_path, monkeypatch):
    """A table in the working directory."""
    x = np.linspace(0, 1, 50)
    table = pd.DataFrame({"x": x, "a, b": 2 * x + 1, "cut": np.where(x > 0.3, "good", "fair"), "z": x**2})
    table.to_csv(tmp_path / "houses.csv", index=False)
    monkeypatch.chdir(tmp_path)
    # So that what the command line sets for itself is taken back.
    monkeypatch.setenv("GRADNORM_DATA", "")
    monkeypatch.delenv("GRADNORM_DATA")
    return tmp_path / "houses.csv"


def train(capsys, *arguments):
    code = main(["train", *FAST, "--json", "-", *arguments])
    out, err = capsys.readouterr()
    return code, json.loads(out) if code == 0 else out, err


def test_a_file_and_its_targets(capsys, houses):
    code, result, err = train(capsys, "--dataset", "table:houses.csv", "--targets", 'cut,"a, b:number"')
    assert (code, err) == (0, "")
    assert result["tasks"] == ["cut", "a, b"]
    assert result["spec"]["file"] == str(houses)
    assert [list(metrics) for metrics in result["test"]["metrics"]] == [["accuracy"], ["r2"]]


def test_a_run_of_a_table_goes_on_and_is_forked(capsys, houses, monkeypatch):
    code, result, _ = train(
        capsys,
        "--dataset",
        "table",
        "--file",
        "houses.csv",
        "--targets",
        "z",
        "--inputs",
        "x",
        "--checkpoint-every",
        "5",
    )
    assert code == 0
    monkeypatch.delenv("GRADNORM_DATA")
    monkeypatch.chdir("/")  # the file was kept with its whole path
    assert main(["fork", result["run"], "--at", "5", "--alpha", "0.5"]) == 0
    assert "finished" in capsys.readouterr().out
    store = RunStore()
    spec = RunSpec.parse({**result["spec"], "steps": 12})
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    store.end(run, Outcome("stopped", 0, ""))
    monkeypatch.delenv("GRADNORM_DATA")
    assert main(["resume", run]) == 0


def test_a_path_below_the_data_folder_stays_as_it_is(capsys, houses, tmp_path):
    (tmp_path / "data").mkdir()
    houses.rename(tmp_path / "data" / "houses.csv")
    (tmp_path / "spec.json").write_text('{"dataset": "table", "file": "houses.csv", "targets": ["z"]}')
    code, result, _ = train(capsys, "--spec", "spec.json")
    assert code == 0
    assert result["spec"]["file"] == "houses.csv"
    assert "GRADNORM_DATA" not in os.environ


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "table:gone.csv", "--targets", "z"], "Found no such file at /"),
        (["--dataset", "table", "--file", "a\0b", "--targets", "z"], "Found no such file at /"),
        (
            ["--dataset", "table:houses.csv", "--targets", "q"],
            "houses.csv should have a column 'q'. Found x, a, b, cut, z.",
        ),
        (["--dataset", "table:houses.csv"], "Found no target. Choose one or more with --targets."),
        (["--dataset", "table"], "There should be a file. Found none. Give one, as in --dataset table:houses.csv."),
        (
            ["--dataset", "table:houses.csv", "--targets", "cut:number"],
            "Column cut should hold numbers. Found 'fair' in",
        ),
        (["--dataset", "toy:houses.csv"], "sarcos, problem may be followed by :PATH. Found 'toy:houses.csv'."),
        (["--dataset", "tabel:houses.csv"], f"dataset should be one of {', '.join(datasets())}"),
        (["--dataset", "tabel"], f"dataset should be one of {', '.join(datasets())}. Found 'tabel'."),
    ],
)
def test_what_is_wrong_is_one_line_and_no_run(capsys, houses, home, arguments, message):
    code, out, err = train(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert not (home / "gradnorm.db").exists()


def test_the_data_folder_is_kept_to_where_it_is_set(capsys, houses, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path / "data"))
    code, _, err = train(capsys, "--dataset", "table:houses.csv", "--targets", "z")
    assert code == 2
    assert f"Data should lie below {tmp_path / 'data'}." in err


def test_a_missing_file_is_told_as_missing_where_the_data_folder_is_set(capsys, houses, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path / "data"))
    code, _, err = train(capsys, "--dataset", "table:gone.csv", "--targets", "z")
    assert code == 2
    assert f"Found no such file at {tmp_path / 'gone.csv'}." in err


def test_an_empty_data_folder_counts_as_none(capsys, houses, monkeypatch):
    monkeypatch.setenv("GRADNORM_DATA", "")
    code, _, err = train(capsys, "--dataset", "table:houses.csv", "--targets", "z")
    assert (code, err) == (0, "")


def test_what_is_not_in_the_working_directory_is_looked_for_below_the_data_root(capsys, houses, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    houses.rename(tmp_path / "data" / "homes.csv")
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path / "data"))
    code, result, err = train(capsys, "--dataset", "table:homes.csv", "--targets", "z")
    assert (code, err) == (0, "")
    assert result["spec"]["file"] == str(tmp_path / "data" / "homes.csv")


def test_what_the_page_says_is_said_here_too(capsys, houses):
    command = ["train", *FAST, "--dataset", "table:houses.csv", "--targets", "z:number,cut", "--inputs", "x"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "36 rows to train on, 4 to validate and 10 to test with, split by rows." in out
    assert re.search(r"^z: r2 \S+ \(a constant answer: 0\), test loss \S+ × a constant answer's$", out, re.M)
    assert re.search(r"^cut: accuracy \S+ \(a constant answer: 0\.\d+\), test loss ", out, re.M)
    assert "flatters" not in out


def test_a_loss_ratio_that_flatters_is_named(capsys, houses):
    table = pd.read_csv(houses)
    table["z"] += 1000
    table.to_csv(houses, index=False)
    command = ["train", *FAST, "--dataset", "table:houses.csv", "--targets", "z:number,cut", "--units", "raw"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "In raw units a head has to reach large numbers" in out
    assert re.search(r"^L/L\(0\) flatters z \(L\(0\) is \S+ × a constant answer's\): ", out, re.M)


@pytest.mark.slow
def test_the_script_of_a_table_finds_it(capsys, houses, monkeypatch, tmp_path):
    _, result, _ = train(capsys, "--dataset", "table:houses.csv", "--targets", "z")
    monkeypatch.delenv("GRADNORM_DATA")
    assert main(["export", result["run"], "--format", "python", "--out", str(tmp_path / "again.py")]) == 0
    monkeypatch.delenv("GRADNORM_DATA")
    (tmp_path / "elsewhere").mkdir()
    command = [sys.executable, str(tmp_path / "again.py"), "out.json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=tmp_path / "elsewhere", env=environment, timeout=100, capture_output=True)
    printed = json.loads((tmp_path / "elsewhere" / "out.json").read_text())
    np.testing.assert_allclose(printed["weights"], result["weights"], atol=1e-6)
