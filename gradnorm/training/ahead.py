"""Batches made ahead, in a thread of their own, while the steps before them are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")

# Steps a block: threads take turns with Python's lock at every operation, and waiting for one's turn takes longer than
# most operations do. Blocks begin at steps 1, 9, 17 … wherever a run begins, so that it sees the same numbers.
BLOCK = 8


class Ahead(Generic[Made]):
    """Makes what the steps to come need while the present ones are computed.

    make: returns what belongs to `count` steps from `first` on; what it raises comes out of `take`.
    last: the last step that there will be.
    """

    def __init__(self, make: Callable[[int, int], Sequence[Made]], last: int) -> None:
        self._make, self._last = make, last
        self._pool = ThreadPoolExecutor(1, "gradnorm-batches")
        self._first = 0
        self._ready: Sequence[Made] = ()
        self._next: tuple[int, Future[Sequence[Made]]] | None = None

    def take(self, step: int) -> Made:
        """Return what belongs to step t, best asked for in order."""
        first = (step - 1) // BLOCK * BLOCK + 1
        if first != self._first:
            waiting = self._next[1] if self._next is not None and self._next[0] == first else None
            self._ready = self._make(first, BLOCK) if waiting is None else waiting.result()
            self._first, after = first, first + BLOCK
            self._next = (after, self._pool.submit(self._make, after, BLOCK)) if after <= self._last else None
        return self._ready[step - first]

    def close(self) -> None:
        """End the thread; what it is making is lost."""
        self._pool.shutdown(wait=False, cancel_futures=True)
