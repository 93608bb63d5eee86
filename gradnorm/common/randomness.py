"""Independent random streams by name: the same numbers on any device, machine and torch version."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, name: str, *index: int) -> np.random.Generator:
    """Return the random generator of one purpose: a function of (seed, name, index) alone.

    seed: ≥ 0.
    name: the purpose, as in "toy batch".
    index: numbers ≥ 0 that tell streams of one purpose apart, such as the step t. The batch of step t can be
        made without those before it, since SeedSequence makes independent streams of neighbouring indices.

    >>> float(stream(0, "toy batch", 7).normal()) == float(stream(0, "toy batch", 7).normal())
    True
    """
    sequence = np.random.SeedSequence([seed, crc32(name.encode()), *index])
    return np.random.Generator(np.random.Philox(sequence))
