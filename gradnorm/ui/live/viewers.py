"""What waits for an open page, and how often pages are written to when there are many."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

Message = str | bytes

# Messages that may wait for a slow viewer before it is cut off; it reconnects where it was.
BACKLOG = 256
# What all feeds together may send in a second; some 30 µs each of the interpreter, which training needs, too.
SENDS_PER_SECOND = 1400
# Seconds that a message waits at most for its turn among others.
LONGEST_PAUSE = 0.24


@dataclass(eq=False)
class Viewer:
    """One open page: messages that wait for it. `None` is the end."""

    queue: asyncio.Queue[Message | None] = field(default_factory=lambda: asyncio.Queue(BACKLOG))
    cut_off: bool = False

    def put(self, message: Message | None) -> None:
        """Hand over a message, or cut off a viewer that is too slow."""
        if self.cut_off:
            return
        try:
            self.queue.put_nowait(message)
        except asyncio.QueueFull:
            self.cut_off = True


class Turns:
    """Spreads what is sent over time: with many viewers there are fewer ticks, which bring more each."""

    def __init__(self) -> None:
        self._free = 0.0

    def after(self, sends: int) -> float:
        """Return how many seconds to pause after so many sends."""
        now = time.monotonic()
        self._free = min(max(now, self._free) + sends / SENDS_PER_SECOND, now + LONGEST_PAUSE)
        return self._free - now
