"""Classes: a teacher's step, and where the sliders of the students are. In memory, and gone some time after the last
sign of the teacher."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

# No letters or digits that are taken for one another when read from a screen.
_LETTERS, _LENGTH = "ABCDEFGHJKMNPQRSTUVWXYZ23456789", 5
MOST_CLASSES, MOST_STUDENTS = 100, 1000
# Seconds without a sign of the teacher: longer than a break.
IDLE = 3 * 3600.0


class ClassroomError(ValueError):
    """A class that can't be opened. The message says why and what to do."""


@dataclass
class _Class:
    """values, guesses: of each student, by step and student."""

    token: str
    step: str
    seen: float
    here: int = 0
    students: set[str] = field(default_factory=set[str])
    values: dict[str, dict[str, float]] = field(default_factory=dict[str, dict[str, float]])
    guesses: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])


class Classrooms:
    """All classes of a server. Every method may be called by any thread; an unknown code is no error.

    clock: seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._classes: dict[str, _Class] = {}

    def open(self, step: str) -> tuple[str, str]:
        """Open a class at a step and return its code and the teacher's token.

        Raises ClassroomError if there are as many as `MOST_CLASSES`.
        """
        with self._lock:
            now = self._clock()
            self._classes = {code: room for code, room in self._classes.items() if now - room.seen < IDLE}
            if len(self._classes) >= MOST_CLASSES:
                raise ClassroomError(
                    f"At most {MOST_CLASSES} classes can be open on this server. All are. End one, or try later."
                )
            code = ""
            while not code or code in self._classes:
                code = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
            room = self._classes[code] = _Class(secrets.token_urlsafe(12), step, now)
            return code, room.token

    def lead(self, code: str, token: str, step: str) -> bool:
        """Take the class to a step; return whether there is such a class, and the token is its teacher's."""
        with self._lock:
            room = self._led(code, token)
            if room is not None:
                room.step, room.seen = step, self._clock()
            return room is not None

    def end(self, code: str, token: str) -> None:
        """End a class. Its students stay where they are."""
        with self._lock:
            if self._led(code, token) is not None:
                del self._classes[code]

    def step(self, code: str) -> str | None:
        """Return the step that a class is at, None if there is no such class."""
        with self._lock:
            room = self._room(code)
            return None if room is None else room.step

    def put(self, code: str, student: str, step: str, *, value: float | None = None, guess: int | None = None) -> None:
        """Note where a student's slider is, or what they guess. Beyond `MOST_STUDENTS` nobody new is noted."""
        with self._lock:
            room = self._room(code)
            if room is None or (student not in room.students and len(room.students) >= MOST_STUDENTS):
                return
            room.students.add(student)
            if value is not None:
                room.values.setdefault(step, {})[student] = value
            if guess is not None:
                room.guesses.setdefault(step, {})[student] = guess

    def values(self, code: str, step: str) -> Counter[float]:
        """Return how many students have their slider at each value."""
        with self._lock:
            room = self._room(code)
            return Counter() if room is None else Counter(room.values.get(step, {}).values())

    def guesses(self, code: str, step: str) -> Counter[int]:
        """Return how many students guess each option, by its index."""
        with self._lock:
            room = self._room(code)
            return Counter() if room is None else Counter(room.guesses.get(step, {}).values())

    def here(self, code: str) -> int:
        """Return how many pages follow a class at this moment."""
        with self._lock:
            room = self._room(code)
            return 0 if room is None else room.here

    @contextmanager
    def following(self, code: str) -> Generator[None]:
        """Count one page that follows, for as long as the block lasts."""
        self._count(code, 1)
        try:
            yield
        finally:
            self._count(code, -1)

    def _count(self, code: str, more: int) -> None:
        with self._lock:
            room = self._room(code)
            if room is not None:
                room.here += more

    def _room(self, code: str) -> _Class | None:
        room = self._classes.get(code)
        return room if room is not None and self._clock() - room.seen < IDLE else None

    def _led(self, code: str, token: str) -> _Class | None:
        room = self._room(code)
        return room if room is not None and secrets.compare_digest(room.token.encode(), token.encode()) else None


# Those of this server.
CLASSROOMS = Classrooms()
