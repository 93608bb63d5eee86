"""Batches made ahead, in threads of their own, while the steps before them are computed."""

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


class Prefetcher(Generic[Made]):
    """Makes what the steps to come need while the present ones are computed.

    make: returns what belongs to `count` steps from `first` on; what it raises comes out of `take`.
    last: the last step that there will be.
    block: steps that are made at one go; they begin at 1, 1 + block … wherever a run begins, so that it always sees
        the same numbers.
    workers: threads, and blocks that are made ahead.
    """

    def __init__(
        self, make: Callable[[int, int], Sequence[Made]], last: int, block: int = MOST_STEPS, workers: int = 1
    ) -> None:
        self._make, self._last, self._block, self._workers = make, last, block, workers
        self._pool = ThreadPoolExecutor(workers, "gradnorm-batches")
        self._first = 0
        self._ready: Sequence[Made] = ()
        self._coming: dict[int, Future[Sequence[Made]]] = {}

    def take(self, step: int) -> Made:
        """Return what belongs to step t, best asked for in order."""
        first = (step - 1) // self._block * self._block + 1
        if first != self._first:
            waiting = self._coming.pop(first, None)
            self._ready = self._make(first, self._block) if waiting is None else waiting.result()
            self._first = first
            wanted = [first + i * self._block for i in range(1, self._workers + 1)]
            # Of another place in the run: a step that was asked for out of order.
            self._coming = {after: made for after, made in self._coming.items() if after in wanted}
            for after in wanted:
                if after <= self._last and after not in self._coming:
                    self._coming[after] = self._pool.submit(self._make, after, self._block)
        return self._ready[step - first]

    def close(self) -> None:
        """End the threads; what they are making is lost."""
        self._pool.shutdown(wait=False, cancel_futures=True)
