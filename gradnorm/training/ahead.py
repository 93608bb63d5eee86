"""Batches made ahead, in a thread of their own, while the step before them is computed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Ahead(Generic[Made]):
    """Calls `make(t)` for the next step while the present one is computed.

    make: a function of the step alone; what it raises comes out of `take`.
    """

    def __init__(self, make: Callable[[int], Made]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(1, "gradnorm-batches")
        self._next: tuple[int, Future[Made]] | None = None

    def take(self, step: int, last: int) -> Made:
        """Return what belongs to step t, and begin with that of t + 1 unless t is the last."""
        ready = self._next is not None and self._next[0] == step
        found = self._next[1].result() if ready and self._next else self._make(step)
        self._next = (step + 1, self._pool.submit(self._make, step + 1)) if step < last else None
        return found

    def close(self) -> None:
        """End the thread; what it is making is lost."""
        self._pool.shutdown(wait=False, cancel_futures=True)
