"""The camera: NYUv2's colour camera, which way it looks, and what is in its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Of a picture's pixels: float32, which numpy's declarations lose track of beside plain numbers.
Floats = NDArray[np.floating[Any]]

# The size of NYUv2's pictures and the intrinsics of its colour camera (Silberman et al., 2012, camera_params.m).
HEIGHT, WIDTH = 480, 640
FX, FY, CX, CY = 518.86, 519.47, 325.58, 253.74


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera, in pixels: x = fx·X/Z + cx, y = fy·Y/Z + cy, centres of pixels at integers."""

    fx: float
    fy: float
    cx: float
    cy: float

    def rays(self, height: int, width: int) -> NDArray[np.float32]:
        """Return each pixel's direction (X/Z, Y/Z, 1), [3, height, width]: times the depth it is the point seen."""
        x = (np.arange(width) - self.cx) / self.fx
        y = (np.arange(height) - self.cy) / self.fy
        return np.stack(np.broadcast_arrays(x, y[:, None], 1.0)).astype(np.float32)


def intrinsics(height: int, width: int) -> Intrinsics:
    """Return the camera of a picture of this size: the whole picture, squeezed along x and y apart.

    Pixels are squares around integers, so a point at x is at (x + ½)·s − ½ in a picture s times as wide.
    """
    sx, sy = width / WIDTH, height / HEIGHT
    return Intrinsics(FX * sx, FY * sy, (CX + 0.5) * sx - 0.5, (CY + 0.5) * sy - 0.5)


# X/Z and Y/Z at the picture's left, top, right and bottom edge, the same at any size.
LEFT, RIGHT = (-0.5 - CX) / FX, (WIDTH - 0.5 - CX) / FX
TOP, BOTTOM = (-0.5 - CY) / FY, (HEIGHT - 0.5 - CY) / FY


def rotation(yaw: Array, pitch: Array, roll: Array) -> Array:
    """Return rotations [..., 3, 3] whose columns are the camera's axes (right, down, forward) in the room.

    yaw, pitch, roll: radians; to the right, down, and clockwise.
    """
    turns = np.stack([yaw, pitch, roll])
    (cy, cp, cr), (sy, sp, sr) = np.cos(turns), np.sin(turns)
    right = np.stack([cy * cr - sy * sp * sr, cp * sr, -sy * cr - cy * sp * sr], -1)
    down = np.stack([-cy * sr - sy * sp * cr, cp * cr, sy * sr - cy * sp * cr], -1)
    forward = np.stack([sy * cp, sp, cy * cp], -1)
    return np.stack([right, down, forward], -1)


def in_picture(points: Array) -> Array:
    """Return where points [..., 3] in camera coordinates, Z > 0, are seen: [..., 2], (0, 0) … (1, 1) its corners."""
    flat = points[..., :2] / points[..., 2:]
    return (flat - (LEFT, TOP)) / (RIGHT - LEFT, BOTTOM - TOP)
