"""Reading tables: what was written comes back, and what is no table is refused in one sentence."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table import receive
from gradnorm.datasets.readers.table_file import send_table
from gradnorm.datasets.readers.table_reader import read_table
from tests.factories import ROOT

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;|\t"\n '), max_size=8)
NUMBERS = {
    "number": st.floats(-1e12, 1e12, allow_subnormal=False),
    "whole": st.integers(-(2**50), 2**50),
}


@st.composite
def tables(draw):
    """Return columns of 20 to 40 cells, numbers or texts, some of them missing."""
    rows = draw(st.integers(20, 40))
    columns = {}
    for i in range(draw(st.integers(2, 5))):
        kind = draw(st.sampled_from([*NUMBERS, "text"]))
        cell = NUMBERS.get(kind, WORDS.map(lambda text: f"x{text}"))
        columns[f"{kind} {i}"] = [draw(cell), *draw(st.lists(st.none() | cell, min_size=rows - 1, max_size=rows - 1))]
    return columns


def back(table):
    """Return a table's cells as they were written."""
    found = {}
    for column in table.columns:
        cells = column.values.tolist()
        if column.words is not None:
            words = column.words.to_pylist()
            cells = [None if cell < 0 else words[cell] for cell in cells]
        found[column.name] = [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]
    return found


def sent(path, *, careful=False):
    """Return a table as `read_table` does, but for the process of its own."""
    stream = io.BytesIO()
    send_table(stream, path, careful)
    return receive(bytearray(stream.getvalue()))


@pytest.mark.slow
@given(tables(), st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.booleans())
def test_a_written_csv_comes_back(tmp_path_factory, columns, delimiter, encoding, zipped):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in zip(*columns.values(), strict=True)])
    content = text.getvalue().encode(encoding)
    path = tmp_path_factory.mktemp("csv") / ("t.csv.gz" if zipped else "t.csv")
    path.write_bytes(gzip.compress(content) if zipped else content)
    table = sent(path)
    assert back(table) == columns
    for column in table.columns:
        cells = columns[column.name]
        assert column.missing == cells.count(None)
        assert column.distinct == len({cell for cell in cells if cell is not None})


@pytest.mark.slow
@given(tables())
def test_a_written_parquet_comes_back(tmp_path_factory, columns):
    path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    pq.write_table(pa.table(columns), path)
    assert back(sent(path)) == columns


def written(tmp_path, frame):
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    return {column.name: column for column in read_table(path).columns}


def test_columns_have_types(tmp_path):
    n = np.arange(100)
    found = written(
        tmp_path,
        pd.DataFrame(
            {
                "id": n + 7,
                "name": [f"stone {i}" for i in n],
                "price": n * 1.5 + 3,
                "few": np.where(n % 3, "yes", "no"),
                "flag": n % 2,
                "true": n % 2 == 0,
                "day": pd.date_range("2020-01-01", periods=100).strftime("%Y-%m-%d"),
                "void": [None] * 100,
                "year": 1900 + n % 50,
            }
        ),
    )
    kinds = {name: column.kind for name, column in found.items()}
    assert kinds == {
        "id": "text", "name": "text", "price": "number", "few": "class", "flag": "class", "true": "class",
        "day": "date", "void": "empty", "year": "number",
    }  # fmt: skip
    assert found["price"].example == "3 … 151.5"
    assert found["year"].whole
    assert not found["price"].whole
    assert found["void"].missing == 100
    assert found["day"].values[:2].tolist() == [18262.0, 18263.0]  # days since 1970
    assert found["day"].example.startswith("2020-01-01 … 2020-04-09")


def test_a_decimal_comma_is_read_where_semicolons_stand_between(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a;b\n" + "1,5;x\n2,25;y\n" * 15)
    assert read_table(path).column("a").values[:2].tolist() == [1.5, 2.25]


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 20)
    assert read_table(path) is read_table(path)
    path.write_text("a,b\n" + "3,2\n" * 21)
    assert read_table(path).column("a").values.tolist() == [3.0] * 21


