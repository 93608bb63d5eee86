"""A pace for runs that are to be watched in slow motion."""

from __future__ import annotations

import time


class Pacer:
    """Holds a loop back to `pace` rounds a second; 0 lets it run."""

    def __init__(self, pace: float) -> None:
        self._interval = 1 / pace if pace else 0.0
        self._due: float | None = None

    def wait(self) -> None:
        """Return when the next round is due. Time lost to a pause is not made up for."""
        if not self._interval:
            return
        now = time.monotonic()
        # A little delay is caught up, so that the mean pace holds; a pause is not.
        due = now if self._due is None else max(self._due + self._interval, now - 10 * self._interval)
        self._due = due
        if due > now:
            time.sleep(due - now)
