"""Knobs: values of somebody's own training loop that the dashboard can change while it runs, and its other wishes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from gradnorm.runs.records import RunInfo

# What a page may ask of a script besides a knob's value. Of each, the value that is allowed.
WISHES: Mapping[str, tuple[bool, ...]] = {"paused": (True, False), "checkpoint": (True,), "stopped": (True,)}
# A knob without a range goes so many times as far as its value.
REACH = 10
_WHOLE, _SWITCH, _NUMBERS = "a whole number", "on or off", "numbers"


@dataclass(frozen=True)
class Knob:
    """A value that can be changed while a script runs.

    value: what it is at first, and its kind for good: a number, a whole number (an int), a switch (True or False), or
        several numbers, such as one for each task.
    low, high: the range of each number, both included; left out, a range from 0 to ten times the largest value.
    Raises ValueError for a value of another kind or outside of its range, and for a range that is none.

    >>> Knob(0.12, 0, 3).checked("alpha", 1)
    1.0
    >>> Knob(0.001)
    Knob(value=0.001, low=0.0, high=0.01)
    """

    value: Any
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        value = tuple(cast("Sequence[Any]", self.value)) if isinstance(self.value, list | tuple) else self.value
        each: Sequence[Any] = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
        if not each or not all(isinstance(one, int | float) and math.isfinite(one) for one in each):
            raise ValueError(
                f"A knob should be a finite number, True, False or several numbers. Found {self.value!r}. "
                "Declare it like alpha=0.12, or alpha=Knob(0.12, 0, 3)."
            )
        # A range that is left out holds the value, whatever its sign; a single 0 says nothing of its size.
        low = min(0.0, REACH * min(each)) if self.low is None else float(self.low)
        high = (max(0.0, REACH * max(each)) or (1.0 if low >= 0 else 0.0)) if self.high is None else float(self.high)
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"A knob's range should have low < high. Found {low:g} and {high:g}. Give both.")
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        object.__setattr__(self, "value", self.checked("A knob", value))

    @property
    def kind(self) -> str:
        """What it holds, in words: "on or off", "a whole number", "a number" or "numbers"."""
        if isinstance(self.value, tuple):
            return _NUMBERS
        return _SWITCH if isinstance(self.value, bool) else _WHOLE if isinstance(self.value, int) else "a number"

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest number that it takes."""
        assert self.low is not None
        assert self.high is not None
        return self.low, self.high

    def checked(self, name: str, value: Any) -> Any:
        """Return a value as one of this knob's kind. Raises ValueError with what `name` should be."""
        listed: Sequence[Any] = cast("list[Any]", value) if isinstance(value, list | tuple) else (value,)
        low, high = self.range
        many = isinstance(self.value, tuple)
        same = len(listed) == (len(cast("tuple[Any, ...]", self.value)) if many else 1)
        whole = self.kind == _WHOLE
        if self.kind == _SWITCH and isinstance(value, bool):
            return value
        fits = [
            isinstance(one, int | float)
            and not isinstance(one, bool)
            and low <= one <= high
            and (not whole or one == int(one))
            for one in listed
        ]
        if self.kind == _SWITCH or not same or many != isinstance(value, list | tuple) or not all(fits):
            raise ValueError(f"{name} should be {self._wanted()}. Found {value!r}. Choose another value.")
        numbers = tuple(int(one) if whole else float(one) for one in listed)
        return numbers if many else numbers[0]

    def _wanted(self) -> str:
        low, high = self.range
        if self.kind == _SWITCH:
            return _SWITCH
        count = f"{len(self.value)} " if self.kind == _NUMBERS else ""
        return f"{count}{self.kind} in [{low:g}, {high:g}]"


def named(name: str, declared: Knob | float | Sequence[float]) -> Knob:
    """Return a knob of this name from its declaration. Raises ValueError for no value, and for a name that is taken."""
    if name in WISHES:
        raise ValueError(f"A knob should have a name of its own. Found {name!r}. Avoid {', '.join(WISHES)}.")
    return declared if isinstance(declared, Knob) else Knob(declared)


@dataclass(frozen=True)
class Steering:
    """What a script that records a run lets pages do: pause and stop it, change its knobs, and ask for checkpoints."""

    knobs: Mapping[str, Knob]
    checkpoints: bool

    @classmethod
    def of(cls, info: RunInfo) -> Steering | None:
        """Return what a run says of itself; None for one that does not listen."""
        plain = info.spec.get("steered") if info.recorded else None
        if plain is None:
            return None
        return cls({name: Knob(*each) for name, each in plain["knobs"].items()}, plain["checkpoints"])

    def plain(self) -> dict[str, Any]:
        """Return what `of` reads, of JSON types."""
        knobs = {name: [knob.value, knob.low, knob.high] for name, knob in self.knobs.items()}
        return {"knobs": knobs, "checkpoints": self.checkpoints}

    def checked(self, key: str, value: Any) -> Any:
        """Return a wish's value as its key wants it. Raises ValueError with a sentence."""
        if key in self.knobs:
            return self.knobs[key].checked(key, value)
        if key == "checkpoint" and not self.checkpoints:
            raise ValueError("The script should make checkpoints. Found that it makes none. Give it checkpoint=….")
        if key in WISHES:
            if value in WISHES[key]:
                return bool(value)
            raise ValueError(f"{key} should be one of {list(WISHES[key])}. Found {value!r}. Choose another value.")
        known = ", ".join(self.knobs) or "none"
        raise ValueError(f"The knob should be one of the script's ({known}). Found {key!r}. Choose one of these.")