ROWS = b"1,x\n" * 30
WRONG = {
    "empty": ("t.csv", b"", "should be a table. Found an empty file."),
    "blank": ("t.csv", b"\n \n\n", "should be a table. Found an empty file."),
    "no header": ("t.csv", b"1,2.5\n" * 30, "should name the columns. Found only numbers: 1, 2.5"),
    "one column": ("t.csv", b"a\n" + b"1\n" * 30, "should have two columns or more"),
    "twice": ("t.csv", b"a,a\n" + ROWS, "should have different names. Found 'a' twice."),
    "unnamed": ("t.csv", b",a\n" + ROWS, "should have a name. Found none for column 1."),
    "ragged": ("t.csv", b"a,b\n" + ROWS + b"1\n", "Data row 31 of t.csv should have 2 cells"),
    "wide": ("t.csv", b"a,b\n1,2,3\n" + ROWS, "Data row 1 of t.csv should have 2 cells, as the header has. Found 3."),
    "few rows": ("t.csv", b"a,b\n" + b"1,x\n" * 19, "should have 20 rows or more. Found 19."),
    "latin": ("t.csv", "größe,b\n".encode("latin-1") + ROWS, "Found byte 0xf6 near place 2, as in Windows-1252"),
    "latin later": ("t.csv", b"a,b\n" + ROWS + b"1,\xe9\n", "Found byte 0xe9 near place"),
    "bare utf-16": ("t.csv", "a,b\n1,2\n".encode("utf-16-le") * 20, "Found null characters"),
    "half utf-16": ("t.csv", "a,b\n1,2\n".encode("utf-16")[:-1], "a broken UTF-16"),
    "binary": ("t.csv", bytes(range(256)) * 50, "should be text in UTF-8. Found"),
    "noise": ("t.csv", bytes(i * 167 % 256 for i in range(1, 9999)).replace(b"\0", b""), "another binary file"),
    "picture": ("t.csv", b"\x89PNG\r\n\x1a\n" + bytes(500), "Found a PNG picture"),
    "excel": ("t.csv", b"PK\x03\x04" + bytes(500), "Found an Excel workbook or a zip archive"),
    "parquet as csv": ("t.csv", b"PAR1" + bytes(500), "Found a Parquet file"),
    "half gzip": ("t.csv.gz", gzip.compress(b"a,b\n" + ROWS * 99)[:-20], "should be a whole gzip file"),
    "no gzip": ("t.csv.gz", b"\x1f\x8b garbage" * 9, "should be a whole gzip file"),
    "csv as parquet": ("t.parquet", b"a,b\n" + ROWS, "should be a Parquet file, which begins and ends with PAR1"),
    "hollow parquet": ("t.parquet", b"PAR1" + b"\xff" * 90 + b"\x20\0\0\0PAR1", "should be a Parquet file. Found:"),
    "other suffix": ("t.xlsx", ROWS, "should end in one of .csv"),
    "open quote": ("t.csv", b'"a,b\n' + ROWS, "should have two columns or more"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(WRONG))
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path, name):
    file, content, message = WRONG[name]
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / file)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert len(text) < 400


def test_an_odd_parquet_is_refused(tmp_path):
    path = tmp_path / "t.parquet"
    for frame, message in [
        (pd.DataFrame({"a": range(30), " a ": range(30)}), "Found 'a' twice"),
        (pd.DataFrame({"a": range(30)}), "two columns or more"),
        (pd.DataFrame({"a": range(10), "b": 1}), "20 rows or more"),
    ]:
        frame.to_parquet(path, index=False)
        with pytest.raises(DataError, match=message):
            read_table(path)


def test_what_a_parquet_holds_besides_numbers_and_texts_is_no_number(tmp_path):
    path = tmp_path / "t.parquet"
    lists = pa.array([[1.0]] * 30)
    decimals = pa.array(range(30), pa.decimal128(9, 2))
    kinds = pa.array(["p", "q", None] * 10).dictionary_encode()
    pq.write_table(pa.table({"lists": lists, "decimals": decimals, "kinds": kinds}), path)
    table = read_table(path)
    assert [column.kind for column in table.columns] == ["text", "text", "class"]  # 0, 1, 2 … numbers the rows
    assert table.column("decimals").values.tolist() == list(range(30))
    assert table.column("kinds").missing == 10


def bomb(path):
    member = gzip.compress((b"1," + b"x" * 1000 + b"\n") * 2**14)
    path.write_bytes(gzip.compress(b"a,b\n") + member * 11)  # 180 MB of text


