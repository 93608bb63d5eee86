"""A table comes back from the process that reads its file as it was; other bytes are refused."""

from __future__ import annotations

import datetime
import io
import json
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table import Table, receive, send
from gradnorm.datasets.readers.table_file import read_here
from gradnorm.datasets.readers.table_reader import read_table

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
CELLS = {
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint8(): st.integers(0, 255),
    pa.bool_(): st.booleans(),
    pa.decimal128(9, 2): st.decimals(-9999, 9999, places=2),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(datetime.datetime(1500, 1, 1), datetime.datetime(2500, 1, 1)),
    pa.time64("us"): st.times(),
    pa.string(): WORDS | st.sampled_from(["$ 1,234.5", "31.12.2020", "n.a.", "7 %", "Ω≈ç√", "𝔾rad"]),
    pa.large_string(): WORDS,
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from(["p", "q", "Größe"]),
    pa.null(): st.none(),
    pa.list_(pa.int64()): st.lists(st.integers(0, 9), max_size=2),
    pa.binary(): st.binary(max_size=2),
}  # fmt: skip


@st.composite
def columns(draw):
    rows = draw(st.integers(20, 30))
    kinds = [pa.float64(), pa.string(), *draw(st.lists(st.sampled_from(list(CELLS)), max_size=4))]
    cells = [draw(st.lists(st.none() | CELLS[kind], min_size=rows, max_size=rows)) for kind in kinds]
    names = draw(st.lists(WORDS.map(str.strip).filter(bool), min_size=len(kinds), max_size=len(kinds), unique=True))
    return pa.table([pa.array(column, kind) for column, kind in zip(cells, kinds, strict=True)], names=names)


def same(one: Table, two: Table) -> bool:
    """Whether two tables are equal to the last bit."""
    assert (one.name, one.rows, one.notes) == (two.name, two.rows, two.notes)
    for a, b in zip(one.columns, two.columns, strict=True):
        about = [
            (c.name, c.kind, c.whole, c.missing, c.distinct, c.example, c.note, c.values.dtype, c.values.tobytes())
            for c in (a, b)
        ]
        assert about[0] == about[1]
        assert (a.words is None) == (b.words is None)
        assert a.words is None or (a.words.type == b.words.type and a.words.to_pylist() == b.words.to_pylist())
    return True


@pytest.mark.slow
@given(columns(), st.booleans())
def test_every_cell_comes_back(tmp_path_factory, cells, careful):
    path = tmp_path_factory.mktemp("parquet") / "t.parquet"
    pq.write_table(cells, path)
    table, stream = read_here(path, careful), io.BytesIO()
    send(table, stream)
    assert same(receive(bytearray(stream.getvalue())), table)


def test_a_table_is_the_same_from_a_process_of_its_own(tmp_path):
    n = 24
    cells = pa.table(
        {
            "number": [1.5, None, math.nan, math.inf, -0.0, *map(float, range(n - 5))],
            "text": ["Ω≈ç√", None, "", "𝔾rad", *map(str, range(n - 4))],
            "money": ["$ 1,234.5", "n.a.", *[f"$ {i}" for i in range(n - 2)]],
            "day": pa.array([datetime.date(1600 + i, 2, 3) for i in range(n)]),
            "spelt": [f"{i + 1:02d}.12.1650" for i in range(n)],
            "true": [True, False, None] * 8,
            "exact": pa.array([Decimal("1.25")] * n),
            "void": pa.nulls(n),
            "user id": range(10**15, 10**15 + n),
            "kinds": pa.array(["p", "q", None] * 8).dictionary_encode(),
            "raw": pa.array([b"\xff"] * n),
        }
    )
    pq.write_table(cells, tmp_path / "t.parquet")
    for careful in (True, False):
        assert same(read_table(tmp_path / "t.parquet", careful=careful), read_here(tmp_path / "t.parquet", careful))


def test_columns_that_are_not_read_are_told(tmp_path):
    lists = pa.array([[1.0]] * 30)
    cells = {"a.b": lists, "a": range(30), "b": range(30), "c": pa.array([{"x": 1}] * 30), "d": pa.array([b""] * 30)}
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(cells), path)
    with pytest.raises(DataError, match=r"Found 'a' so, beside 'a.b' of list<element: double>"):
        read_table(path)
    pq.write_table(pa.table(cells).rename_columns(["l", "a", "b", "c", "d"]), path)
    table = read_table(path)
    assert [column.kind for column in table.columns] == ["text"] * 5
    assert table.column("b").values.tolist() == list(range(30))
    assert table.notes[0] == "l is not read: a cell should be one number, date or text, not list<element: double>."
    assert [note.partition(" ")[0] for note in table.notes] == ["l", "c", "d"]


def sent(**changes):
    about = {"name": "t", "notes": [], "columns": [["a", "number", False, 0, 3, "1 … 3", ""]], **changes}
    stream, cells = io.BytesIO(), changes.pop("cells", pa.array([1.0, 2.0, 3.0]))
    about.pop("cells", None)
    schema = pa.schema([pa.field("0", cells.type)], {"table": json.dumps(about)})
    with pa.ipc.new_stream(stream, schema) as writer:
        writer.write_batch(pa.record_batch([cells], schema=schema))
    return bytearray(stream.getvalue())


WORDS_OF = pa.DictionaryArray.from_arrays
NO_TEXT = [None, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\xff")]
BROKEN = {
    "nothing": bytearray(),
    "noise": bytearray(b"\x80\x04." * 50),
    "cut off": sent()[:-60],
    "another kind": sent(columns=[["a", "object", False, 0, 3, "", ""]]),
    "too few columns": sent(columns=[]),
    "too little about a column": sent(columns=[["a"]]),
    "other numbers": sent(cells=pa.array([1, 2])),
    "objects": sent(cells=pa.array([[1]])),
    "bytes for words": sent(cells=WORDS_OF(pa.array([0], pa.int32()), pa.array([b"\xff"]))),
    "words beyond the last": sent(cells=WORDS_OF(pa.array([7], pa.int32()), pa.array(["a"]), safe=False)),
    "no utf-8": sent(cells=WORDS_OF(pa.array([0], pa.int32()), pa.Array.from_buffers(pa.string(), 1, NO_TEXT))),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BROKEN))
def test_other_bytes_are_refused_in_a_sentence(name):
    with pytest.raises(DataError, match="should come whole from its reader"):
        receive(BROKEN[name])


def test_what_the_broken_ones_are_made_from_is_sound():
    assert receive(sent()).column("a").values.tolist() == [1, 2, 3]
