"""Checks depths and normals of untrusted files, and turns them into what a scene holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.scenes.normals import unit

FARTHEST = 100.0


def checked_depths(depth: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return depths in metres, float32, of the same shape; 0 where a depth is unknown.

    depth: numbers of any shape; those that are NaN, infinite, zero or negative count as unknown.
    what: names the depths in messages.
    Raises DataError if no number is finite, or if one is above 100 m.
    """
    known = np.isfinite(depth)
    if not known.any():
        raise DataError(f"{what} should have depths in metres. Found no number at all, only NaN or infinity.")
    depth = np.where(known & (depth > 0), depth, 0).astype(np.float32)
    if depth.max() > FARTHEST:
        raise DataError(f"{what} should have depths in metres, at most {FARTHEST:g}. Found {depth.max():.6g}.")
    return depth


def checked_normals(normals: NDArray[Any], what: str) -> NDArray[np.float32]:
    """Return normals [3, H, W], float32, of length 1; 0 where a normal is unknown.

    normals: [H, W, 3], of any length; vectors with a number that is not finite count as unknown.
    what: names the normals in messages.
    Raises DataError if no vector is finite.
    """
    known: NDArray[np.bool_] = np.asarray(np.isfinite(normals).all(2))
    if not known.any():
        raise DataError(f"{what} should be vectors. Found no number at all, only NaN or infinity.")
    return unit(np.where(known[..., None], normals, 0).astype(np.float32).transpose(2, 0, 1))
