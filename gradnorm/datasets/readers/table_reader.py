"""Gives the tables of CSV and Parquet files, and keeps those that were read last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TypeAlias

from gradnorm.datasets.readers.apart import BusyError, turn
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table import Table, receive
from gradnorm.datasets.readers.table_file import send_table

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".parquet")
# To read a small table takes half a second, mostly to start a process. So many bytes of tables are kept, and so many
# tables and faults, for the visitors of a dashboard: each of their clicks asks for their table.
_MOST_KEPT, _MOST_TABLES = 512 * 2**20, 256

# A path with the times when its content and its rights changed, its size, and how it is read.
_State: TypeAlias = tuple[Path, int, int, int, bool]


class _Kept:
    """Tables, and sentences on files that are none, by the state of their file; the one used last is last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[_State, tuple[Table | str, int]] = OrderedDict()

    def get(self, state: _State) -> Table | str | None:
        with self._lock:
            if state not in self._found:
                return None
            self._found.move_to_end(state)
            return self._found[state][0]

    def keep(self, state: _State, found: Table | str, size: int) -> Table | str:
        with self._lock:
            self._found[state] = found, size
            while len(self._found) > 1 and (
                len(self._found) > _MOST_TABLES or sum(size for _, size in self._found.values()) > _MOST_KEPT
            ):
                self._found.popitem(last=False)
        return found


_kept = _Kept()


def read_table(path: Path, *, careful: bool = True) -> Table:
    """Return the table of a file. A file that has not changed is read once, in a process of its own.

    path: a CSV or Parquet file, with an ending of `SUFFIXES`, already checked by `allowed_file`.
    careful: whether texts are understood (`gradnorm.datasets.readers.cells`): numbers and dates in their usual
        spellings, marks of missing values, a last row of totals; and whole numbers that name things are texts.
    Raises DataError if the file cannot be read, is no table, is too large, or has fewer than 20 rows.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise DataError(f"{path.name} should end in one of {', '.join(SUFFIXES)}. Save the table as CSV or Parquet.")
    try:
        about = path.stat()
    except OSError as error:
        raise DataError(f"{path.name} should be readable. Found: {error.strerror}. Check its rights.") from None
    state = (path, about.st_mtime_ns, about.st_ctime_ns, about.st_size, careful)
    found = _kept.get(state)
    if found is None:
        found = _read(state)
    if isinstance(found, str):
        raise DataError(found)
    return found


def _read(state: _State) -> Table | str:
    path, careful = state[0], state[-1]
    with turn(path) as run:
        # Another visitor may have waited for the same file.
        if found := _kept.get(state):
            return found
        try:
            content = run(send_table, careful)
            return _kept.keep(state, receive(content), len(content))
        except BusyError:
            raise
        except DataError as error:
            return _kept.keep(state, str(error), 0)
