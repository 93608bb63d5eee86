"""Which columns of a table become inputs, what they cost in rows, and how they become numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.readers.columns import MOST_CATEGORIES, Column
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table import Table

# Limit for the encoded inputs: rows × numbers.
_MOST_NUMBERS = 40_000_000
# The squares of larger numbers overflow in single precision.
LARGEST = 1e15
# Columns that were not chosen one by one may cost such a part of the rows by what they lack.
MOST_LOST = 0.2

TargetForm = Literal["regression", "classification"]


@dataclass(frozen=True)
class ColumnChoice:
    """Which columns of a table are learnt, and how.

    targets: the name and the form of each target; None takes the form that suits the column.
    inputs: the names of the input columns; none takes all other columns that can be used.
    group: a column whose groups lie wholly in training or test; empty splits by rows.
    test_share: the share of the rows that is held out, in (0, 0.9].
    validation_share: the share of the other rows that is kept from training, in [0, 0.5].
    fill: whether missing inputs are filled in; else their rows are left out.
    careful: whether a filled column gets an input that says where; and, of inputs that were not chosen one by one,
        those are left out that cannot be used or would cost too many rows.
    """

    targets: tuple[tuple[str, TargetForm | None], ...]
    inputs: tuple[str, ...]
    group: str
    test_share: float
    validation_share: float
    fill: bool
    careful: bool = True


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
        fault = "" if chosen or not choice.careful else unusable(column)
        if column.words is not None and column.distinct > MOST_CATEGORIES:
            notes.append(f"{column.name} is no input: it has {column.distinct:,} different texts.")
        elif fault:
            notes.append(f"{column.name} is no input: it holds {fault}.")
        elif not chosen and column.kind in ("text", "empty"):
            why = "has no values" if column.kind == "empty" else "only names the rows"
            notes.append(f"{column.name} is no input: it {why}.")
        else:
            usable.append(column)
    if choice.careful and not choice.fill and not chosen:
        strict = [table.column(name) for name in (*targets, choice.group) if name]
        usable = _affordable(table, strict, usable, notes)
    if not usable:
        raise DataError("There should be a column to learn from. Found no input that can be used. Choose other inputs.")
    return usable, notes


def unusable(column: Column) -> str:
    """Return which number of a column is too large to compute with; empty if none is."""
    wrong = np.zeros(0, bool) if column.words is not None else np.abs(column.values) > LARGEST
    if not wrong.any():
        return ""
    row = int(wrong.argmax())
    return f"{column.values[row]:g} in data row {row + 1:,}"


def _affordable(table: Table, strict: Sequence[Column], inputs: list[Column], notes: list[str]) -> list[Column]:
    """Return the inputs without those that lack so many values that too few rows would be left, and note each.

    The column with most missing values is left out until the inputs cost a fifth of the rows at most.
    """
    there = np.logical_and.reduce([np.ones(table.rows, bool), *(~column.absent for column in strict)])
    left = list(inputs)
    while len(left) > 1:
        whole = there & np.logical_and.reduce([~column.absent for column in left])
        gone = int(there.sum() - whole.sum())
        if gone <= MOST_LOST * there.sum():
            break
        worst = max(left, key=lambda column: int((column.absent & there).sum()))
        left.remove(worst)
        notes.append(
            f"{worst.name} is no input: {worst.missing:,} of its {table.rows:,} values are missing, and "
            f"{gone:,} rows would be left out. Fill missing values in to use it."
        )
    return left


def hints(table: Table, used: Sequence[Column]) -> list[str]:
    """Return a hint at a column to split by: one that is not used and names the same thing in several rows."""
    for column in table.columns:
        several = 2 <= column.distinct <= (table.rows - column.missing) / 2
        if column.kind == "text" and several and all(column is not other for other in used):
            return [
                f"{column.name} has {column.distinct:,} different values, each in several rows. If rows of one are "
                f"alike, split by {column.name}, or the test set flatters."
            ]
    return []


def encoded(
    inputs: Sequence[Column], rows: NDArray[np.int64], train: NDArray[np.int64], notes: list[str], *, indicate: bool
) -> NDArray[np.float64]:
    """Return the inputs as numbers, [N, D], and add notes.

    Texts become one-hot vectors. Missing numbers become the median of the training rows.
    indicate: whether another input, of 0 and 1, says where a number was missing.
    """
    width = sum(
        1 + (indicate and column.missing > 0) if column.words is None else column.distinct + 1 for column in inputs
    )
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
                marked = " An input says where." if indicate else ""
                notes.append(f"{count} were filled with {middle:.6g}, the median to train on.{marked}")
            parts.append(values[:, None].astype(np.float64))
            if absent.any() and indicate:
                parts.append(absent[:, None].astype(np.float64))
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
