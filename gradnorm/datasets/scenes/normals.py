"""Surface normals from a depth map: the plane through each point's neighbours, by least squares."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float64]

# A depth that differs from its plane by more than this share of itself lies on no plane, for instance at an edge.
_TOLERANCE = 0.02
# A window beside the point must fit better than the one around it by this factor. Kinect's noise is near 0.3 %.
_PREFERENCE, _NOISE = 1.5, 0.001
_SHORTEST = 1e-3


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. The centre of the first pixel is at (0, 0).

    fx, fy: focal lengths, in pixels.
    cx, cy: principal point, in pixels.
    """

    fx: float
    fy: float
    cx: float
    cy: float

    def scaled(self, x: float, y: float) -> Camera:
        """Return the camera of the same pictures, resized by the factors x and y > 0."""
        return Camera(self.fx * x, self.fy * y, (self.cx + 0.5) * x - 0.5, (self.cy + 0.5) * y - 0.5)


def normals_from_depth(depth: NDArray[np.float32], camera: Camera, radius: int) -> NDArray[np.float32]:
    """Return the surface's unit normals, towards the camera, in camera coordinates (x right, y down, z forward).

    depth: [H, W], metres along the optical axis, 0 where it is unknown.
    camera: of the picture.
    radius: ≥ 1; windows are 2·radius + 1 pixels wide and high.
    Returns [3, H, W], of length 1; 0 where depth is unknown, at edges in depth, and where few depths around are known.

    On a plane n·P = d, with P = z·(x, y, 1), the inverse depth 1/z = (n/d)·(x, y, 1) is affine in the picture, and
    Kinect's noise is nearly uniform in it. So the inverse depth is fitted by least squares over windows. Each point
    takes the best of the nine windows that contain it, so that a window need not reach across an edge.
    """
    planes = _planes(depth, camera, radius).astype(np.float32)
    padded = np.pad(planes, ((0, 0), (radius, radius), (radius, radius)), constant_values=np.inf)
    height, width = depth.shape
    x, y = (ray.astype(np.float32) for ray in _rays(depth.shape, camera))
    best = np.full(depth.shape, _TOLERANCE**2, np.float32)
    normals = np.zeros((3, height, width), np.float32)
    # The window around the point comes first, since the others must be better than it.
    for dy, dx in sorted(product((-radius, 0, radius), repeat=2), key=lambda d: d != (0, 0)):
        window = padded[:, radius + dy : radius + dy + height, radius + dx : radius + dx + width]
        a, b, c, spread = window
        with np.errstate(invalid="ignore"):
            error = spread + ((a * x + b * y + c) * depth - 1) ** 2
            if (dy, dx) != (0, 0):
                error = (error + _NOISE**2) * _PREFERENCE**2
            better = error < best
        np.copyto(best, error, where=better)
        np.copyto(normals, window[:3], where=better)
    # (n/d)·(x, y, 1) > 0 says that n/d points away from the camera.
    return unit(-normals)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors [3, ...] scaled to length 1. Vectors shorter than 0.001 become 0."""
    length = np.linalg.norm(vectors, axis=0)
    return np.where(length > _SHORTEST, vectors / np.maximum(length, _SHORTEST), 0).astype(np.float32)


def _rays(shape: tuple[int, ...], camera: Camera) -> tuple[Map, Map]:
    """Return x and y of the ray (x, y, 1) through each pixel, as a row [1, W] and a column [H, 1]."""
    height, width = shape
    x = (np.arange(width, dtype=np.float64) - camera.cx) / camera.fx
    y = (np.arange(height, dtype=np.float64) - camera.cy) / camera.fy
    return x[None, :], y[:, None]


def _planes(depth: NDArray[np.float32], camera: Camera, radius: int) -> Map:
    """Return [4, H, W]: a, b, c of the inverse depth a·x + b·y + c in the window around each pixel, and (σ/mean)²."""
    from scipy.ndimage import uniform_filter

    x, y = _rays(depth.shape, camera)
    known = (depth > 0).astype(np.float64)
    w = np.divide(known, depth, out=np.zeros(depth.shape), where=depth > 0)

    def mean(values: Map) -> Map:
        return uniform_filter(values, 2 * radius + 1, mode="constant")

    weight = mean(known)
    enough = weight > 0.3
    total = np.where(enough, weight, 1.0)
    mx, my, mw = (mean(v) / total for v in (known * x, known * y, w))
    xx = mean(known * x * x) / total - mx * mx
    yy = mean(known * y * y) / total - my * my
    xy = mean(known * x * y) / total - mx * my
    xw = mean(w * x) / total - mx * mw
    yw = mean(w * y) / total - my * mw
    ww = mean(w * w) / total - mw * mw
    determinant = xx * yy - xy * xy
    enough &= determinant > 0.01 * xx * yy
    safe = np.where(enough, determinant, 1.0)
    a, b = (xw * yy - yw * xy) / safe, (yw * xx - xw * xy) / safe
    spread = np.maximum(ww - a * xw - b * yw, 0.0) / np.where(mw > 0, mw, 1.0) ** 2
    spread[~enough] = np.inf
    return np.stack([a, b, mw - a * mx - b * my, spread])
