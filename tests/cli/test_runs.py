"""`gradnorm runs`: the list is searched, and runs are named, tagged, pinned, trashed and brought back."""

from __future__ import annotations

import json

import pytest

from gradnorm.cli import main
from tests.many_runs import seed


@pytest.fixture
def filled(home):
    """Return the ids of 60 runs of the home, oldest first."""
    return seed(home, 60)


@pytest.fixture
def runs(capsys):
    """Run `gradnorm runs …` in this process; give exit code, standard output and standard error."""

    def call(*arguments):
        try:
            code = main(["runs", *arguments])
        except SystemExit as end:
            code = end.code
        return code, *capsys.readouterr()

    return call


def found(runs, *arguments):
    code, out, _ = runs(*arguments, "--json", "-")
    assert code == 0
    return json.loads(out)


def test_the_list_is_searched_filtered_and_sorted(filled, runs):
    entries = found(runs, "--search", "seed>=20 seed<40", "--method", "gradnorm", "--sort", "loss")
    assert [entry["spec"]["seed"] for entry in entries] == [20, 24, 28, 32, 36]
    assert [entry["task_normalized_loss"] for entry in entries] == sorted(
        entry["task_normalized_loss"] for entry in entries
    )
    assert [entry["run"] for entry in found(runs, "--group", f"{2:012x}")] == [filled[21], filled[20]]
    assert [entry["name"] for entry in found(runs, "--tag", "paper")] == ["Name 25"]
    assert found(runs, "--search", "nothing like it") == []


def test_what_is_left_out_is_said(filled, runs):
    code, out, err = runs("--limit", "5")
    assert (code, len(out.splitlines())) == (0, 5)
    assert "the first 5 of 60 runs. --limit 60 lists all" in err


def test_runs_are_labelled(filled, runs):
    first, second, *_ = filled
    assert runs("name", second, "  my best ")[0] == 0
    assert runs("note", second, "as in Figure 4")[0] == 0
    assert runs("tag", first, second, "--add", "a, b c", "--remove", "keep")[0] == 0
    assert runs("pin", second)[0] == runs("unpin", first)[0] == 0
    entry, *_ = found(runs)
    assert (entry["run"], entry["name"], entry["notes"]) == (second, "my best", "as in Figure 4")
    assert (entry["tags"], entry["pinned"]) == (["a", "b c"], True)
    (other,) = found(runs, "--search", first)
    assert (other["tags"], other["pinned"]) == (["a", "b c"], False)
    line = runs()[1].splitlines()[0]
    assert line.endswith("my best  #a  #b c  pinned")


def test_runs_go_into_the_trash_and_come_back(filled, runs, home):
    code, out, _ = runs("trash", filled[3], filled[4])
    assert code == 0
    assert "after 30 days" in out
    assert f"gradnorm runs restore {filled[3]} {filled[4]}" in out
    assert len(found(runs)) == 58
    assert {entry["run"] for entry in found(runs, "--trash")} == {filled[3], filled[4]}
    assert runs("restore", filled[3], "--home", str(home))[0] == 0
    assert runs("empty-trash")[1] == "Deleted 1 runs for good.\n"
    assert len(found(runs)) == 59
    assert found(runs, "--trash") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("trash", "nope"), "Found no run 'nope'"),
        (("name", "20260101-000001-000001", "x" * 300), "at most 200 characters. Found 300"),
        (("--sort", "colour"), "invalid choice: 'colour'"),
        (("paint",), "invalid choice: 'paint'"),
    ],
)
def test_what_cannot_be_is_one_sentence(filled, runs, arguments, told):
    code, out, err = runs(*arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert len(err.splitlines()) == 1
