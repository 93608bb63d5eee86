"""Pictures of rooms as a source of batches, with classes, depth, normals and keypoints as targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Batch, Dataset, Source, Task
from gradnorm.datasets.forms.registry import form_named
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.scenes.views import KEYPOINTS, augmented, picture, target, whole
from gradnorm.rendering.scene import CLASSES, Scene

TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "classes": Task("classes", "segmentation", len(CLASSES), classes=CLASSES),
        "depth": Task("depth", "depth", 1, "m"),
        "normals": Task("normals", "normals", 3),
        "keypoints": Task("keypoints", "heatmaps", KEYPOINTS),
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
_READERS = 4
# Limit for the test set. That of NYUv2 takes 7 GiB at the largest size and output stride 1.
_MOST_MEMORY = 8 << 30


class SceneDataset(Dataset):
    """Options of all data sets whose examples are scenes: which tasks are learnt, and at which size.

    A subclass implements `load`, which returns `self.source(...)`.
    """

    networks: ClassVar[tuple[str, ...]] = ("segnet", "resnet_fcn")

    # The name is not `depth`, since `RunSpec.depth` is the number of layers of a network.
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
    def task_forms(self) -> tuple[str, ...]:
        """See `TASKS`."""
        return tuple(TASKS[name].form for name in self.task_names)

    def source(self, train: Sequence[Scene], test: Sequence[Scene], seed: int) -> SceneSource:
        """Return a source of these scenes, with the tasks and sizes that the options say.

        train, test: sequences of scenes, indexed from several threads.  seed: of the batches, ≥ 0.
        Raises DataError if one of them is empty, or if the test set is too large for memory.
        """
        size, stride = (self.size, self.size), int(self.output_stride)
        return SceneSource(train, test, self.task_names, size=size, stride=stride, seed=seed, augment=self.augment)


class SceneSource(Source):
    """Scenes as batches. Training scenes are drawn with replacement; the test set is held in memory.

    train, test: sequences of scenes, indexed from several threads.
    wanted: names of tasks in `TASKS`, in the order of the targets.
    size: (H, W) of the inputs, in pixels; maps have 1/stride of it.
    stride: 1, 2 or 4.
    seed: of the batches, ≥ 0.
    augment: whether training pictures are zoomed by up to 1.5, slightly recoloured, and flipped. They are not flipped
        if keypoints are learnt: a mirrored room has its keypoints in another order, which RoomNet does not define.

    Pictures are resized to H × W whatever their aspect ratio. Depths and normals stay those of the original camera.
    Raises DataError if train or test is empty or the test set is too large for memory, and what reading a scene raises.
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
        self._maps = (size[0] // stride, size[1] // stride)
        self._train, self._size, self._seed, self._augment = train, size, seed, augment
        self._flips = augment and "keypoints" not in wanted
        self._check_room(len(test))
        self.test = self._batch(test, range(len(test)), [None] * len(test))

    def batch(self, step: int, size: int) -> Batch:
        """See `Source.batch`."""
        random = stream(self._seed, "scene batch", step)
        rows = random.integers(0, len(self._train), size).tolist()
        # Each example draws all seven numbers, so that switching one augmentation off does not change the others.
        return self._batch(self._train, rows, random.random((size, 7)).tolist() if self._augment else [None] * size)

    def _check_room(self, tests: int) -> None:
        """Raise DataError if the test set would take too much memory."""
        (height, width), maps = self._size, self._maps
        each = 3 * height * width
        for task in self.tasks:
            form = form_named(task.form)
            each += prod(form.target_shape(task.outputs, 1, maps)) * (8 if form.integer else 4)
        if tests * each > _MOST_MEMORY:
            raise DataError(
                f"The pictures to test on should take at most {_MOST_MEMORY >> 30} GiB. "
                f"Found {tests:,} pictures of {each / 2**20:.1f} MiB. Take a smaller size, or fewer pictures."
            )

    def _batch(self, scenes: Sequence[Scene], rows: Sequence[int], luck: Sequence[Sequence[float] | None]) -> Batch:
        """Return the examples of some rows.

        luck: for each example 7 numbers in [0, 1) that decide its augmentation; None for the whole, unchanged scene.
        """
        import torch

        (height, width), n = self._size, len(rows)
        inputs = torch.empty((n, 3, height, width), dtype=torch.uint8)
        forms = [form_named(task.form) for task in self.tasks]
        targets = [
            torch.empty(
                form.target_shape(task.outputs, n, self._maps), dtype=torch.int64 if form.integer else torch.float32
            )
            for form, task in zip(forms, self.tasks, strict=True)
        ]

        def fill(i: int) -> None:
            scene, numbers = scenes[rows[i]], luck[i]
            view = whole(scene) if numbers is None else augmented(scene, numbers, self._flips)
            inputs[i] = picture(scene, view, self._size)
            for task, room in zip(self.tasks, targets, strict=True):
                room[i] = torch.from_numpy(target(task.name, scene, view, self._maps))

        if n > 32:
            # This is the test set. Reading files and fitting normals release the interpreter lock, so threads help.
            with ThreadPoolExecutor(_READERS) as pool:
                list(pool.map(fill, range(n)))
        else:
            for i in range(n):
                fill(i)
        return Batch(inputs, tuple(targets))
