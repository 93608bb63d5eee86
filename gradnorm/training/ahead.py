"""Batches made ahead, in a thread of their own, while the steps before them are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")

# Made at one go: handing over from thread to thread takes longer than some batches do.
BLOCK = 8


class Ahead(Generic[Made]):
    """Calls `make(t)` for the steps to come while the present ones are computed.

    make: a function of the step alone; what it raises comes out of `take`.
    last: the last step that there will be.
    """

    def __init__(self, make: Callable[[int], Made], last: int) -> None:
        self._make, self._last = make, last
        self._pool = ThreadPoolExecutor(1, "gradnorm-batches")
        self._first, self._ready = 1, list[Made]()
        self._next: Future[Sequence[Made]] | None = None

    def take(self, step: int) -> Made:
        """Return what belongs to step t, best asked for in order."""
        if not self._first <= step < self._first + len(self._ready):
            expected = self._first + len(self._ready)
            waiting = self._next if step == expected else None
            # The first step need not wait for a whole block.
            self._ready = list(waiting.result()) if waiting else [self._make(step)]
            self._first = step
            after = step + len(self._ready)
            self._next = self._pool.submit(self._block, after) if after <= self._last else None
        return self._ready[step - self._first]

    def close(self) -> None:
        """End the thread; what it is making is lost."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _block(self, first: int) -> list[Made]:
        return [self._make(step) for step in range(first, min(first + BLOCK, self._last + 1))]
