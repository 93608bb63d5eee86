"""How the lesson writes numbers, and numbers as plain lists for the charts."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from gradnorm.datasets.base import numbered
from gradnorm.ui.lesson.lesson_runs import Numbers
from gradnorm.ui.words import enumerated, number, t


def times(ratio: float) -> str:
    """Return "3.2 times" or "17 times"."""
    return t("{ratio:.1f} times", ratio=ratio) if ratio < 10 else t("{ratio:.0f} times", ratio=ratio)


def vector(values: Numbers) -> str:
    """Return "(0.1, 2, 3.45)" for values of shape [T]."""
    return f"({enumerated([number(v, '.3g') for v in values])})"


def tasks(count: int) -> list[str]:
    """Return "task 1", "task 2" and so on."""
    return [t(name) for name in numbered(count)]


def listed(values: Numbers) -> list[float]:
    """Return values of shape [n] as a list."""
    return cast("list[float]", values.tolist())


def rows(values: Any) -> list[list[float]]:
    """Return values of shape [n, T] as a list of rows."""
    return cast("list[list[float]]", np.asarray(values).tolist())


def late(values: Numbers) -> Numbers:
    """Return the mean over the last 40 steps, shape [T], since a single batch is noisy."""
    return values[-40:].mean(axis=0)


def spread(values: Numbers) -> float:
    """Return the distance from the least to the largest of shape [T]."""
    return float(np.ptp(values))
