"""`gradnorm compare` as a person types it, on runs that it trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gradnorm.cli import main
from gradnorm.runs.store import RunStore
from tests.comparison.made import make


@pytest.fixture
def runs(store):
    made = [make(store, [4.0, 1.0 + seed], seed=seed) for seed in (0, 1)]
    return [*made, *(make(store, [4.0, 3.0], method="equal", seed=seed) for seed in (0, 1))]


def test_tables_are_printed(runs, capsys):
    assert main(["compare", *runs]) == 0
    printed = capsys.readouterr().out
    assert "GradNorm α 0.5  2      1.5 ± 0.71" in printed
    assert "Difference to Equal weights  Pairs" in printed
    assert "sign-flip permutation test" in printed


def test_json_to_standard_output_is_all_that_is_printed(runs, capsys):
    assert main(["compare", *runs, "nope", "--baseline", runs[0], "--json", "-"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert [group["group"] for group in found["groups"]] == ["GradNorm α 0.5", "Equal weights"]
    (row,) = [
        score
        for score in found["scores"]
        if (score["group"], score["measure"], score["statistic"])
        == ("Equal weights", "test_metric.depth.rmse", "final")
    ]
    assert (row["mean"], row["n"], row["difference"], row["p"], row["pairs"]) == (3.0, 2, 1.5, 0.5, 2)
    assert found["differs"] == {"method": ["gradnorm", "equal"], "alpha": [0.5, None]}
    assert "no run 'nope'" in found["faults"][0]
    assert "no run 'nope'" in captured.err


def test_files_are_written(runs, tmp_path, capsys):
    paths = {kind: tmp_path / f"it.{kind}" for kind in ("html", "latex", "csv", "json")}
    options = [text for kind, path in paths.items() for text in (f"--{kind}", str(path))]
    assert main(["compare", *runs, *options, "--metric", "weights.depth", "--by", "time", "--score", "best"]) == 0
    assert "Plotly.newPlot(" in paths["html"].read_text()
    assert "weight of depth" in paths["html"].read_text()
    assert r"\begin{tabular}" in paths["latex"].read_text()
    assert paths["csv"].read_text().startswith("group,runs,seeds,measure,statistic,mean")
    assert json.loads(paths["json"].read_text())["last"] == 5
    assert "best evaluation" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nope"], "at least one run. Found none"),
        (["RUN", "--metric", "nope"], "Found 'nope'. Choose one."),
        (["RUN", "--baseline", "nope"], "The baseline should be one of the compared runs"),
        (["RUN", "--last", "0"], "last should be 1 or more. Found 0."),
        (["RUN", "--json", "-", "--csv", "-"], "One result can be written to standard output."),
        (["RUN", "--html", "/nowhere/it.html"], "/nowhere/it.html"),
        (["RUN", "--score", "top"], "invalid choice"),
    ],
)
def test_bad_usage_is_a_sentence(runs, options, told, capsys):
    arguments = [runs[0] if option == "RUN" else option for option in options]
    try:
        code = main(["compare", *arguments])
    except SystemExit as ended:
        code = ended.code
    captured = capsys.readouterr()
    assert code == 2
    assert told in captured.err
    assert not captured.out


def test_a_race_that_was_trained_is_compared(tmp_path, home, capsys):
    small = ["--preset", "toy-2", "--steps", "20", "--eval-every", "10", "--width", "8", "--depth", "1"]
    assert main(["train", *small, "--race", "equal,gradnorm,equal:seed=1,gradnorm:seed=1"]) == 0
    store = RunStore(home)
    runs = [info.run for info in store.runs()]
    store.close()
    capsys.readouterr()
    assert main(["compare", *runs, "--json", str(tmp_path / "it.json"), "--by", "time", "--html", "-"]) == 0
    found = json.loads(Path(tmp_path / "it.json").read_text())
    assert sorted(group["seeds"] for group in found["groups"]) == [[0, 1], [0, 1]]
    assert "Plotly.newPlot(" in capsys.readouterr().out
