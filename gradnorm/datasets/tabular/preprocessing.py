"""Turns the columns of a table into inputs, targets and test rows, and notes what it leaves out or changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradnorm.common.randomness import stream
from gradnorm.datasets.readers.columns import Column
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.limits import LEAST_ROWS
from gradnorm.datasets.readers.table import Table
from gradnorm.datasets.tabular.inputs import (
    LARGEST,
    ColumnChoice,
    TargetForm,
    encoded,
    hints,
    input_columns,
    unusable,
)
from gradnorm.datasets.tabular.table import Target

MOST_CLASSES = 200


@dataclass(frozen=True, eq=False)
class Prepared:
    """The numbers of N rows to train and test on.

    inputs: [N, D].
    targets: one or more, of N rows each.
    test: the indices of the M rows that are held out, [M].
    validation: the indices of the V rows that are kept from training besides, [V]; V may be 0.
    notes: one sentence for each thing that was left out, filled in or encoded.
    """

    inputs: NDArray[np.float64]
    targets: tuple[Target, ...]
    test: NDArray[np.int64]
    validation: NDArray[np.int64]
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
    rows, lost = _rows(table, strict + ([] if choice.fill else inputs), notes)
    test = _held_out(rows, group, choice.test_share, "table split")
    train = np.setdiff1d(np.arange(len(rows)), test)
    validation = _validation_rows(rows, train, group, choice.validation_share)
    train = np.setdiff1d(train, validation)
    made = tuple(_target(column, form or form_of(column), rows, train, lost) for column, form in targets)
    x = encoded(inputs, rows, train, notes, indicate=choice.careful)
    notes[:0] = table.notes
    used = [column for column, _ in targets] + inputs + ([group] if group else [])
    notes += [f"{column.name} is read as {column.note}." for column in used if column.note]
    if choice.careful and group is None:
        notes += hints(table, used)
    how = f"by {group.name}" if group else "by rows"
    kept = f", {len(validation):,} to validate" if len(validation) else ""
    notes.insert(0, f"{len(train):,} rows to train on{kept} and {len(test):,} to test with, split {how}.")
    return Prepared(x, made, test, validation, tuple(notes))


def _check(column: Column) -> None:
    if column.words is None and column.kind == "text" and not column.whole:
        raise DataError(f"Column {column.name} should hold numbers or texts. Found {column.example}. Leave it out.")
    if column.absent.all():
        raise DataError(f"Column {column.name} should hold values. Found none in any row. Leave it out.")
    if fault := unusable(column):
        raise DataError(
            f"Column {column.name} should hold numbers up to {LARGEST:g}. Found {fault}. "
            "Correct it, or leave the column out."
        )


def _rows(table: Table, needed: Sequence[Column], notes: list[str]) -> tuple[NDArray[np.int64], str]:
    """Return the indices of the rows without a missing value in the needed columns, and what the others lack.

    Adds a note on the others.
    """
    keep = np.ones(table.rows, dtype=bool)
    for column in needed:
        keep &= ~column.absent
    rows = np.flatnonzero(keep)
    worst = sorted(needed, key=lambda column: -column.missing)
    lacking = [f"{column.name} ({column.missing:,})" for column in worst if column.missing]
    lost = ""
    if lacking:
        more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
        gone = table.rows - len(rows)
        lost = (
            f"{gone:,} of {table.rows:,} rows {'was' if gone == 1 else 'were'} left out "
            f"since a value is missing: {', '.join(lacking[:5])}{more}"
        )
        notes.append(f"{lost}.")
    if len(rows) < LEAST_ROWS:
        raise DataError(
            f"There should be {LEAST_ROWS} rows or more without missing values. Found {len(rows)} of {table.rows:,}; "
            f"missing are {', '.join(lacking[:5])}. Fill them in, or leave such columns out."
        )
    return rows, lost


def _validation_rows(
    rows: NDArray[np.int64], train: NDArray[np.int64], group: Column | None, share: float
) -> NDArray[np.int64]:
    """Return which of the rows to train on are kept from training: indices into `rows`.

    None is kept where two groups or more do not remain.
    """
    alone = group is not None and len(np.unique(group.values[rows[train]])) < 2
    if not share or alone:
        return np.zeros(0, np.int64)
    return train[_held_out(rows[train], group, share, "table validation")]


def _held_out(rows: NDArray[np.int64], group: Column | None, share: float, name: str) -> NDArray[np.int64]:
    """Return which rows are held out: indices into `rows`, the same for every seed. name: of the random stream."""
    wanted = min(max(1, round(share * len(rows))), len(rows) - 1)
    random = stream(0, name)
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


def _target(column: Column, form: TargetForm, rows: NDArray[np.int64], train: NDArray[np.int64], lost: str) -> Target:
    if form == "regression":
        values = _as_numbers(column)[rows]
        if np.ptp(values[train]) == 0:
            raise _constant(column, f"{values[train][0]:g} in every row", lost)
        return Target(column.name, form, values.astype(np.float64)[:, None])
    kinds, codes = np.unique(column.values[rows], return_inverse=True)
    if len(np.unique(codes[train])) < 2:
        raise _constant(column, "one class in every row", lost)
    if len(kinds) > MOST_CLASSES:
        raise DataError(
            f"Target {column.name} should have at most {MOST_CLASSES} classes. Found {len(kinds):,}. "
            f"{'Learn it as a number' if column.words is None else 'Choose another target'}."
        )
    return Target(column.name, form, codes.astype(np.int64), classes=len(kinds))


def _constant(column: Column, values: str, lost: str) -> DataError:
    """Return the error for a target that does not vary. lost: which rows were left out, if any."""
    what, remedy = f"Found {values} to train on", "Choose another target"
    if lost:
        what, remedy = f"{what}, after {lost}", "Fill missing values in, take fewer inputs, or choose another target"
    return DataError(f"Target {column.name} should vary. {what}. {remedy}.")


def _as_numbers(column: Column) -> NDArray[np.float64]:
    """Return a column's cells as numbers; raise DataError, with row and value, if one is a text that is no number."""
    if column.words is None:
        return column.values.astype(np.float64)
    import pandas as pd

    words = pd.Series(column.words.to_pylist(), dtype=object)
    numbers = np.asarray(pd.to_numeric(words, errors="coerce"), dtype=np.float64)
    wrong = np.isnan(numbers)
    if not wrong.any():
        return np.append(numbers, np.nan)[column.values.astype(np.int64)]
    places = np.flatnonzero((column.values >= 0) & wrong[column.values.astype(np.int64)])
    row = int(places[0])
    value = str(words.iloc[int(column.values[row])])[:40]
    raise DataError(
        f"Column {column.name} should hold numbers. Found {value!r} in data row {row + 1:,}. "
        "Correct it, or learn the column as a class."
    )
