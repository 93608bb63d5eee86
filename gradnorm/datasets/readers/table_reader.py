"""Reads a table from a CSV or Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from gradnorm.datasets.readers.cells import TOTALS
from gradnorm.datasets.readers.columns import ArrowColumn, Column, to_column, understood
from gradnorm.datasets.readers.csv_reader import (
    MOST_BYTES,
    MOST_CELLS,
    MOST_COLUMNS,
    CsvText,
    is_number,
    read_text,
    too_many_cells,
    too_many_columns,
)
from gradnorm.datasets.readers.folders import DataError

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".parquet")
LEAST_ROWS = 20
_NULLS = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "-nan"]
# Limit for the footer of a Parquet file, which is read as a whole.
_MOST_FOOTER = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a file.

    name: of the file, for messages.  rows: the number of cells in each column.
    notes: what was left out of it.
    """

    name: str
    rows: int
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """Return a column by its name. Raises DataError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        names = ", ".join(column.name for column in self.columns[:20])
        raise DataError(f"{self.name} should have a column {name!r}. Found {names}. Choose one of these.")


def read_table(path: Path, *, careful: bool = True) -> Table:
    """Return the table of a file. A file that has not changed is read once.

    path: a CSV or Parquet file, with an ending of `SUFFIXES`, already checked by `allowed_file`.
    careful: whether texts are understood (`gradnorm.datasets.readers.cells`): numbers and dates in their usual
        spellings, marks of missing values, a last row of totals; and whole numbers that name things are texts.
    Raises DataError if the file cannot be read, is no table, is too large, or has fewer than `LEAST_ROWS` rows.
    """
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size, careful)
    except OSError as error:
        raise DataError(f"{path.name} should be readable. Found: {error.strerror}. Check its rights.") from None


@lru_cache(maxsize=2)
def _read(path: Path, changed: int, size: int, careful: bool) -> Table:
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path.name} should end in one of {', '.join(SUFFIXES)}. Save the table as CSV or Parquet.")
    parquet = path.name.lower().endswith(".parquet")
    cells, decimal = (_read_parquet(path, size), ".") if parquet else _read_csv(path)
    notes: tuple[str, ...] = ()
    if careful and _ends_in_totals(cells):
        cells, notes = cells.slice(0, cells.num_rows - 1), ("The last row is left out: it holds totals.",)
    if cells.num_rows < LEAST_ROWS:
        raise DataError(f"{path.name} should have {LEAST_ROWS} rows or more. Found {cells.num_rows}. Add rows.")
    names = cells.column_names
    columns = [to_column(names[i], cells.column(i)) for i in range(len(names))]
    if careful:
        columns = [understood(column, cells.column(i), decimal) for i, column in enumerate(columns)]
    return Table(path.name, cells.num_rows, tuple(columns), notes)


def _ends_in_totals(cells: ArrowColumn) -> bool:
    from pyarrow import types

    if not cells.num_rows:
        return False
    kinds = (types.is_string, types.is_large_string, types.is_dictionary)
    texts = [column for column in cells.columns if any(is_kind(column.type) for is_kind in kinds)]
    last = [str(column[-1].as_py() or "").strip().rstrip(":").lower() for column in texts]
    # In a table of nothing but texts "all" may be a value.
    return len(texts) < cells.num_columns and any(cell in TOTALS for cell in last)


def _read_csv(path: Path) -> tuple[ArrowColumn, str]:
    """Return the cells, and the decimal mark."""
    import pyarrow as pa
    from pyarrow import csv

    text = read_text(path)
    _check_names(path, text.header)
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
            raise DataError(f"{path.name} should be a table. Found: {_one_line(error)}. Check its quotes.") from None
        row = wrong[0]
        raise DataError(
            f"Data row {row.number - 1:,} of {path.name} should have {row.expected_columns} cells, as the header has. "
            f"Found {row.actual_columns}. Check its delimiters and quotes."
        ) from None
    if table.num_rows * table.num_columns > MOST_CELLS:
        raise too_many_cells(path)
    return table.rename_columns(list(text.header)), text.decimal


def _check_names(path: Path, names: Sequence[str]) -> None:
    if len(names) > MOST_COLUMNS:
        raise too_many_columns(path, f"{len(names):,}")
    if len(names) < 2:
        raise DataError(f"{path.name} should have two columns or more. Found {len(names)}. Add inputs and targets.")
    seen: set[str] = set()
    for place, name in enumerate(names, 1):
        if not name:
            raise DataError(
                f"Each column of {path.name} should have a name. Found none for column {place}. Name it in the first "
                "row, or leave the column out (pandas writes its index so, unless index=False)."
            )
        if name in seen:
            raise DataError(f"Columns of {path.name} should have different names. Found {name!r} twice. Rename one.")
        seen.add(name)


def _check_header(path: Path, text: CsvText) -> None:
    if all(is_number(name.replace(text.decimal, ".")) for name in text.header):
        names = ", ".join(text.header[:4])
        raise DataError(
            f"The first row of {path.name} should name the columns. Found only numbers: {names}. Add a header row."
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]


def _read_parquet(path: Path, size: int) -> ArrowColumn:
    import pyarrow as pa
    from pyarrow import parquet, types

    _check_footer(path, size)
    try:
        with parquet.ParquetFile(path) as file:
            about, schema = file.metadata, file.schema_arrow
        _check_names(path, [name.strip() for name in schema.names])
        if about.num_rows * len(schema.names) > MOST_CELLS:
            raise too_many_cells(path)
        if sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups)) > MOST_BYTES:
            raise DataError(
                f"{path.name} should unpack to {MOST_BYTES // 2**20} MB at most. Found more. Keep fewer rows."
            )
        # Texts are read as indices into a dictionary: a long text that is repeated a million times is stored once.
        texts = [field.name for field in schema if types.is_string(field.type) or types.is_large_string(field.type)]
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            table = file.read(use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} should be a Parquet file. Found: {_one_line(error)}. Write it again.") from None
    return table.rename_columns([name.strip() for name in schema.names])


def _check_footer(path: Path, size: int) -> None:
    with path.open("rb") as file:
        begin = file.read(4)
        file.seek(max(0, size - 8))
        end = file.read(8)
    if begin != b"PAR1" or end[4:] != b"PAR1":
        raise DataError(
            f"{path.name} should be a Parquet file, which begins and ends with PAR1. Found {begin!r} and {end[4:]!r}. "
            "If it is text, name it .csv."
        )
    if int.from_bytes(end[:4], "little") > min(size, _MOST_FOOTER):
        raise too_many_columns(path, "a table of contents that is too long")
