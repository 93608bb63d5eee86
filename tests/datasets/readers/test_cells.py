"""Texts that stand for numbers and dates, in the spellings that people use."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gradnorm.datasets.readers.cells import names_things, understand
from gradnorm.datasets.readers.table_reader import read_table

NAN = float("nan")


@pytest.mark.parametrize(
    ("words", "kind", "values", "how"),
    [
        (["1,234.5", "7"], "number", [1234.5, 7], "numbers, without marks between thousands"),
        (["1.234,5", "3,1"], "number", [1234.5, 3.1], "numbers, with a decimal comma, without marks between thousands"),
        (["$5", "-$1,000"], "number", [5, -1000], "numbers, without $ and marks between thousands"),
        (["12 €", "3.5 €"], "number", [12, 3.5], "numbers, without €"),
        (["5 %", "7%"], "number", [5, 7], "numbers, without %"),
        (["5 kg", "6.5 kg"], "number", [5, 6.5], "numbers, without kg"),
        (["(5)", "3"], "number", [-5, 3], "numbers"),
        (["-", "4", "?"], "number", [NAN, 4, NAN], "numbers; -, ? are read as missing"),
        (["31.12.2020", "01.01.2021"], "date", [18627, 18628], "dates, day.month.year"),
        (["12/31/2020", "1/1/2021"], "date", [18627, 18628], "dates, month/day/year"),
        (["31/12/2020", "1/1/2021"], "date", [18627, 18628], "dates, day/month/year"),
        (["1/2/2020", "2/2/2020"], "date", [18263, 18294], "dates, month/day/year; day/month/year would fit, too"),
        (["2020-01-01", "-"], "date", [18262, NAN], "dates, year-month-day; - is read as missing"),
        (["Jan 5, 1970", "Jan 6, 1970"], "date", [4, 5], "dates, month day, year"),
    ],
)
def test_usual_spellings_are_understood(words, kind, values, how):
    found = understand(words)
    assert found is not None
    assert (found.kind, found.how) == (kind, how)
    np.testing.assert_array_equal(found.values, values)


@pytest.mark.parametrize(
    "words",
    [["a", "b"], ["007", "123"], ["5 kg", "6 g"], ["A12", "B13"], ["12-13"], ["1.2.3", "4.5.6"], ["-", "?"], []],
)
def test_other_texts_stay_texts(words):
    assert understand(words) is None


@pytest.mark.parametrize("name", ["id", "zip_code", "customerID", "PLZ", "phone", "Order ID"])
def test_names_of_names(name):
    assert names_things(name)


@pytest.mark.parametrize("name", ["price", "idle", "width", "rooms", "zipped", "codec"])
def test_names_of_numbers(name):
    assert not names_things(name)


def written(tmp_path, frame, **options):
    frame.to_csv(tmp_path / "t.csv", index=False)
    return read_table(tmp_path / "t.csv", **options)


def test_a_table_says_what_was_understood_and_plain_reading_takes_it_as_it_is(tmp_path):
    n = np.arange(60)
    frame = pd.DataFrame(
        {
            "price": [f"$ {i + 1000:,}.5" for i in n],
            "when": pd.date_range("2020-01-01", periods=60).strftime("%d.%m.%Y"),
            "zip": 10115 + n * 7 % 300,
            "ref": 10**17 + n * 13,
            "size": ["-" if i % 9 == 0 else f"{i} m²" for i in n],
        }
    )
    table = written(tmp_path, frame)
    assert {c.name: c.kind for c in table.columns} == {
        "price": "number", "when": "date", "zip": "text", "ref": "text", "size": "number",
    }  # fmt: skip
    assert table.column("price").values[:2].tolist() == [1000.5, 1001.5]
    assert table.column("price").note == "numbers, without $ and marks between thousands"
    assert table.column("size").missing == 7
    assert table.column("size").note == "numbers, without m²; - is read as missing"
    assert table.column("when").example == "2020-01-01 … 2020-02-29"
    plain = written(tmp_path, frame, careful=False)
    kinds = {"price": "text", "when": "text", "zip": "number", "ref": "number", "size": "text"}
    assert {c.name: c.kind for c in plain.columns} == kinds


def test_a_last_row_of_totals_is_left_out(tmp_path):
    days = [*pd.date_range("2020-01-01", periods=30).strftime("%Y-%m-%d"), "Total"]
    table = written(tmp_path, pd.DataFrame({"day": days, "sold": [*range(30, 60), 1335]}))
    assert table.rows == 30
    assert table.column("day").kind == "date"
    assert table.notes == ("The last row is left out: it holds totals.",)
    pd.DataFrame({"day": days, "sold": [*range(30, 60), 1335]}).to_parquet(tmp_path / "t.parquet")
    same = read_table(tmp_path / "t.parquet")
    assert (same.rows, same.column("day").kind) == (30, "date")
    assert read_table(tmp_path / "t.parquet", careful=False).rows == 31


def test_one_text_among_numbers_is_named(tmp_path):
    cells = [str(i) for i in range(40)]
    cells[6] = "tbd"
    column = written(tmp_path, pd.DataFrame({"a": cells, "b": range(40)})).column("a")
    assert column.kind == "text"
    assert column.note == "texts, since 'tbd' in data row 7 is no number"


def test_dates_before_1678_are_dates():
    found = understand([f"{day}.12.1600 10:30" for day in range(10, 31)])
    assert found is not None
    assert found.kind == "date"
    assert found.values[0] == -134_796 + 10.5 / 24
