"""What a lesson step lets one try: its controls, and a picture as a function of their values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from gradnorm.charts.lesson import Look
from gradnorm.ui.words import number, t


@dataclass(frozen=True)
class Slider:
    """A number to move.

    key: its name in the address.  stops: evenly spaced as the slider shows them; few, so that a class that tries
        them all shares a handful of cached runs.  start: the stop it begins at.  unit: follows the number.
    """

    key: str
    label: str
    stops: tuple[float, ...]
    start: float
    unit: str = ""

    def text(self, value: Any) -> str:
        """Return how a stop is written, on the slider and in the charts."""
        return f"{number(value, 'g')}{self.unit}"

    def spelled(self, value: Any) -> str:
        """Return how the address spells a stop."""
        return f"{value:g}"

    def read(self, text: str) -> float | None:
        """Return the stop that the address spells, None if there is no such stop."""
        return next((stop for stop in self.stops if self.spelled(stop) == text), None)


@dataclass(frozen=True)
class Choice:
    """One of a few names. key: its name in the address.  names: by how the address spells them; the first is chosen."""

    key: str
    label: str
    names: Mapping[str, str]

    @property
    def start(self) -> str:
        """The one that is chosen at first."""
        return next(iter(self.names))

    def text(self, value: Any) -> str:
        """Return how a choice is written."""
        return t(self.names[value])

    def spelled(self, value: Any) -> str:
        """Return how the address spells a choice."""
        return str(value)

    def read(self, text: str) -> str | None:
        """Return the choice that the address spells, None if there is no such one."""
        return text if text in self.names else None


Control = Slider | Choice
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Picture:
    """What a step shows for the values of its controls.

    figures: each with a sentence for those who do not see it; several stand side by side.
    reading: the numbers to read off, in Markdown.
    settings: flat keys of a spec that the Playground opens with; empty where it has nothing like it.
    scores: by the stops that were tried, where there is something to win: lower is better.
    """

    figures: Sequence[tuple[go.Figure, str]]
    reading: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    scores: Mapping[float, float] = field(default_factory=dict[float, float])


@dataclass(frozen=True)
class Trial:
    """What one step of the lesson lets one try.

    controls: those above the picture; Play moves the first slider.
    picture: from the values of the controls, the stops of the first slider that were tried in order, and the look.
    across: whether the x axis of its first figure is that slider, so that a class can be drawn into it.
    """

    controls: tuple[Control, ...]
    picture: Callable[[Values, Sequence[float], Look], Picture]
    across: bool = False

    @property
    def slider(self) -> Slider:
        """The slider that Play moves, and that a class votes with."""
        return next(control for control in self.controls if isinstance(control, Slider))
