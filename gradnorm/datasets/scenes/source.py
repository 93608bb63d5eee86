"""Pictures of rooms as a source of batches: classes, depth, normals and keypoints, with augmentation that keeps the
geometry right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Batch, Dataset, Form, Source, Task
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.scenes.normals import unit
from gradnorm.rendering.scene import CLASSES, Scene

if TYPE_CHECKING:
    from torch import Tensor

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "classes": Task("classes", "segmentation", len(CLASSES), classes=CLASSES),
        "depth": Task("depth", "depth", 1, "m"),
        "normals": Task("normals", "normals", 3),
        "keypoints": Task("keypoints", "heatmaps", 48),
    }
)
# Section 5.1 of Chen et al. (2018), for classes, depth and normals; with keypoints 80,000 steps, decay every 25,000.
PAPER: Mapping[str, Any] = MappingProxyType(
    {
        "optimizer": "adam",
        "learning_rate": 2e-5,
        "schedule": "steps",
        "rate_decay": 0.2,
        "rate_decay_every": 6_000,
        "batch_size": 24,
        "steps": 20_000,
        "eval_every": 500,
        "checkpoint_every": 500,
        "alpha": 1.5,
        "threads": 0,
    }
)
LARGEST_SCALE = 1.5
_JITTER = 0.2
_READERS = 4
# Of the test set: that of NYUv2 takes 7 GiB at the largest size with maps as large.
_MOST_MEMORY = 8 << 30


class SceneDataset(Dataset):
    """Options of all data sets whose examples are scenes: what is learnt of them, and at which size."""

    networks: ClassVar[tuple[str, ...]] = ("segnet", "resnet_fcn")

    # Not plain `depth`, since that is the number of layers of a run's network.
    learn_classes: bool = Field(True, title="Classes", description="Learn which of 13 classes each pixel shows.")
    learn_depth: bool = Field(True, title="Depth", description="Learn how far away each pixel is, in metres.")
    learn_normals: bool = Field(True, title="Normals", description="Learn which way each surface faces.")
    size: int = Field(
        320,
        ge=32,
        le=640,
        title="Size",
        description="Side of the pictures in pixels, a multiple of 32.",
        json_schema_extra={"step": 32},
    )
    output_stride: Literal["1", "2", "4"] = Field(
        "4", title="Output stride", description="Side of the pictures over that of the maps that are learnt."
    )
    augment: bool = Field(True, title="Augment", description="Flip, zoom and recolour the training pictures.")

    @model_validator(mode="after")
    def _check_scenes(self) -> Self:
        if self.size % 32:
            raise ValueError(f"size should be a multiple of 32. Found {self.size}. Choose 320, say")
        if not self.task_names:
            raise ValueError("At least one task should be learnt. Found none. Switch on learn_depth, say")
        return self

    @property
    def task_names(self) -> tuple[str, ...]:
        """Those of classes, depth, normals, keypoints that are switched on."""
        return tuple(name for name in TASKS if getattr(self, f"learn_{name}", False))

    @property
    def task_forms(self) -> tuple[Form, ...]:
        """See `TASKS`."""
        return tuple(TASKS[name].form for name in self.task_names)

    def source(self, train: Sequence[Scene], test: Sequence[Scene], seed: int) -> SceneSource:
        """Return the scenes as these options ask for them."""
        size, stride = (self.size, self.size), int(self.output_stride)
        return SceneSource(train, test, self.task_names, size=size, stride=stride, seed=seed, augment=self.augment)


@dataclass(frozen=True)
class View:
    """What of a scene is shown, and how.

    top, left, height, width: the part that is seen, in pixels of the scene.
    scale: how much nearer everything seems.  flip: left for right.
    jitter: factors on brightness, contrast and saturation.
    """

    top: int
    left: int
    height: int
    width: int
    scale: float = 1.0
    flip: bool = False
    jitter: tuple[float, float, float] | None = None


class SceneSource(Source):
    """Scenes as batches: training scenes drawn with replacement, test scenes held in memory.

    train, test: scenes, each read when it is asked for, from several threads.
    wanted: names out of `TASKS`.  size: (H, W) of the inputs; that of the maps is 1/stride of it.
    augment: zoom by up to 1.5, mild changes of colour, and flips; but no flips with keypoints, since the mirrored room
        of a layout type has its points in another order, and RoomNet defines none.

    Pictures are squeezed to H × W whatever their aspect; depths and normals stay those of the camera that took them.
    Raises DataError where there are no scenes, and whatever reading a scene raises.
    """

    slow = True

    def __init__(
        self,
        train: Sequence[Scene],
        test: Sequence[Scene],
        wanted: Sequence[str],
        *,
        size: tuple[int, int],
        stride: int,
        seed: int,
        augment: bool,
    ) -> None:
        if not len(train) or not len(test):
            raise DataError(f"There should be scenes to train on and to test on. Found {len(train)} and {len(test)}.")
        self.tasks = tuple(TASKS[name] for name in wanted)
        self.stride = stride
        self._train, self._size, self._seed, self._augment = train, size, seed, augment
        self._flips = augment and "keypoints" not in wanted
        self._check_room(len(test))
        self.test = self._batch(test, range(len(test)), [None] * len(test))

    def batch(self, step: int, size: int) -> Batch:
        """See `Source.batch`."""
        random = stream(self._seed, "scene batch", step)
        rows = random.integers(0, len(self._train), size).tolist()
        # Numbers of all kinds are drawn for each example, so that no switch changes what the others are.
        return self._batch(self._train, rows, random.random((size, 7)).tolist() if self._augment else [None] * size)

    def _check_room(self, tests: int) -> None:
        """Raise DataError where the test set, which is kept in memory as it is shown, would be too large."""
        (height, width), numbers = self._size, {"segmentation": 8, "depth": 4, "normals": 12}
        each = 3 * height * width + sum(
            numbers.get(task.form, 0) * (height // self.stride) * (width // self.stride) for task in self.tasks
        )
        if tests * each > _MOST_MEMORY:
            raise DataError(
                f"The pictures to test on should take at most {_MOST_MEMORY >> 30} GiB. "
                f"Found {tests:,} pictures of {each / 2**20:.1f} MiB. Take a smaller size, or fewer pictures."
            )

    def _batch(self, scenes: Sequence[Scene], rows: Sequence[int], luck: Sequence[Sequence[float] | None]) -> Batch:
        """Return the examples of some rows, each seen as its numbers in [0, 1) say, or plainly without any."""
        import torch

        (height, width), n = self._size, len(rows)
        maps = (height // self.stride, width // self.stride)
        inputs = torch.empty((n, 3, height, width), dtype=torch.uint8)
        targets = [_empty(task.form, n, maps) for task in self.tasks]

        def fill(i: int) -> None:
            scene, numbers = scenes[rows[i]], luck[i]
            view = whole(scene) if numbers is None else drawn(scene, numbers, self._flips)
            inputs[i] = picture(scene, view, self._size)
            for task, target in zip(self.tasks, targets, strict=True):
                target[i] = torch.from_numpy(seen(scene, view, task.form, maps))

        if n > 32:
            # The test set: reading and fitting normals let go of the interpreter, so threads help.
            with ThreadPoolExecutor(_READERS) as pool:
                list(pool.map(fill, range(n)))
        else:
            for i in range(n):
                fill(i)
        return Batch(inputs, tuple(targets))


def whole(scene: Scene) -> View:
    """Return the view of a whole scene as it is."""
    return View(0, 0, *scene.depth.shape)


def drawn(scene: Scene, numbers: Sequence[float], flips: bool) -> View:
    """Return an augmented view from 7 numbers in [0, 1): flip, zoom, place (2), brightness, contrast, saturation."""
    height, width = scene.depth.shape
    scale = 1 + (LARGEST_SCALE - 1) * numbers[1]
    rows, columns = max(1, round(height / scale)), max(1, round(width / scale))
    top, left = int(numbers[2] * (height - rows + 1)), int(numbers[3] * (width - columns + 1))
    brightness, contrast, saturation = (1 + _JITTER * (2 * number - 1) for number in numbers[4:])
    # The scale that the whole pixels of the window have.
    scale = float(np.sqrt(height / rows * width / columns))
    return View(top, left, rows, columns, scale, flips and numbers[0] < 0.5, (brightness, contrast, saturation))


def picture(scene: Scene, view: View, size: tuple[int, int]) -> Tensor:
    """Return the view's image resized to H × W with antialiasing: [3, H, W], uint8."""
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


