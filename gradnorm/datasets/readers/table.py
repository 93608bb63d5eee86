"""A table: named columns of equal length, and how it is sent from one process to another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, get_args

import numpy as np

from gradnorm.datasets.readers.columns import ArrowColumn, Column, ColumnKind, is_text
from gradnorm.datasets.readers.folders import DataError

_ABOUT = ("name", "kind", "whole", "missing", "distinct", "example", "note")


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


def send(table: Table, stream: BinaryIO) -> None:
    """Write a table to a stream as Arrow's IPC format: numbers, and texts as indices into a dictionary."""
    import pyarrow as pa

    about = {
        "name": table.name,
        "notes": table.notes,
        "columns": [[getattr(column, key) for key in _ABOUT] for column in table.columns],
    }
    cells = [_cells(column) for column in table.columns]
    fields = [pa.field(str(place), cell.type) for place, cell in enumerate(cells)]
    schema = pa.schema(fields, {"table": json.dumps(about)})
    with pa.ipc.new_stream(stream, schema) as writer:
        writer.write_batch(pa.record_batch(cells, schema=schema))


def _cells(column: Column) -> ArrowColumn:
    import pyarrow as pa

    if column.words is None:
        return pa.array(column.values)
    return pa.DictionaryArray.from_arrays(pa.array(column.values, pa.int32(), mask=column.absent), column.words)


def receive(content: bytearray) -> Table:
    """Return the table that `send` wrote. The columns share the memory of `content`.

    Raises DataError if it is none: the process that read a foreign file is not trusted, and every byte is checked.
    """
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(pa.py_buffer(content)) as reader:
            batch: Any = reader.read_next_batch()
        batch.validate(full=True)
        about = json.loads(batch.schema.metadata[b"table"])
        columns = [_column(*pair) for pair in zip(about["columns"], batch.columns, strict=True)]
        return Table(str(about["name"]), batch.num_rows, tuple(columns), tuple(map(str, about["notes"])))
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, StopIteration):
        raise DataError("A table should come whole from its reader. Found other bytes. Write the file again.") from None


def _column(about: Sequence[Any], cells: ArrowColumn) -> Column:
    import pyarrow as pa
    from pyarrow import compute, types

    name, kind, whole, missing, distinct, example, note = about
    if kind not in get_args(ColumnKind):
        raise ValueError(kind)
    known: dict[str, Any] = {"name": str(name), "kind": kind, "example": str(example), "note": str(note)}
    known |= {"whole": bool(whole), "missing": int(missing), "distinct": int(distinct)}
    if not types.is_dictionary(cells.type):
        if cells.type != pa.float64():
            raise TypeError(cells.type)
        return Column(**known, values=cells.to_numpy())
    if not is_text(cells.type.value_type) or cells.dictionary.null_count:
        raise TypeError(cells.type)
    codes = compute.fill_null(cells.indices, -1).to_numpy().astype(np.int64)
    return Column(**known, values=codes, words=cells.dictionary)
