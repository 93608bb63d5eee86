"""`gradnorm study`: run, list, show, and what it refuses."""

from __future__ import annotations

import json

import pytest

from gradnorm.cli import main

# Whole runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

FLAGS = ["--batch-size", "4", "--sigmas", "1,2", "--steps", "60", "--width", "8", "--depth", "1", "--device", "cpu"]


def told(capsys, *arguments):
    code = main(["study", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_an_alpha_sweep_is_run_listed_and_shown(capsys):
    code, out, _ = told(capsys, "alpha", "--preset", "toy-2", "--alphas", "0,1", "--seeds", "2", *FLAGS, "--json", "-")
    report = json.loads(out)
    assert (code, report["state"], report["ended"], report["runs"]) == (0, "finished", 6, 6)
    assert [row["alpha"] for row in report["alphas"]] == [0, 1]
    assert report["title"] == "α sweep: toy-2"
    _, listed, _ = told(capsys, "list")
    assert listed.split()[:2] == [report["study"], "finished"]
    _, shown, _ = told(capsys, "show", report["study"])
    assert "equal weights: test loss" in shown
    assert f"suggested: α {report['suggested']['alpha']:g}" in shown
    assert told(capsys, "show", report["study"], "--json", "-")[1] == out
    code, again, _ = told(capsys, "resume", report["study"], "--json", "-")
    assert (code, again) == (0, out)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [("grid", ["--count", "4"], "GradNorm Static: test loss"), ("fixed", ["--around", "1"], "loss = ")],
)
def test_the_other_kinds_speak_in_words(capsys, kind, options, words):
    code, out, _ = told(capsys, kind, "--seeds", "1", *options, *FLAGS)
    assert code == 0
    assert words in out


def test_a_table_by_path_is_studied(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path))
    rows = [f"{i / 3},{(7 * i) % 5 + i / 7},{i + (7 * i) % 5 / 9}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c", *rows]))
    data = ["--dataset", f"table:{tmp_path / 't.csv'}", "--targets", "b,c", "--steps", "60"]
    code, out, err = told(capsys, "alpha", *data, "--alphas", "0", "--seeds", "1", "--json", "-")
    assert (code, err) == (0, "")
    assert json.loads(out)["alphas"][0]["loss"]["runs"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "nix"], "A study should be one of this home. Found 'nix'. List them: gradnorm study list"),
        (["resume", "nix"], "Found 'nix'"),
        (["alpha", "--alphas", "0,0"], "different numbers in [0, 5]"),
        (["alpha", "--seeds", "a"], "seeds should be numbers"),
        (["grid", "--count", "1"], "count should be a whole number in [2, 900]"),
        (["fixed", "--preset", "toy-2", "--steps", "0"], "steps should be"),
        (["grid", "--dataset", "table:nix.csv", "--targets", "a"], "Found no such file"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(capsys, arguments, says):
    code, out, err = told(capsys, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
