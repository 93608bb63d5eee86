"""Turns the columns of a table into inputs, targets and test rows, and notes what it leaves out or changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradnorm.common.randomness import stream
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table_reader import LEAST_ROWS, MOST_CATEGORIES, Column, Table
from gradnorm.datasets.tabular.table import Target

MOST_CLASSES = 200
# Limit for the encoded inputs: rows × numbers.
_MOST_NUMBERS = 40_000_000
# The squares of larger numbers overflow in single precision.
_LARGEST = 1e15

TargetForm = Literal["regression", "classification"]


@dataclass(frozen=True)
class ColumnChoice:
    """Which columns of a table are learnt, and how.

    targets: the name and the form of each target; None takes the form that suits the column.
    inputs: the names of the input columns; none takes all other columns that can be used.
    group: a column whose groups lie wholly in training or test; empty splits by rows.
    test_share: the share of the rows that is held out, in (0, 0.9].
    fill: whether missing inputs are filled in; else their rows are left out.
    """

    targets: tuple[tuple[str, TargetForm | None], ...]
    inputs: tuple[str, ...]
    group: str
    test_share: float
    fill: bool


@dataclass(frozen=True, eq=False)
class Prepared:
    """The numbers of N rows to train and test on.

    inputs: [N, D].
    targets: one or more, of N rows each.
    test: the indices of the M rows that are held out, [M].
    notes: one sentence for each thing that was left out, filled in or encoded.
    """

    inputs: NDArray[np.float64]
    targets: tuple[Target, ...]
    test: NDArray[np.int64]
    notes: tuple[str, ...]


def form_of(column: Column) -> TargetForm:
    """Return the form of target that suits a column: classification for texts and classes, else regression."""
    return "classification" if column.kind in ("class", "text") else "regression"


def prepare(table: Table, choice: ColumnChoice) -> Prepared:
    """Return inputs, targets and test rows.

    Raises DataError, which names the column, if a column is missing or cannot be learnt, if an input is a target too,
    or if too few rows are left.
    """
    if not choice.targets:
        raise DataError("There should be a column to learn. Found no target. Choose one or more with --targets.")
    targets: list[tuple[Column, TargetForm | None]] = [(table.column(name), form) for name, form in choice.targets]
    group = table.column(choice.group) if choice.group else None
    inputs, notes = input_columns(table, choice)
    for column in [column for column, _ in targets] + inputs + ([group] if group else []):
        _check(column)
    strict = [column for column, _ in targets] + ([group] if group else [])
    rows = _rows(table, strict + ([] if choice.fill else inputs), notes)
    test = _test_rows(rows, group, choice.test_share)
    train = np.setdiff1d(np.arange(len(rows)), test)
    made = tuple(_target(column, form or form_of(column), rows, train) for column, form in targets)
    x = _encoded(inputs, rows, train, notes)
    how = f"by {group.name}" if group else "by rows"
    notes.insert(0, f"{len(train):,} rows to train on and {len(test):,} to test with, split {how}.")
    return Prepared(x, made, test, tuple(notes))


def input_columns(table: Table, choice: ColumnChoice) -> tuple[list[Column], list[str]]:
    """Return the input columns that can be used, and a note on each other column.

    Raises DataError if a column is missing, if an input is a target too, or if no input is left.
    """
    targets = [name for name, _ in choice.targets]
    for name in choice.inputs:
        if name in targets:
            raise DataError(f"Inputs should not tell the target. Found {name!r} among both. Take it out of one.")
    chosen = [table.column(name) for name in choice.inputs]
    notes: list[str] = []
    usable: list[Column] = []
    for column in chosen or table.columns:
        if not chosen and column.name in (*targets, choice.group):
            continue
        if column.words is not None and column.distinct > MOST_CATEGORIES:
            notes.append(f"{column.name} is no input: it has {column.distinct:,} different texts.")
        elif not chosen and column.kind in ("text", "empty"):
            why = "has no values" if column.kind == "empty" else "only names the rows"
            notes.append(f"{column.name} is no input: it {why}.")
        else:
            usable.append(column)
    if not usable:
        raise DataError("There should be a column to learn from. Found no input that can be used. Choose other inputs.")
    return usable, notes


def _check(column: Column) -> None:
    if column.words is None and column.kind == "text" and not column.whole:
        raise DataError(f"Column {column.name} should hold numbers or texts. Found {column.example}. Leave it out.")
    if column.absent.all():
        raise DataError(f"Column {column.name} should hold values. Found none in any row. Leave it out.")
    if column.words is None:
        wrong = np.abs(column.values) > _LARGEST
        if wrong.any():
            row = int(wrong.argmax())
            raise DataError(
                f"Column {column.name} should hold numbers up to {_LARGEST:g}. "
                f"Found {column.values[row]:g} in data row {row + 1:,}. Correct it, or leave the column out."
            )


def _rows(table: Table, needed: Sequence[Column], notes: list[str]) -> NDArray[np.int64]:
    """Return the indices of the rows without a missing value in the needed columns, and add a note on the others."""
    keep = np.ones(table.rows, dtype=bool)
    for column in needed:
        keep &= ~column.absent
    rows = np.flatnonzero(keep)
    lacking = [f"{column.name} ({column.missing:,})" for column in needed if column.missing]
    if lacking:
        more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
        gone = table.rows - len(rows)
        notes.append(
            f"{gone:,} of {table.rows:,} rows {'was' if gone == 1 else 'were'} left out "
            f"since a value is missing: {', '.join(lacking[:5])}{more}."
        )
    if len(rows) < LEAST_ROWS:
        raise DataError(
            f"There should be {LEAST_ROWS} rows or more without missing values. Found {len(rows)} of {table.rows:,}; "
            f"missing are {', '.join(lacking[:5])}. Fill them in, or leave such columns out."
        )
    return rows


def _test_rows(rows: NDArray[np.int64], group: Column | None, share: float) -> NDArray[np.int64]:
    """Return which rows are held out: indices into `rows`, the same for every seed."""
    wanted = min(max(1, round(share * len(rows))), len(rows) - 1)
    random = stream(0, "table split")
    if group is None:
        return np.sort(random.permutation(len(rows))[:wanted])
    _, member, sizes = np.unique(group.values[rows], return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise DataError(f"Column {group.name} should have two groups or more. Found one. Split by another column.")
    held: list[int] = []
    total = 0
    for one in random.permutation(len(sizes)):
        # A group is held out if the test set comes nearer to its share by it.
        if total + sizes[one] - wanted <= wanted - total:
            held.append(int(one))
            total += int(sizes[one])
    if not held or len(held) == len(sizes):
        held = [int(sizes.argmin())]
    return np.flatnonzero(np.isin(member, held))


def _target(column: Column, form: TargetForm, rows: NDArray[np.int64], train: NDArray[np.int64]) -> Target:
    values = column.values[rows]
    if form == "regression":
        _check_numbers(column)
        if np.ptp(values[train]) == 0:
            raise _constant(column, f"{values[train][0]:g} in every row")
        return Target(column.name, form, values.astype(np.float64)[:, None])
    kinds, codes = np.unique(values, return_inverse=True)
    if len(np.unique(codes[train])) < 2:
        raise _constant(column, "one class in every row")
    if len(kinds) > MOST_CLASSES:
        raise DataError(
            f"Target {column.name} should have at most {MOST_CLASSES} classes. Found {len(kinds):,}. "
            f"{'Learn it as a number' if column.words is None else 'Choose another target'}."
        )
    return Target(column.name, form, codes.astype(np.int64), classes=len(kinds))


def _constant(column: Column, values: str) -> DataError:
    return DataError(f"Target {column.name} should vary. Found {values} to train on. Choose another target.")


def _check_numbers(column: Column) -> None:
    """Raise DataError, with row and value, if a column of texts should be learnt as numbers."""
    if column.words is None:
        return
    import pandas as pd

    words = pd.Series(column.words.to_pylist(), dtype=object)
    wrong = np.isnan(np.asarray(pd.to_numeric(words, errors="coerce"), dtype=np.float64))
    places = np.flatnonzero((column.values >= 0) & wrong[column.values.astype(np.int64)])
    row = int(places[0])
    value = str(words.iloc[int(column.values[row])])[:40]
    raise DataError(
        f"Column {column.name} should hold numbers. Found {value!r} in data row {row + 1:,}. "
        "Correct it, or learn the column as a class."
    )


def _encoded(
    inputs: Sequence[Column], rows: NDArray[np.int64], train: NDArray[np.int64], notes: list[str]
) -> NDArray[np.float64]:
    """Return the inputs as numbers, [N, D], and add notes.

    Texts become one-hot vectors. Missing numbers become the median of the training rows.
    """
    width = sum(1 if column.words is None else column.distinct + 1 for column in inputs)
    if width * len(rows) > _MOST_NUMBERS:
        raise DataError(
            f"Inputs should be at most {_MOST_NUMBERS:,} numbers. Found {len(rows):,} rows × {width:,} inputs. "
            "Choose fewer inputs."
        )
    parts: list[NDArray[np.float64]] = []
    for column in inputs:
        values, absent = column.values[rows], column.absent[rows]
        count = f"{column.name}: {int(absent.sum()):,} missing values"
        if column.words is None:
            if absent.any():
                middle = _middle(column, values[train])
                values = np.where(absent, middle, values)
                notes.append(f"{count} were filled with {middle:.6g}, the median to train on.")
            parts.append(values[:, None].astype(np.float64))
        else:
            kinds = np.unique(values[train])
            parts.append((values[:, None] == kinds).astype(np.float64))
            if absent.any():
                notes.append(f"{count} are a category of their own.")
            notes.append(f"{column.name} is encoded as {len(kinds)} inputs, one for each category.")
    return np.concatenate(parts, axis=1)


def _middle(column: Column, values: NDArray[np.float64] | NDArray[np.int64]) -> float:
    present = values[~np.isnan(values)]
    if not len(present):
        raise DataError(f"Column {column.name} should hold values to train on. Found none. Leave it out.")
    return float(np.median(present))
