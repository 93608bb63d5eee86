"""Several runs trained together, with an iterator of records for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from gradnorm.config.spec import RunSpec
from gradnorm.runs.records import Record
from gradnorm.training.control import Control
from gradnorm.training.engine import Entry, Item, train_group


def train_together(specs: Sequence[RunSpec], controls: Sequence[Control] | None = None) -> list[Iterator[Record]]:
    """Train several runs, and return an iterator for each, which yields and raises what `train` does.

    Runs of one small network and one data set are stepped as one program. They may differ in method, learning rates,
    schedule, initial values and seed. Other runs are stepped one by one.
    Pull from all iterators in turn, in one thread. Records that nobody has pulled yet wait in memory; close an
    iterator to drop its run.

    controls: one for each spec, to steer its run.

    >>> from gradnorm import RunSpec, train_together
    >>> spec = {"dataset": "toy", "tasks": 2, "steps": 2, "eval_every": 1, "checkpoint_every": 0}
    >>> runs = train_together([RunSpec.parse({**spec, "alpha": alpha}) for alpha in (0.0, 1.5)])
    >>> for records in zip(*runs):
    ...     print([type(record).__name__ for record in records])
    ['Evaluation', 'Evaluation']
    ['StepRecord', 'StepRecord']
    ['Evaluation', 'Evaluation']
    ['StepRecord', 'StepRecord']
    ['Evaluation', 'Evaluation']
    ['Outcome', 'Outcome']
    """
    steering = controls or [Control() for _ in specs]
    entries = [partial(Entry, spec, control) for spec, control in zip(specs, steering, strict=True)]
    return iterators(entries)


def iterators(entries: Sequence[Callable[[], Entry]]) -> list[Iterator[Record]]:
    """Return an iterator a run over the records of `train_group(entries)`; see `train_together`."""
    shared = _SharedRecords(entries)
    return [_RecordsOfOne(shared, index) for index in range(len(entries))]


class _SharedRecords:
    """The records of a group, handed to an iterator a run."""

    def __init__(self, entries: Sequence[Callable[[], Entry]]) -> None:
        self._left: set[int] = set()
        self._waiting: list[deque[Item]] = [deque() for _ in entries]
        self._items = train_group(entries, self._left)

    def next(self, index: int) -> Item | None:
        """Return the next record of one run; None if there is none."""
        while index not in self._left and not self._waiting[index]:
            other, item = next(self._items, (index, None))
            if item is None:
                return None
            if other not in self._left:
                self._waiting[other].append(item)
        return self._waiting[index].popleft() if self._waiting[index] else None

    def leave(self, index: int) -> None:
        """Drop a run."""
        self._left.add(index)
        self._waiting[index].clear()
        if len(self._left) == len(self._waiting):
            self._items.close()


class _RecordsOfOne(Iterator[Record]):
    """One run's records of a group."""

    def __init__(self, shared: _SharedRecords, index: int) -> None:
        self._shared, self._index = shared, index

    def __next__(self) -> Record:
        item = self._shared.next(self._index)
        if item is None or isinstance(item, Exception):
            self.close()
            raise item or StopIteration
        return item

    def close(self) -> None:
        """Drop the run: the others need not carry it along."""
        self._shared.leave(self._index)

    def __del__(self) -> None:
        self.close()
