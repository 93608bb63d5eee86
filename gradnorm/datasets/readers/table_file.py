"""Reads a table from a CSV or Parquet file. This runs in a process of its own; see `apart`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from gradnorm.datasets.readers.cells import TOTALS
from gradnorm.datasets.readers.columns import ArrowColumn, Column, is_text, to_column, understood, unread
from gradnorm.datasets.readers.csv_reader import CsvText, is_number, read_text
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.limits import LEAST_ROWS, MOST_CELLS, check_names, one_line, too_many_cells
from gradnorm.datasets.readers.parquet_reader import read_cells
from gradnorm.datasets.readers.table import Table, send

_NULLS = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "-nan"]


def send_table(stream: BinaryIO, path: Path, careful: bool) -> None:
    """Read the table of a file and write it to a stream. Arguments and errors are those of `read_table`."""
    send(read_here(path, careful), stream)


def read_here(path: Path, careful: bool) -> Table:
    """Return the table of a file, read in this very process. Arguments and errors are those of `read_table`."""
    kinds: Mapping[str, str] = {}
    decimal = "."
    if path.name.lower().endswith(".parquet"):
        cells, kinds = read_cells(path)
    else:
        cells, decimal = _read_csv(path)
    notes = [f"{name} is not read: a cell should be one number, date or text, not {kinds[name]}." for name in kinds]
    if careful and _ends_in_totals(cells):
        cells = cells.slice(0, cells.num_rows - 1)
        notes.append("The last row is left out: it holds totals.")
    if cells.num_rows < LEAST_ROWS:
        raise DataError(f"{path.name} should have {LEAST_ROWS} rows or more. Found {cells.num_rows}. Add rows.")
    columns: list[Column] = []
    for name in cells.column_names:
        if name in kinds:
            columns.append(unread(name, cells.num_rows, kinds[name]))
            continue
        column = to_column(name, cells.column(name))
        columns.append(understood(column, cells.column(name), decimal) if careful else column)
    return Table(path.name, cells.num_rows, tuple(columns), tuple(notes))


def _ends_in_totals(cells: ArrowColumn) -> bool:
    from pyarrow import types

    if not cells.num_rows:
        return False
    texts = [column for column in cells.columns if is_text(column.type) or types.is_dictionary(column.type)]
    last = [str(column[-1].as_py() or "").strip().rstrip(":").lower() for column in texts]
    # In a table of nothing but texts "all" may be a value.
    return len(texts) < cells.num_columns and any(cell in TOTALS for cell in last)


def _read_csv(path: Path) -> tuple[ArrowColumn, str]:
    """Return the cells, and the decimal mark."""
    import pyarrow as pa
    from pyarrow import csv

    text = read_text(path)
    check_names(path, text.header)
    _check_header(path, text)
    wrong: list[Any] = []

    def keep(row: Any) -> str:
        wrong.append(row)
        return "error"

    try:
        table = csv.read_csv(
            pa.BufferReader(pa.py_buffer(text.content)),
            csv.ReadOptions(use_threads=False, block_size=2**23),
            csv.ParseOptions(delimiter=text.delimiter, newlines_in_values=True, invalid_row_handler=keep),
            csv.ConvertOptions(null_values=_NULLS, strings_can_be_null=True, decimal_point=text.decimal),
        )
    except pa.ArrowException as error:
        if not wrong:
            raise DataError(f"{path.name} should be a table. Found: {one_line(error)}. Check its quotes.") from None
        row = wrong[0]
        raise DataError(
            f"Data row {row.number - 1:,} of {path.name} should have {row.expected_columns} cells, as the header has. "
            f"Found {row.actual_columns}. Check its delimiters and quotes."
        ) from None
    if table.num_rows * table.num_columns > MOST_CELLS:
        raise too_many_cells(path)
    return table.rename_columns(list(text.header)), text.decimal


def _check_header(path: Path, text: CsvText) -> None:
    if all(is_number(name.replace(text.decimal, ".")) for name in text.header):
        names = ", ".join(text.header[:4])
        raise DataError(
            f"The first row of {path.name} should name the columns. Found only numbers: {names}. Add a header row."
        )
