"""A picture of a room with depth, normals, labels and keypoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The 13 classes of Couprie et al. (2013), in their order; label k is CLASSES[k − 1], label 0 is unlabelled.
CLASSES = (
    "bed", "books", "ceiling", "chair", "floor", "furniture", "objects", "picture", "sofa", "table", "tv", "wall",
    "window",
)  # fmt: skip
# Where the keypoints of RoomNet's 11 layout types begin among its 48 (Lee et al., 2017); type k has those from
# LAYOUTS[k] up to LAYOUTS[k + 1].
LAYOUTS = (0, 8, 14, 20, 24, 28, 34, 38, 42, 44, 46, 48)


@dataclass(frozen=True)
class Scene:
    """A picture of a room, H × W, with depth, normals, labels and keypoints.

    image: [3, H, W], RGB, uint8.
    depth: [H, W], float32, metres along the optical axis; 0 where it is unknown.
    normals: [3, H, W], float32, unit vectors towards the camera, in camera coordinates (x right, y down, z away
        from the camera, so that a wall seen from the front has (0, 0, −1)); 0 where they are unknown.
    labels: [H, W], uint8: 0 unlabelled, else 1 … 13 as in `CLASSES`.
    keypoints: [48, 2], float32, x and y in pixels, as centres of pixels are at 0 … W − 1; NaN where a point does not
        belong to the layout type; None where no layout is known.
    """

    image: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]
    labels: NDArray[np.uint8]
    keypoints: NDArray[np.float32] | None = None
