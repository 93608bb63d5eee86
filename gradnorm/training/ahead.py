"""Batches made ahead, in a thread of their own, while the steps before them are computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")

# Steps a block, and bytes: threads take turns with Python's lock at every operation, and waiting for one's turn takes
# longer than most operations do.
MOST_STEPS, MOST_BYTES = 8, 2**26


def block_of(batch_bytes: int) -> int:
    """Return how many batches of this size are made at one go."""
    return max(1, min(MOST_STEPS, MOST_BYTES // max(1, batch_bytes)))


class Ahead(Generic[Made]):
    """Makes what the steps to come need while the present ones are computed.

    make: returns what belongs to `count` steps from `first` on; what it raises comes out of `take`.
    last: the last step that there will be.
    block: steps that are made at one go; they begin at 1, 1 + block … wherever a run begins, so that it always sees
        the same numbers.
    """

    def __init__(self, make: Callable[[int, int], Sequence[Made]], last: int, block: int = MOST_STEPS) -> None:
        self._make, self._last, self._block = make, last, block
        self._pool = ThreadPoolExecutor(1, "gradnorm-batches")
        self._first = 0
        self._ready: Sequence[Made] = ()
        self._next: tuple[int, Future[Sequence[Made]]] | None = None

    def take(self, step: int) -> Made:
        """Return what belongs to step t, best asked for in order."""
        block = self._block
        first = (step - 1) // block * block + 1
        if first != self._first:
            waiting = self._next[1] if self._next is not None and self._next[0] == first else None
            self._ready = self._make(first, block) if waiting is None else waiting.result()
            self._first, after = first, first + block
            self._next = (after, self._pool.submit(self._make, after, block)) if after <= self._last else None
        return self._ready[step - first]

    def close(self) -> None:
        """End the thread; what it is making is lost."""
        self._pool.shutdown(wait=False, cancel_futures=True)