def slow_bomb(path):
    """Compressed so little that only the size gives it away."""
    member = gzip.compress(b"".join(b"%060d,%d\n" % (i * 7919, i) for i in range(500_000)), 1)
    path.write_bytes(gzip.compress(b"a,b\n") + member * 8)


def sparse(path):
    with path.open("wb") as file:
        file.write(b"a,b\n")
        file.truncate(3 * 2**30)


def repeated(path, name, cells):
    """Write a hundred cells again and again, so that the file has 3,000 of them."""
    part = pa.table({"id": [i % 31 for i in range(100)], name: cells})
    with pq.ParquetWriter(path, part.schema, compression="zstd", dictionary_pagesize_limit=2**22) as writer:
        for _ in range(30):
            writer.write_table(part)
    assert path.stat().st_size < 60_000


def binaries(path):
    """3 GB of binary values in a small file."""
    repeated(path, "blob", pa.array([bytes(2**20)] * 100))


def lists(path):
    """2 GB of lists of numbers in a small file."""
    ends = pa.array(np.arange(101) * 90_000, pa.int32())
    repeated(path, "lists", pa.ListArray.from_arrays(ends, pa.array(np.zeros(100 * 90_000))))


HOSTILE = {
    "binary values": (binaries, "t.parquet", "Found 1 beside 'blob' of binary."),
    "lists": (lists, "t.parquet", "Found 1 beside 'lists' of list<element: double>."),
    "ten million columns": (
        lambda path: path.write_bytes(b",".join(b"c%d" % i for i in range(10_000_000)) + b"\n" + b"1\n" * 30),
        "t.csv",
        "at most 10,000 columns",
    ),
    "eleven thousand columns": (
        lambda path: path.write_bytes(b",".join(b"c%d" % i for i in range(11_000)) + b"\n" + b"1\n" * 30),
        "t.csv",
        "at most 10,000 columns. Found 11,000",
    ),
    "too many cells": (lambda path: path.write_bytes(b"a,b\n" + b"1,2\n" * 22_000_000), "t.csv", "10,000,000 cells"),
    "more cells than allowed": (
        lambda path: path.write_bytes(b"a,b\n" + b"1,2\n" * 6_000_000),
        "t.csv",
        "10,000,000 cells",
    ),
    "gzip bomb": (bomb, "t.csv.gz", "should grow at most 100 times"),
    "large gzip": (slow_bomb, "t.csv.gz", "200 MB of text"),
    "large file": (sparse, "t.csv", "200 MB of text"),
    "parquet bomb": (
        lambda path: pq.write_table(pa.table({"a": np.zeros(30_000_000), "b": np.zeros(30_000_000)}), path),
        "t.parquet",
        "10,000,000 cells",
    ),
    "text at the end": (
        lambda path: path.write_bytes(b"a,b\n" + b"12345678901,2345678901234567890\n" * 4_900_000 + b"1\n"),
        "t.csv",
        "Data row 4,900,001 of t.csv should have 2 cells",
    ),
}  # fmt: skip

READ = """
import json, re, resource, sys
from pathlib import Path
from gradnorm.datasets.readers.table_reader import read_table
from gradnorm.datasets.readers.folders import DataError
try:
    read_table(Path(sys.argv[1]))
    message = ""
except DataError as error:
    message = str(error)
# Not by the wall: this machine is shared.
own, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
seconds = own.ru_utime + own.ru_stime + child.ru_utime + child.ru_stime
# Not ru_maxrss of its own: that of the parent is handed down.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) + child.ru_maxrss
print(json.dumps([message, seconds, peak / 2**20]))
"""


# Tens or hundreds of megabytes to write and to read; each has a smaller one of its kind beside it.
LONG = {"ten million columns", "too many cells", "large gzip", "parquet bomb", "text at the end"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long if name in LONG else ()) for name in HOSTILE]
)
def test_a_hostile_file_costs_little(tmp_path, name):
    make, file, expected = HOSTILE[name]
    make(tmp_path / file)
    command = [sys.executable, "-c", READ, str(tmp_path / file)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (tmp_path / file).unlink()
    message, seconds, gigabytes = json.loads(result.stdout)
    print(f"{name}: {seconds:.2f} s, {gigabytes:.2f} GB, {message}")
    assert expected in message
    assert seconds < 6
    assert gigabytes < 0.7
