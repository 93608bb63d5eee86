"""Depths and normals as strangers' files have them, made into what a scene holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.scenes.normals import unit

FARTHEST = 100.0


def metres(depth: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return depths as float32, 0 where they are no positive number.

    Raises DataError where there is no number at all, or one beyond 100 m.
    """
    known = np.isfinite(depth)
    if not known.any():
        raise DataError(f"{what} should have depths in metres. Found no number at all, only NaN or infinity.")
    depth = np.where(known & (depth > 0), depth, 0).astype(np.float32)
    if depth.max() > FARTHEST:
        raise DataError(f"{what} should have depths in metres, at most {FARTHEST:g}. Found {depth.max():.6g}.")
    return depth


def directions(normals: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return normals [H, W, 3] as [3, H, W] of length 1, 0 where they are not known.

    Raises DataError where there is no number at all.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(normals).all(2))
    if not known.any():
        raise DataError(f"{what} should be vectors. Found no number at all, only NaN or infinity.")
    return unit(np.where(known[..., None], normals, 0).astype(np.float32).transpose(2, 0, 1))
