"""What a table may have at most, and the sentences that refuse more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gradnorm.datasets.readers.folders import DataError

LEAST_ROWS = 20
MOST_BYTES = 200 * 2**20
MOST_COLUMNS = 10_000
MOST_CELLS = 10_000_000


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise DataError unless there are two to `MOST_COLUMNS` columns, each with a name of its own.

    path: of the file, for the message.  names: without spaces around them.
    """
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


def too_many_cells(path: Path) -> DataError:
    """Return the error for a table with more than `MOST_CELLS` cells."""
    return DataError(f"{path.name} should have at most {MOST_CELLS:,} cells. Found more. Keep fewer rows or columns.")


def too_many_columns(path: Path, amount: str) -> DataError:
    """Return the error for a table with more than `MOST_COLUMNS` columns.

    amount: what was found, for the message.
    """
    return DataError(f"{path.name} should have at most {MOST_COLUMNS:,} columns. Found {amount}. Keep those you need.")


def one_line(error: Exception) -> str:
    """Return what an error of a library says, in one line of at most 160 characters."""
    return " ".join(str(error).split())[:160]
