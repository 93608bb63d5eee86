"""Mean and spread over seeds, and a paired test that assumes no distribution."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# 2²⁰ sums of each half of the differences are held at a time.
MOST_PAIRS = 40


@dataclass(frozen=True)
class Spread:
    """Values over seeds. sd: the sample standard deviation; None of a single value.  n: how many values."""

    mean: float
    sd: float | None
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Paired:
    """A mean difference to the baseline over seeds that both have. p: two-sided.  pairs: how many seeds."""

    difference: float
    p: float
    pairs: int


def spread(values: Sequence[float]) -> Spread | None:
    """Return the spread of finite values; None if there are none or one is not finite."""
    if not values or not all(math.isfinite(value) for value in values):
        return None
    numbers = np.asarray(values, np.float64)
    sd = float(numbers.std(ddof=1)) if len(values) > 1 else None
    return Spread(float(numbers.mean()), sd, float(numbers.min()), float(numbers.max()), len(values))


def paired(own: Mapping[Hashable, float], base: Mapping[Hashable, float]) -> Paired | None:
    """Return the difference own − base where seeds match; None where none does. own, base: finite values by seed."""
    differences = [value - base[seed] for seed, value in own.items() if seed in base]
    if not differences:
        return None
    return Paired(float(np.mean(differences)), sign_flip(differences), len(differences))


def sign_flip(differences: Sequence[float]) -> float:
    """Return the two-sided p of the exact sign-flip permutation test.

    If neither side were better, each difference could as well have the other sign. p is the share of the 2ⁿ choices
    of signs whose sum is at least as far from 0 as the one that was found, so with n pairs it is 2/2ⁿ at the least.
    differences: 1 to 40 finite numbers.  Raises ValueError for another number of them.

    >>> sign_flip([1.0, 2.0, 3.0])
    0.25
    """
    if not 1 <= len(differences) <= MOST_PAIRS:
        raise ValueError(f"There should be 1 to {MOST_PAIRS} differences. Found {len(differences)}. Compare fewer.")
    numbers = np.abs(np.asarray(differences, np.float64))
    # Sums in another order differ by rounding.
    least = abs(float(np.sum(differences))) - 1e-9 * float(numbers.sum())
    if least <= 0:
        return 1.0
    half = len(numbers) // 2
    # Each choice of signs is one of the first half with one of the second: 2 · 2^(n/2) sums instead of 2ⁿ.
    first, second = _sums(numbers[:half]), np.sort(_sums(numbers[half:]))
    beyond = len(second) - np.searchsorted(second, least - first, side="left")
    return 2 * int(beyond.sum()) / 2 ** len(numbers)


def _sums(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Σ ±number for all choices of signs."""
    sums = np.zeros(1)
    for number in numbers:
        sums = np.concatenate([sums - number, sums + number])
    return sums
