"""The page on which a file becomes tasks: what it shows of the file, what it makes of choices, what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.datasets.by_path.own_table import OwnTable
from gradnorm.ui.lab import lab
from gradnorm.ui.your_data.samples import SAMPLES, TEMPLATE

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

ROWS = 60


@pytest.fixture
def houses(tmp_path, monkeypatch):
    """A data folder with one table."""
    random = np.random.default_rng(0)
    size = random.uniform(30, 200, ROWS)
    table = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "size": size,
            "rooms": np.round(size / 30),
            "town": random.choice(["Ulm", "Bonn", "Kiel"], ROWS),
            "price, €": 1000 * size + random.normal(0, 100, ROWS),
            "kind": np.where(size > 100, "house", "flat"),
        }
    )
    table.loc[:6, "size"] = np.nan
    root = tmp_path / "data"
    (root / "more").mkdir(parents=True)
    table.to_csv(root / "more" / "houses.csv", index=False)
    monkeypatch.setenv("GRADNORM_DATA", str(root))
    return root


@pytest.fixture
def page(tab, houses):
    page = tab("your_data")
    page.set("selectbox", "table file", "more/houses.csv")
    return page


def columns(page):
    return page.at.dataframe[0].value.set_index("Column")


def said(page):
    return " ".join(markdown.value for markdown in page.at.markdown).replace("\\", "")


def test_columns_are_shown_with_their_types(page):
    found = columns(page)
    assert dict(found["Type"]) == {
        "id": "text or identifier",
        "size": "number",
        "rooms": "number",
        "town": "class",
        "price, €": "number",
        "kind": "class",
    }
    assert found.loc["size", "Missing"] == 7
    assert found.loc["town", "Distinct"] == 3
    assert page.query["dataset"] == "table"
    assert page.query["file"] == "more/houses.csv"
    assert not page.errors


def test_a_file_brings_the_settings_that_suit_tables(page):
    page.set("multiselect", "table targets", ["price, €", "kind"])
    spec, known = page.spec, RunSpec.parse({"dataset": "table"})
    for key in OwnTable.recommended:
        assert spec.flat()[key] == known.flat()[key], key
    assert spec.dataset.units == "standardised"
    assert page.widget("number_input", "option:epochs").value == 60
    assert page.widget("number_input", "option:steps").value == 2000
    page.set("number_input", "option:steps", 300)
    assert (page.spec.steps, page.spec.epochs) == (300, 0)


def test_targets_become_tasks_in_the_address(page):
    page.set("multiselect", "table targets", ["price, €", "kind", "rooms"])
    assert page.query["targets"] == '"price, €:number",kind:class,rooms:number'
    page.set("radio", "table form rooms", "class")
    assert page.spec.dataset.task_names == ("price, €", "kind", "rooms")
    assert page.spec.dataset.task_forms == ("regression", "classification", "classification")
    assert dict(columns(page)["Use"]) == {
        "id": "", "size": "input", "rooms": "target", "town": "input", "price, €": "target", "kind": "target",
    }  # fmt: skip
    assert "7 of 60 rows were left out since a value is missing: size (7)" in said(page)
    assert "id is no input: it only names the rows" in said(page)
    page.set("selectbox", "option:missing", "fill")
    assert "size: 7 missing values were filled" in said(page)
    page.set("selectbox", "table group", "town")
    assert "split by town" in said(page)
    assert columns(page).loc["town", "Use"] == "groups"


def test_a_run_is_started_and_watched_in_the_playground(page):
    page.set("multiselect", "table targets", ["price, €", "kind"])
    page.set("number_input", "option:steps", 20)
    page.press("start run")
    assert any(button.label == "Start" for button in page.at.button)  # the Playground's
    assert any("houses.csv" in text.value for text in page.at.text)
    assert any("price, €, kind" in text.value for text in page.at.text)
    info = page.wait_until("finished")
    assert info.tasks == ("price, €", "kind")
    assert RunSpec.parse(info.spec).dataset.name == "table"


def test_a_race_is_started(page):
    page.set("multiselect", "table targets", ["price, €", "kind"])
    page.set("number_input", "option:steps", 20)
    page.start_race()
    page.wait_until("finished")
    assert [info.spec["method"] for info in lab().store.family(page.query["run"])] == [
        "equal",
        "gradnorm",
        "uncertainty",
    ]


def test_an_address_is_a_choice(tab, houses):
    page = tab("your_data", dataset="table", file="more/houses.csv", targets='kind,"price, €"', inputs="size,rooms")
    assert page.at.multiselect(key="table targets").value == ["kind", "price, €"]
    assert page.at.multiselect(key="table inputs").value == ["size", "rooms"]
    assert not page.errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"file": "gone.csv"}, "A file or folder should be at 'gone.csv'"),
        ({"file": "../../etc/passwd"}, "Data should lie below"),
        ({"file": "/etc/passwd"}, "Data should lie below"),
        ({"targets": "prize"}, "should have a column 'prize'"),
        ({"targets": "town:number"}, "Column town should hold numbers. Found"),
        ({"targets": "kind", "inputs": "kind"}, "Inputs should not tell the target"),
        ({"targets": "kind", "group": "gone"}, "should have a column 'gone'"),
    ],
)
def test_what_is_wrong_is_one_sentence(tab, houses, changes, message):
    page = tab("your_data", dataset="table", **{"file": "more/houses.csv", "targets": "kind", **changes})
    (error,) = page.errors
    assert message in error.replace("\\", "")
    assert "Traceback" not in error
    assert not [button for button in page.at.button if button.key == "start run"]


def test_an_upload_is_kept_under_a_plain_name(tab, houses, home):
    content = (houses / "more" / "houses.csv").read_bytes()
    page = tab("your_data")
    page.at.file_uploader(key="upload").set_value(("../../My houses (2).CSV", content, "text/csv")).run()
    page.check()
    assert not page.errors
    (kept,) = (home / "uploads").rglob("*.csv")
    assert page.query["file"] == f"upload:{kept.parent.name}/My-houses-2.csv"
    assert kept.read_bytes() == content
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]
    assert columns(page).loc["town", "Type"] == "class"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "Found an empty file"),
        ("x.csv", b"\x00\x01\x02" * 100, "null characters"),
        ("x.parquet", b"a,b\n1,2\n", "should be a Parquet file"),
        ("x.csv", "größe,b\n1,2\n".encode("latin-1"), "as in Windows-1252 or Latin-1"),
    ],
)
def test_a_wrong_upload_is_one_sentence(tab, name, content, message):
    page = tab("your_data")
    page.at.file_uploader(key="upload").set_value((name, content, "text/csv")).run()
    page.check()
    (error,) = page.errors
    assert message in error.replace("\\", "")


def test_without_a_data_folder_there_is_no_list_of_its_files(tab, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path / "nowhere"))
    assert not [box for box in tab("your_data").at.selectbox if box.key == "table file"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.title)
def test_a_table_to_try_is_chosen_with_its_targets(tab, sample):
    page = tab("your_data")
    page.press(f"sample {sample.name}")
    assert not page.errors
    assert page.spec.dataset.targets == sample.targets
    assert not [box for box in page.at.info if "Choose at least one target" in box.value]
    assert "start run" in {button.key for button in page.at.button}


def test_the_template_can_be_read(tab):
    page = tab("your_data")
    page.at.file_uploader(key="upload").set_value(("template.csv", TEMPLATE.encode(), "text/csv")).run()
    page.check()
    assert set(columns(page).index) == {"size", "rooms", "built", "town", "price", "kind"}


def test_no_path_of_the_server_is_shown(tab, houses, home):
    page = tab("your_data", dataset="table", file="../../etc/passwd", targets="x")
    (error,) = page.errors
    assert "below the data folder" in error
    told = [error, *(text for box in page.at.selectbox for text in (box.help, box.placeholder or ""))]
    assert not [text for text in told if str(houses) in text or str(home) in text]


def test_the_playground_says_where_the_columns_are_chosen(tab):
    page = tab(dataset="table")
    assert any(text.value == "No file yet" for text in page.at.text)
    page.press("start")
    info = page.wait_until("failed")
    assert info.outcome.message.startswith("There should be a file. Found none.")


def test_names_are_shown_as_they_are(tab, tmp_path, monkeypatch):
    name = "$x$ *bold* [a](b) :smile:"
    root = tmp_path / "odd"
    root.mkdir()
    pd.DataFrame({name: np.arange(30) % 7, "b": np.tile([1, 2, 3], 10)}).to_csv(root / "odd.csv", index=False)
    monkeypatch.setenv("GRADNORM_DATA", str(root))
    page = tab("your_data", dataset="table", file="odd.csv", targets=f'"{name}"')
    assert not page.errors
    (radio,) = page.at.radio
    assert radio.label.replace("\\", "") == f"Predict {name} as a"
    assert "\\$x\\$" in radio.label
