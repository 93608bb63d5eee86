"""Reads the columns of a Parquet file whose cells are single numbers, dates or texts.

A Parquet file states the sizes of its columns as they are encoded, and stores a value that is repeated once. So a file
of 35 kB can hold gigabytes of binary values or lists: such columns are never read. A number or date takes at most 32
bytes, so the number of cells limits these. A text stays as it is stored, once. A file that states false sizes meets the
limits of the process that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gradnorm.datasets.readers.columns import ArrowColumn, is_text, readable
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.limits import (
    MOST_BYTES,
    MOST_CELLS,
    check_names,
    one_line,
    too_many_cells,
    too_many_columns,
)

# Limit for the footer of a Parquet file, which is read as a whole.
_MOST_FOOTER = 64 * 2**20


def read_cells(path: Path) -> tuple[ArrowColumn, Mapping[str, str]]:
    """Return the cells of a Parquet file, and the types of the columns that were not read, by their names.

    The cells are an Arrow table of all columns, in their order. Those whose cells are no single numbers, dates or texts
    are not read, and hold nulls.

    path: of the file.
    Raises DataError for a file that is broken or too large, and one that names the other columns if fewer than two can
    be read. All is judged by the footer, before any cell is read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    _check_footer(path)
    try:
        with parquet.ParquetFile(path) as file:
            about, schema = file.metadata, file.schema_arrow
        names = [name.strip() for name in schema.names]
        check_names(path, names)
        wanted = [field.name for field in schema if readable(field.type)]
        unread = {field.name.strip(): str(field.type)[:40] for field in schema if not readable(field.type)}
        _check_scalars(path, wanted, unread)
        _check_claims(path, about, wanted)
        # Texts are read as indices into a dictionary: a long text that is repeated a million times is stored once.
        texts = [field.name for field in schema if is_text(field.type)]
        with parquet.ParquetFile(path, read_dictionary=texts) as file:
            found = file.read(wanted if unread else None, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        # What the machine lacks is no fault of the file's form.
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise
        raise DataError(f"{path.name} should be a Parquet file. Found: {one_line(error)}. Write it again.") from None
    columns = {name.strip(): found.column(name) for name in found.column_names}
    nothing = pa.chunked_array([pa.nulls(found.num_rows)])
    return pa.table([columns.get(name, nothing) for name in names], names=names), unread


def _check_footer(path: Path) -> None:
    size = path.stat().st_size
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


def _check_scalars(path: Path, wanted: Sequence[str], unread: Mapping[str, str]) -> None:
    others = ", ".join(f"{name!r} of {kind}" for name, kind in list(unread.items())[:5])
    if len(wanted) < 2:
        raise DataError(
            f"{path.name} should have two columns or more whose cells are single numbers, dates or texts. "
            f"Found {len(wanted)} beside {others}. Write what is in these as columns of their own."
        )
    # pyarrow takes a name for a path: to ask for column a is to ask for a.b, too.
    within = next((name for name in wanted for other in (*wanted, *unread) if other.startswith(f"{name}.")), None)
    if unread and within is not None:
        raise DataError(
            f"{path.name} should have columns whose names don't begin with that of another and a point. "
            f"Found {within!r} so, beside {others}, which cannot be learnt. Rename it, or leave these out."
        )


def _check_claims(path: Path, about: Any, wanted: Sequence[str]) -> None:
    """Raise DataError if the columns to read have too many cells, or unpack to too much by what the footer says."""
    if about.num_rows * about.num_columns > MOST_CELLS:
        raise too_many_cells(path)
    names, claimed = set(wanted), 0
    for group in map(about.row_group, range(about.num_row_groups)):
        columns = map(group.column, range(group.num_columns))
        claimed += sum(column.total_uncompressed_size for column in columns if column.path_in_schema in names)
        if claimed > MOST_BYTES:
            raise DataError(
                f"{path.name} should unpack to {MOST_BYTES // 2**20} MB at most. Found more. Keep fewer rows."
            )
