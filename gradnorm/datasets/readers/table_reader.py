"""Reads a table from a CSV or Parquet file, and finds the kind of each column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

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

# pyarrow has no types for its tables, columns and dictionaries.
ArrowColumn: TypeAlias = Any
ArrowStrings: TypeAlias = Any

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".parquet")
# A column with more different texts than this is free text or names its rows.
MOST_CATEGORIES = 50
LEAST_ROWS = 20
_NULLS = ["", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A", "-nan"]
# Limit for the footer of a Parquet file, which is read as a whole.
_MOST_FOOTER = 64 * 2**20

ColumnKind = Literal["number", "class", "date", "text", "empty"]


@dataclass(frozen=True, eq=False)
class Column:
    """One column of N cells.

    kind: "number"; "class" for few different texts, or two whole numbers; "date", in days since 1970; "text" for free
        text, or a name or running number of each row; "empty" if no cell has a value.
    whole: whether all numbers are whole.
    missing: the number of cells without a value.
    distinct: the number of different values.
    example: the range of the numbers, or some of the texts.
    values: shape [N]. Numbers, NaN for a missing one; or indices into `words`, −1 for a missing text.
    words: the different texts; None for a column of numbers.
    """

    name: str
    kind: ColumnKind
    whole: bool
    missing: int
    distinct: int
    example: str
    values: NDArray[np.float64] | NDArray[np.int64]
    words: ArrowStrings | None = None

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Which cells have no value: flags [N]."""
        return np.isnan(self.values) if self.words is None else self.values < 0


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a file.

    name: of the file, for messages.  rows: the number of cells in each column.
    """

    name: str
    rows: int
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return a column by its name. Raises DataError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        names = ", ".join(column.name for column in self.columns[:20])
        raise DataError(f"{self.name} should have a column {name!r}. Found {names}. Choose one of these.")


def read_table(path: Path) -> Table:
    """Return the table of a file. A file that has not changed is read once.

    path: a CSV or Parquet file, with an ending of `SUFFIXES`, already checked by `allowed_file`.
    Raises DataError if the file cannot be read, is no table, is too large, or has fewer than `LEAST_ROWS` rows.
    """
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except OSError as error:
        raise DataError(f"{path.name} should be readable. Found: {error.strerror}. Check its rights.") from None


@lru_cache(maxsize=2)
def _read(path: Path, changed: int, size: int) -> Table:
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path.name} should end in one of {', '.join(SUFFIXES)}. Save the table as CSV or Parquet.")
    cells = _read_parquet(path, size) if path.name.lower().endswith(".parquet") else _read_csv(path)
    if cells.num_rows < LEAST_ROWS:
        raise DataError(f"{path.name} should have {LEAST_ROWS} rows or more. Found {cells.num_rows}. Add rows.")
    names = cells.column_names
    return Table(path.name, cells.num_rows, tuple(_to_column(names[i], cells.column(i)) for i in range(len(names))))


def _read_csv(path: Path) -> ArrowColumn:
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
    return table.rename_columns(list(text.header))


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


def _to_column(name: str, cells: ArrowColumn) -> Column:
    import pyarrow as pa
    from pyarrow import types

    kind = cells.type
    if types.is_null(kind):
        return Column(name, "empty", False, len(cells), 0, "", np.full(len(cells), np.nan))
    if types.is_temporal(kind) and not types.is_duration(kind) and not types.is_interval(kind):
        return _date_column(name, cells)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _number_column(name, cells)
    if types.is_boolean(kind):
        return _text_column(name, cells.cast(pa.string()))
    if types.is_dictionary(kind) and not types.is_string(kind.value_type):
        return _to_column(name, cells.cast(kind.value_type))
    if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind):
        return _text_column(name, cells)
    return Column(name, "text", False, 0, 0, str(kind)[:40], np.full(len(cells), np.nan))


def _number_column(name: str, cells: ArrowColumn) -> Column:
    import pyarrow as pa

    values = _to_floats(cells.cast(pa.float64(), safe=False))
    present = values[~np.isnan(values)]
    if not len(present):
        return Column(name, "empty", False, len(values), 0, "", values)
    different = np.unique(present)
    finite = bool(np.isfinite(different).all())
    whole = finite and bool((different == np.floor(different)).all())
    counts = whole and len(different) == len(values) and bool((np.diff(values) == 1).all())
    kind: ColumnKind = "text" if counts else "class" if whole and len(different) <= 2 else "number"
    example = f"{different[0]:.6g} … {different[-1]:.6g}"
    return Column(name, kind, whole, len(values) - len(present), len(different), example, values)


def _date_column(name: str, cells: ArrowColumn) -> Column:
    import pyarrow as pa
    from pyarrow import types

    if types.is_time(cells.type):
        seconds = _to_floats(cells.cast(pa.time64("us")).cast(pa.int64()).cast(pa.float64())) / 1e6
    else:
        seconds = _to_floats(cells.cast(pa.timestamp("s"), safe=False).cast(pa.int64()).cast(pa.float64()))
    days = seconds / 86_400
    present = days[~np.isnan(days)]
    kind: ColumnKind = "date" if len(present) else "empty"
    example = f"{cells[int(np.nanargmin(days))]} … {cells[int(np.nanargmax(days))]}" if len(present) else ""
    return Column(name, kind, False, len(days) - len(present), len(np.unique(present)), example, days)


def _to_floats(cells: ArrowColumn) -> NDArray[np.float64]:
    return np.array(cells.to_numpy(), dtype=np.float64)


def _text_column(name: str, cells: ArrowColumn) -> Column:
    import pyarrow as pa
    from pyarrow import compute, types

    if not types.is_dictionary(cells.type):
        cells = cells.dictionary_encode()
    joined: Any = cells.unify_dictionaries().combine_chunks()
    joined = joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
    codes = np.array(compute.fill_null(joined.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False))
    words = joined.dictionary
    used = np.unique(codes[codes >= 0])
    some = [str(word) for word in words.take(pa.array(used[:5])).to_pylist()]
    present = int((codes >= 0).sum())
    kind: ColumnKind = "class" if len(used) <= min(MOST_CATEGORIES, max(2, present // 2)) else "text"
    if not len(used):
        kind = "empty"
    example = ", ".join(word if len(word) <= 24 else f"{word[:23]}…" for word in some)
    example += ", …" if len(used) > len(some) else ""
    return Column(name, kind, False, len(codes) - present, len(used), example, codes, words)