def seen(scene: Scene, view: View, form: Form, maps: tuple[int, int]) -> NDArray[np.float32] | NDArray[np.int64]:
    """Return one example's target of a view, as `Form` says; maps of h × w take the nearest pixel of the scene.

    Zooming by s shows the scene as if all of it were s times nearer, at its true height and width: depths are divided
    by s, and a normal (x, y, z) turns to (x, y, s·z). A flip turns x to −x.
    """
    if form == "heatmaps":
        return _points(scene, view)
    rows = view.top + ((np.arange(maps[0]) + 0.5) * (view.height / maps[0])).astype(np.int64)
    columns = view.left + ((np.arange(maps[1]) + 0.5) * (view.width / maps[1])).astype(np.int64)
    if view.flip:
        columns = columns[::-1]
    grid = np.ix_(rows, columns)
    if form == "segmentation":
        return scene.labels[grid].astype(np.int64) - 1
    if form == "depth":
        return (scene.depth[grid] / np.float32(view.scale))[None]
    normals = np.stack([plane[grid] for plane in scene.normals]).astype(np.float32)
    normals *= np.array([-1 if view.flip else 1, 1, view.scale], np.float32)[:, None, None]
    return unit(normals)


def _points(scene: Scene, view: View) -> NDArray[np.float32]:
    """Return [48, 2]: x and y in [0, 1] of the view, NaN for points that lie outside of it or do not exist."""
    if scene.keypoints is None:
        return np.full((TASKS["keypoints"].outputs, 2), np.nan, np.float32)
    points = (scene.keypoints + 0.5 - [view.left, view.top]) / [view.width, view.height]
    # Comparisons with NaN are false.
    inside = ((points >= 0) & (points <= 1)).all(1, keepdims=True)
    return np.where(inside, points, np.nan).astype(np.float32)


def _empty(form: Form, n: int, maps: tuple[int, int]) -> Tensor:
    """Return room for n targets."""
    import torch

    shapes: dict[str, tuple[int, ...]] = {
        "segmentation": (n, *maps), "depth": (n, 1, *maps), "normals": (n, 3, *maps), "heatmaps": (n, 48, 2),
    }  # fmt: skip
    return torch.empty(shapes[form], dtype=torch.int64 if form == "segmentation" else torch.float32)
