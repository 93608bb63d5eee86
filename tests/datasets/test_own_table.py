"""A table of one's own: what becomes of rows and columns, that nothing leaks, and what cannot be learnt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.common.declarations import names, names_as_text
from gradnorm.config.spec import RunSpec
from gradnorm.datasets.by_path.own_table import OwnTable, target_of
from gradnorm.datasets.readers.folders import DataError, allowed, allowed_file

ROWS = 200


@pytest.fixture
def root(tmp_path, monkeypatch):
    path = tmp_path / "data"
    path.mkdir()
    monkeypatch.setenv("GRADNORM_DATA", str(path))
    return path


def frame():
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "x": np.arange(ROWS) * 1.0,
            "town": random.choice(["Ulm", "Bonn", "Kiel"], ROWS),
            "who": np.repeat([f"p{i}" for i in range(20)], ROWS // 20),
            "y": random.normal(7, 3, ROWS),
            "grade": random.integers(1, 4, ROWS) * 10,
        }
    )


@pytest.fixture
def table(root):
    """Make the data set of a frame and options."""

    def make(changed=None, **options):
        data = frame()
        for column, cells in (changed or {}).items():
            data[column] = cells
        data.to_csv(root / "t.csv", index=False)
        return OwnTable(file="t.csv", **{"targets": "y,grade:class", "inputs": "x,town", "units": "raw", **options})

    return make


def gaps(column, rows):
    cells = frame()[column].astype(object)
    cells[rows] = None
    return {column: cells}


def test_inputs_and_targets_are_those_of_the_file(table):
    dataset = table()
    source = dataset.load(0)
    assert dataset.task_names == tuple(task.name for task in source.tasks) == ("y", "grade")
    assert dataset.task_forms == tuple(task.form for task in source.tasks) == ("regression", "classification")
    assert [task.outputs for task in source.tasks] == [1, 3]
    assert source.shape == (4,)  # x, and three towns
    assert len(source.test.inputs) == 40
    assert len(source.validation.inputs) == 16
    assert dataset.examples() == 144
    data = frame()
    y, grade = source.test.targets
    for value, label in zip(y[:, 0].tolist(), grade.tolist(), strict=True):
        (row,) = np.flatnonzero(np.isclose(data["y"], value))
        assert data["grade"][row] == (label + 1) * 10


def test_standardised_by_the_training_rows_alone(table):
    plain = table().load(0)
    prepared = table().prepared()
    held = prepared.test
    outliers = frame()["x"]
    outliers[held] = 1e6  # what is held out must not move what is trained on
    other = table({"x": outliers}).load(0)
    assert torch.equal(plain.batch(3, 50).inputs, other.batch(3, 50).inputs)
    assert not torch.equal(plain.test.inputs, other.test.inputs)


def test_the_split_is_the_same_for_every_seed_and_rows_are_in_one_part(table):
    dataset = table()
    one, two = dataset.load(0), dataset.load(5)
    assert torch.equal(one.test.inputs, two.test.inputs)
    assert not torch.equal(one.batch(1, 9).inputs, two.batch(1, 9).inputs)
    seen = set(one.batch(1, 5000).targets[0][:, 0].tolist())
    assert seen.isdisjoint(one.test.targets[0][:, 0].tolist())
    assert seen.isdisjoint(one.validation.targets[0][:, 0].tolist())
    assert len(seen) == 144


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_no_group_is_in_both_parts(table, share):
    dataset = table(group="who", test_share=share)
    test, validation = dataset.prepared().test, dataset.prepared().validation
    who = frame()["who"].to_numpy()
    train = np.setdiff1d(np.arange(ROWS), [*test, *validation])
    assert not set(who[test]) & set(who[train])
    assert not set(who[validation]) & {*who[train], *who[test]}
    assert len(validation) >= 10
    assert len(test) == pytest.approx(share * ROWS, abs=10)
    assert "who" not in dataset.input_names()
    assert "split by who." in dataset.prepared().notes[0]


def test_two_groups_are_one_each(table):
    dataset = table({"who": np.where(np.arange(ROWS) < 150, "a", "b")}, group="who")
    assert sorted(dataset.prepared().test) == list(range(150, 200))
    assert not len(dataset.prepared().validation)
    assert dataset.load(0).validation is None


def test_rows_with_gaps_are_left_out_and_it_is_said(table):
    dataset = table({**gaps("x", [3, 4]), **gaps("y", [4, 5, 6]), **gaps("who", [9])})
    found = dataset.prepared()
    assert len(found.inputs) == ROWS - 4
    assert "4 of 200 rows were left out since a value is missing: y (3), x (2)." in found.notes


def test_gaps_are_filled_from_the_training_rows_but_never_targets(table):
    dataset = table({**gaps("x", range(0, ROWS, 7)), **gaps("town", [1]), **gaps("y", [5])}, missing="fill")
    found = dataset.prepared()
    assert len(found.inputs) == ROWS - 1
    kept = np.delete(np.arange(ROWS), 5)
    train = np.setdiff1d(np.arange(len(kept)), [*found.test, *found.validation])
    present = [i for i in kept[train] if i % 7]
    median = float(np.median(present))
    assert found.inputs[0, 0] == found.inputs[7 - 1, 0] == median
    assert (
        f"x: 29 missing values were filled with {median:.6g}, the median to train on. An input says where."
        in found.notes
    )
    assert "town: 1 missing values are a category of their own." in found.notes
    assert found.inputs.shape[1] == (2 + 4 if 1 in kept[train] else 2 + 3)
    assert found.inputs[:, 1].tolist() == [float(i % 7 == 0) for i in kept]
    plain = table({**gaps("x", range(0, ROWS, 7))}, missing="fill", reading="plain").prepared()
    assert plain.inputs.shape[1] == 1 + 3
    assert torch.isfinite(dataset.load(0).test.inputs).all()


def test_inputs_left_empty_are_all_others_that_can_be_used(table):
    names = {"name": [f"stone {i}" for i in range(ROWS)], "id": range(ROWS), "void": None, "who": frame()["who"]}
    dataset = table(names, inputs="", group="who")
    assert dataset.input_names() == ("town",)  # x, which counts the rows, is none either
    notes = dataset.prepared().notes
    assert "name is no input: it has 200 different texts." in notes
    assert "id is no input: it only names the rows." in notes
    assert "void is no input: it has no values." in notes


def test_a_column_that_would_cost_too_many_rows_is_no_input(table):
    random = np.random.default_rng(2)
    noise = {name: random.normal(size=ROWS) for name in ("p", "q", "r")}
    noise["p"][: ROWS * 3 // 4] = np.nan
    noise["q"][::20] = np.nan
    found = table(noise, inputs="", targets="grade:class").prepared()
    assert (
        "p is no input: 150 of its 200 values are missing, and 152 rows would be left out. Fill missing values in to "
        "use it."
    ) in found.notes
    assert "10 of 200 rows were left out since a value is missing: q (10)." in found.notes
    assert "p" not in table(noise, inputs="", targets="grade:class").input_names()
    # What was chosen by name stays, and so does what older specs chose.
    assert len(table(noise, inputs="p,q", targets="grade:class").prepared().inputs) == 48
    assert len(table(noise, inputs="", targets="grade:class", reading="plain").prepared().inputs) == 48


def test_a_target_that_lost_its_classes_blames_the_missing_values(table):
    hole = np.where(np.arange(ROWS) < 170, np.nan, 1.0 + np.arange(ROWS) % 5)
    dataset = table({"hole": hole, "late": np.where(np.arange(ROWS) < 170, "a", "b")}, inputs="hole", targets="late")
    with pytest.raises(DataError) as caught:
        dataset.load(0)
    assert str(caught.value) == (
        "Target late should vary. Found one class in every row to train on, after 170 of 200 rows were left out since "
        "a value is missing: hole (170). Fill missing values in, take fewer inputs, or choose another target."
    )


def test_what_cannot_be_computed_with_is_no_input_unless_it_is_chosen(table):
    odd = {
        "far": [np.inf, *[2.0] * (ROWS - 1)],
        "ref": 10**17 + np.arange(ROWS) * 13,
        "zip_code": 10115 + frame()["grade"],
    }
    dataset = table(odd, inputs="")
    assert "far is no input: it holds inf in data row 1." in dataset.prepared().notes
    assert "ref is no input: it has 200 different texts." in dataset.prepared().notes
    assert "zip_code is read as names, not numbers." in dataset.prepared().notes
    assert dataset.input_names() == ("town", "who", "zip_code")
    with pytest.raises(DataError, match="Found inf in data row 1"):
        table(odd, inputs="far").load(0)


def test_digits_in_a_column_of_texts_can_be_learnt_as_numbers(root):
    data = frame().assign(y=[f"{i % 60}" for i in range(ROWS)])
    data.to_parquet(root / "t.parquet")
    for reading in ("careful", "plain"):
        dataset = OwnTable(file="t.parquet", targets=("y:number",), inputs=("x",), units="raw", reading=reading)
        assert set(dataset.prepared().targets[0].values[:, 0]) == set(range(60))


def test_a_column_to_split_by_is_hinted_at(table):
    names = {"patient": [f"patient {i // 2}" for i in range(ROWS)]}
    dataset = table(names, inputs="")
    hint = (
        "patient has 100 different values, each in several rows. If rows of one are alike, split by patient, or the "
        "test set flatters."
    )
    assert hint in dataset.prepared().notes
    assert hint not in table(names, inputs="", group="patient").prepared().notes


def test_targets_are_standardised_unless_it_is_said_otherwise():
    assert RunSpec.parse({"dataset": "table"}).dataset.units == "standardised"
    assert RunSpec.parse({"dataset": "diamonds"}).dataset.units == "raw"


def test_dates_are_days(table):
    days = pd.date_range("2020-01-01", periods=ROWS).strftime("%Y-%m-%d")
    found = table({"x": days}, inputs="x").prepared()
    assert set(np.diff(found.inputs[:, 0])) == {1.0}


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"targets": ""}, "There should be a column to learn. Found no target."),
        ({}, {"targets": "z"}, "t.csv should have a column 'z'. Found x, town, who, y, grade."),
        ({}, {"inputs": "z"}, "should have a column 'z'"),
        ({}, {"group": "z"}, "should have a column 'z'"),
        ({}, {"inputs": "x,y"}, "Inputs should not tell the target. Found 'y'"),
        ({}, {"targets": "town:number", "inputs": "x"}, "Column town should hold numbers. Found '"),
        ({"y": [f"{i}.5" for i in range(199)] + ["tbd"]}, {"targets": "y:number"}, "Found 'tbd' in data row 200."),
        ({"y": 3.0}, {"targets": "y:number"}, "Target y should vary. Found 3 in every row"),
        ({"town": "Ulm"}, {"targets": "town", "inputs": "x"}, "Target town should vary. Found one class"),
        ({"x": np.nan}, {}, "Column x should hold values. Found none in any row."),
        ({"x": [1e300] + [2.0] * 199}, {}, "Column x should hold numbers up to 1e+15. Found 1e+300 in data row 1."),
        ({"x": [2.0] * 199 + [np.inf]}, {}, "Found inf in data row 200."),
        (gaps("x", range(185)), {}, "20 rows or more without missing values. Found 15 of 200; missing are x (185)"),
        ({"who": "a"}, {"group": "who"}, "Column who should have two groups or more. Found one."),
        ({"name": [f"s{i}" for i in range(ROWS)]}, {"inputs": "name"}, "Found no input that can be used"),
    ],
)
def test_what_cannot_be_learnt_is_said_in_one_sentence(table, changes, options, message):
    dataset = table(changes, **options)
    with pytest.raises(DataError) as caught:
        dataset.load(0)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_defaults_are_a_spec_that_says_what_to_give():
    spec = RunSpec.parse({"dataset": "table"})
    assert spec.dataset.task_names == ("target",)
    assert spec.dataset.task_forms == ("regression",)
    with pytest.raises(DataError, match=r"There should be a file\. Found none\. Give one"):
        spec.dataset.load(0)


def test_forms_without_a_file_are_those_that_are_said(root):
    dataset = OwnTable(file="gone.csv", targets="a,b:class,c:number")
    assert dataset.task_names == ("a", "b", "c")
    assert dataset.task_forms == ("regression", "classification", "regression")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price", ("price", None)),
        ("price:number", ("price", "regression")),
        ("a:b:class", ("a:b", "classification")),
        ("a:b", ("a:b", None)),
        (":class", (":class", None)),
        ("a:class:class", ("a:class", "classification")),
    ],
)
def test_only_a_known_ending_says_the_form(text, expected):
    assert target_of(text) == expected


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).map(str.strip).filter(bool)))
def test_names_as_text_are_read_back(given_names):
    assert names(names_as_text(given_names)) == tuple(given_names)


def test_a_column_is_a_target_once():
    with pytest.raises(ValueError, match=r"targets should name each column once\. Found 'a' twice"):
        OwnTable(targets="a:class,a:number")


def test_paths_stay_below_their_roots(root, home, tmp_path):
    inside = root / "in" / "a.csv"
    inside.parent.mkdir()
    inside.write_text("a")
    outside = tmp_path / "b.csv"
    outside.write_text("b")
    (root / "link.csv").symlink_to(outside)
    (root / "fine.csv").symlink_to(inside)
    (root / "loop.csv").symlink_to(root / "loop.csv")
    upload = home / "uploads" / "0123" / "c.csv"
    upload.parent.mkdir(parents=True)
    upload.write_text("c")
    assert allowed("in/a.csv") == allowed(str(inside)) == allowed("fine.csv") == inside.resolve()
    assert allowed("upload:0123/c.csv", uploads=True) == upload.resolve()
    for path in ("../b.csv", str(outside), "link.csv", "upload:../gradnorm.db", f"upload:{inside}"):
        with pytest.raises(DataError, match="should lie below"):
            allowed(path, uploads=True)
    for path in ("in", "gone.csv", "loop.csv", "a\0b", "x" * 5000, "upload:0123", "upload:gone/c.csv"):
        with pytest.raises(DataError, match=r"Found (no such file|a folder)"):
            allowed_file(path, uploads=True)
