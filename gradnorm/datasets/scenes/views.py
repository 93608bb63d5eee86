"""Views of a scene: a part of it, flipped, zoomed or recoloured, as input and as targets that stay geometrically right.

Zooming by s shows the scene as if all of it were s times nearer, at its true height and width: depths are divided
by s, and a normal (x, y, z) becomes (x, y, s·z), scaled to length 1. A flip turns x into −x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gradnorm.datasets.scenes.normals import unit
from gradnorm.rendering.scene import Scene

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_SCALE = 1.5
# The number of corners over all types of room layout (`gradnorm.rendering.layouts`).
KEYPOINTS = 48
_JITTER = 0.2

Grid: TypeAlias = tuple[NDArray[np.int64], ...]


@dataclass(frozen=True)
class SceneView:
    """Which part of a scene is shown, and how.

    top, left, height, width: the visible part, in pixels of the scene.
    scale: > 0, how many times nearer everything seems.
    flip: whether left and right are swapped.
    jitter: factors on brightness, contrast and saturation; None leaves the colours alone.
    """

    top: int
    left: int
    height: int
    width: int
    scale: float = 1.0
    flip: bool = False
    jitter: tuple[float, float, float] | None = None


def whole(scene: Scene) -> SceneView:
    """Return the view of a whole scene as it is."""
    return SceneView(0, 0, *scene.depth.shape)


def augmented(scene: Scene, numbers: Sequence[float], flips: bool) -> SceneView:
    """Return a random view.

    numbers: 7 numbers in [0, 1), for flip, zoom, place (2), brightness, contrast and saturation.
    flips: whether left and right may be swapped.
    """
    height, width = scene.depth.shape
    scale = 1 + (LARGEST_SCALE - 1) * numbers[1]
    rows, columns = max(1, round(height / scale)), max(1, round(width / scale))
    top, left = int(numbers[2] * (height - rows + 1)), int(numbers[3] * (width - columns + 1))
    brightness, contrast, saturation = (1 + _JITTER * (2 * number - 1) for number in numbers[4:])
    # The window has whole pixels, so its scale differs a little from the one drawn.
    scale = float(np.sqrt(height / rows * width / columns))
    return SceneView(top, left, rows, columns, scale, flips and numbers[0] < 0.5, (brightness, contrast, saturation))


def picture(scene: Scene, view: SceneView, size: tuple[int, int]) -> Tensor:
    """Return the view's image, resized with antialiasing: [3, H, W], uint8.

    size: (H, W), in pixels.
    """
    import torch
    from torch.nn import functional

    part = scene.image[:, view.top : view.top + view.height, view.left : view.left + view.width]
    image = torch.from_numpy(np.array(part, order="C"))
    if image.shape[1:] != size:
        image = functional.interpolate(image[None], size, mode="bilinear", antialias=True)[0]
    if view.flip:
        image = image.flip(-1)
    if view.jitter is None:
        return image
    brightness, contrast, saturation = view.jitter
    colours = image.float() * brightness
    colours = torch.lerp(colours.mean(), colours, contrast)
    # Luma of ITU-R BT.601.
    grey = (colours * colours.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0, keepdim=True)
    return torch.lerp(grey, colours, saturation).round_().clamp_(0, 255).to(torch.uint8)


def target(task: str, scene: Scene, view: SceneView, maps: tuple[int, int]) -> NDArray[Any]:
    """Return one example's target, in the shape that its form says, without the batch axis.

    task: "classes", "depth", "normals" or "keypoints".
    maps: (h, w). Each pixel of a map takes the nearest pixel of the scene.
    """
    return _TARGETS[task](scene, view, maps)


def _classes(scene: Scene, view: SceneView, maps: tuple[int, int]) -> NDArray[np.int64]:
    return scene.labels[_grid(view, maps)].astype(np.int64) - 1


def _depth(scene: Scene, view: SceneView, maps: tuple[int, int]) -> NDArray[np.float32]:
    return (scene.depth[_grid(view, maps)] / np.float32(view.scale))[None]


def _normals(scene: Scene, view: SceneView, maps: tuple[int, int]) -> NDArray[np.float32]:
    grid = _grid(view, maps)
    normals = np.stack([plane[grid] for plane in scene.normals]).astype(np.float32)
    normals *= np.array([-1 if view.flip else 1, 1, view.scale], np.float32)[:, None, None]
    return unit(normals)


def _keypoints(scene: Scene, view: SceneView, maps: tuple[int, int]) -> NDArray[np.float32]:
    """Return [48, 2]: x and y in [0, 1] of the view, NaN for points that are missing or outside the view."""
    if scene.keypoints is None:
        return np.full((KEYPOINTS, 2), np.nan, np.float32)
    points = (scene.keypoints + 0.5 - [view.left, view.top]) / [view.width, view.height]
    # Comparisons with NaN are false.
    inside = ((points >= 0) & (points <= 1)).all(1, keepdims=True)
    return np.where(inside, points, np.nan).astype(np.float32)


def _grid(view: SceneView, maps: tuple[int, int]) -> Grid:
    """Return the rows and columns of the scene that a map of h × w takes."""
    rows = view.top + ((np.arange(maps[0]) + 0.5) * (view.height / maps[0])).astype(np.int64)
    columns = view.left + ((np.arange(maps[1]) + 0.5) * (view.width / maps[1])).astype(np.int64)
    return np.ix_(rows, columns[::-1] if view.flip else columns)


_TARGETS: Mapping[str, Callable[[Scene, SceneView, tuple[int, int]], NDArray[Any]]] = MappingProxyType(
    {"classes": _classes, "depth": _depth, "normals": _normals, "keypoints": _keypoints}
)
