"""One colour-blind-safe colour per task, the same in every chart, for light and dark pages."""

from __future__ import annotations

from dataclasses import dataclass

# After Okabe and Ito (2008), "Color Universal Design": yellow is left out, since it vanishes on white, and
# each hue has a darker form for light pages and a lighter one for dark pages (contrast of at least 3:1).
_HUES = (
    ("#0072B2", "#56B4E9"),
    ("#D55E00", "#F0883E"),
    ("#00805F", "#2BC59A"),
    ("#A8568A", "#E59BC6"),
    ("#8A6D00", "#E3B505"),
    ("#5B5B5B", "#C4C4C4"),
    ("#5A3FBF", "#A794F5"),
    ("#7A2E00", "#D9A382"),
)
# Tasks beyond the hues repeat them with another dash, so that no two of 64 look the same.
_DASHES: tuple[tuple[int, ...], ...] = (
    (),
    (8, 4),
    (2, 3),
    (10, 3, 2, 3),
    (16, 4),
    (5, 2, 1, 2),
    (1, 5),
    (14, 3, 2, 3, 2, 3),
)


@dataclass(frozen=True)
class Style:
    """How a task is drawn: hex colours for light and dark pages, and a dash pattern in pixels."""

    light: str
    dark: str
    dash: tuple[int, ...]


def task_style(index: int) -> Style:
    """Return the style of task `index` ≥ 0; the first 64 differ from one another."""
    light, dark = _HUES[index % len(_HUES)]
    return Style(light, dark, _DASHES[index // len(_HUES) % len(_DASHES)])


def dash(pattern: tuple[int, ...]) -> str:
    """Return a dash pattern in pixels as plotly spells it."""
    return ",".join(f"{n}px" for n in pattern) or "solid"
