"""A pace for runs that are to be watched in slow motion."""

from __future__ import annotations

import time
from collections.abc import Callable

# The least number of rounds a second; a slower pace counts as this one.
SLOWEST = 0.1
# Who waits looks this often, in seconds, whether it should wait any longer.
GLANCE = 0.05


class Pacer:
    """Holds a loop back to `pace` rounds a second; 0 lets it run."""

    def __init__(self, pace: float) -> None:
        self._interval = 1 / max(pace, SLOWEST) if pace else 0.0
        self._due: float | None = None

    def wait(
        self, called_off: Callable[[], bool] = lambda: False, before_rest: Callable[[], None] = lambda: None
    ) -> None:
        """Return when the next round is due. Time lost to a pause is not made up for.

        called_off: says that nobody waits for it any longer; `wait` returns soon after.
        before_rest: called before a wait that is long enough to be noticed.
        """
        if not self._interval:
            return
        now = time.monotonic()
        # A little delay is caught up, so that the mean pace holds; a pause is not.
        due = now if self._due is None else max(self._due + self._interval, now - 10 * self._interval)
        self._due = due
        if due - time.monotonic() > GLANCE:
            before_rest()
        while (left := due - time.monotonic()) > 0 and not called_off():
            time.sleep(min(left, GLANCE))
