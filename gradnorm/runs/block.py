"""Records of one run on their way to the store."""

from __future__ import annotations

from gradnorm.runs.records import Evaluation, Event, StepRecord
from gradnorm.runs.store import RunStore


class Block:
    """Gathers records of one run, and appends them to the store together.

    One thread may add records while another writes.
    """

    def __init__(self, store: RunStore, run: str) -> None:
        self._store, self._run = store, run
        self._steps: list[StepRecord] = []
        self._evaluations: list[Evaluation] = []
        self._events: list[Event] = []

    @property
    def steps(self) -> int:
        """How many training steps wait to be written."""
        return len(self._steps)

    @property
    def empty(self) -> bool:
        """Whether nothing waits to be written."""
        return not (self._steps or self._evaluations or self._events)

    def add(self, item: StepRecord | Evaluation | Event) -> None:
        """Take a record."""
        if isinstance(item, StepRecord):
            self._steps.append(item)
        elif isinstance(item, Evaluation):
            self._evaluations.append(item)
        else:
            self._events.append(item)

    def write(self, seconds: float) -> None:
        """Append what has come to the run; it is forgotten once it has been written.

        seconds: spent on the records since the last write.
        Raises what `RunStore.append` raises. The records are kept then, for another try.
        """
        steps, evaluations, events = [*self._steps], [*self._evaluations], [*self._events]
        self._store.append(self._run, steps, evaluations, seconds, events)
        self._forget(len(steps), len(evaluations), len(events))

    def clear(self) -> None:
        """Drop what has come."""
        self._forget(len(self._steps), len(self._evaluations), len(self._events))

    def _forget(self, steps: int, evaluations: int, events: int) -> None:
        del self._steps[:steps], self._evaluations[:evaluations], self._events[:events]
