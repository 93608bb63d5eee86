"""The columns of a table: their kind, their cells as numbers, and how these were understood."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.readers.cells import MOST_WORDS, names_things, odd_one, understand

# pyarrow has no types for its tables, columns and dictionaries.
ArrowColumn: TypeAlias = Any
ArrowStrings: TypeAlias = Any

# A column with more different texts than this is free text or names its rows.
MOST_CATEGORIES = 50
# Whole numbers as large as this are names: double precision no longer tells them apart, and nothing is counted so far.
LARGEST_ID = 1e15

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
    note: how its cells were understood, where they do not say it themselves; else empty.
    """

    name: str
    kind: ColumnKind
    whole: bool
    missing: int
    distinct: int
    example: str
    values: NDArray[np.float64] | NDArray[np.int64]
    words: ArrowStrings | None = None
    note: str = ""

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Which cells have no value: flags [N]."""
        return np.isnan(self.values) if self.words is None else self.values < 0


def readable(kind: Any) -> bool:
    """Return whether the cells of an Arrow type are single numbers, dates or texts: what `to_column` takes."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return readable(kind.value_type)
    numbers = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    moments = types.is_temporal(kind) and not types.is_duration(kind) and not types.is_interval(kind)
    return numbers or moments or types.is_null(kind) or is_text(kind)


def is_text(kind: Any) -> bool:
    """Return whether the cells of an Arrow type are texts."""
    from pyarrow import types

    return types.is_string(kind) or types.is_large_string(kind)


def unread(name: str, rows: int, kind: str) -> Column:
    """Return a column of `rows` cells that nothing can be learnt from. kind: what its cells are, for messages."""
    return Column(name, "text", False, 0, 0, kind, np.full(rows, np.nan))


def to_column(name: str, cells: ArrowColumn) -> Column:
    """Return a column of N cells as the file has them, with its kind. Their type is one that is `readable`."""
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
        return to_column(name, cells.cast(kind.value_type))
    return _text_column(name, cells)


def understood(column: Column, cells: ArrowColumn, decimal: str) -> Column:
    """Return a column with its texts understood, and its whole numbers as texts where they name things."""
    import pyarrow as pa
    from pyarrow import types

    if column.words is None:
        large = column.whole and bool(np.nanmax(np.abs(column.values)) >= LARGEST_ID)
        named = column.whole and column.distinct > 2 and names_things(column.name)
        if column.kind == "number" and types.is_integer(cells.type) and (large or named):
            return replace(_text_column(column.name, cells.cast(pa.string())), note="names, not numbers")
        return column
    if len(column.words) > MOST_WORDS:
        return column
    codes = column.values.astype(np.int64)
    # A dictionary may hold words that no cell has.
    used = np.unique(codes[codes >= 0])
    words = [str(word) for word in column.words.take(pa.array(used)).to_pylist()]
    found = understand(words, decimal)
    if found is None:
        odd = odd_one(words)
        if odd is None:
            return column
        row = int(np.flatnonzero(codes == used[odd])[0]) + 1
        return replace(column, note=f"texts, since {words[odd][:40]!r} in data row {row:,} is no number")
    if found.kind == "number" and names_things(column.name):
        return column
    of_word = np.full(len(column.words) + 1, np.nan)  # the last one is that of −1, a missing text
    of_word[used] = found.values
    values = of_word[codes]
    if found.kind == "number":
        return replace(_numbers_as_column(column.name, values), note=found.how)
    present = values[~np.isnan(values)]
    first, last = (np.datetime64(int(day), "D") for day in (present.min(), present.max()))
    missing, distinct = len(values) - len(present), len(np.unique(present))
    return Column(column.name, "date", False, missing, distinct, f"{first} … {last}", values, note=found.how)


def _number_column(name: str, cells: ArrowColumn) -> Column:
    import pyarrow as pa

    return _numbers_as_column(name, _to_floats(cells.cast(pa.float64(), safe=False)))


def _numbers_as_column(name: str, values: NDArray[np.float64]) -> Column:
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
        # In one piece, so that texts are looked up once.
        cells = cells.combine_chunks().dictionary_encode()
    joined: Any = cells.unify_dictionaries().combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
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
