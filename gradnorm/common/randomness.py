"""Independent random streams by name: the same numbers on any device, machine and torch version."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, name: str, *index: int) -> np.random.Generator:
    """Return the generator of one purpose, a function of (seed, name, index) alone.

    seed, index: integers ≥ 0. Philox is counter-based, so neighbouring indices are independent and the
    batch of step t can be made without making those before it.
    """
    sequence = np.random.SeedSequence([seed, crc32(name.encode()), *index])
    return np.random.Generator(np.random.Philox(sequence))
