"""Rendered rooms: pictures with exact depth, normals, classes and corners, where NYUv2 is not at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from gradnorm.datasets.base import Source
from gradnorm.datasets.scenes.source import SceneDataset
from gradnorm.rendering.rooms import RenderedRooms

# The rooms are the same for every seed of a run.
_WORLD = 0


class Rooms(SceneDataset):
    """Which class, how far and which way each pixel is, and where the room's corners are; rendered, not NYUv2."""

    name: ClassVar[str] = "rooms"
    title: ClassVar[str] = "Rooms (rendered)"
    summary: ClassVar[str] = "Rendered, not NYUv2: classes, depth (m), normals and corners of furnished rooms."
    recommended: ClassVar[Mapping[str, Any]] = {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        # At the end the learning rate is low enough for the running statistics of batch normalisation to follow.
        "schedule": "cosine",
        # An eighth of the paper's channels trains in minutes on a CPU.
        "channels": 0.125,
        "batch_size": 8,
        "steps": 400,
        "eval_every": 50,
        "checkpoint_every": 50,
        "alpha": 1.5,
        "weight_learning_rate": 0.02,
        "threads": 0,
    }

    count: int = Field(300, ge=4, le=20_000, title="Rooms", description="Pictures; every fourth is for the test.")
    learn_keypoints: bool = Field(False, title="Keypoints", description="Learn the 48 corners of RoomNet's layouts.")
    size: int = Field(
        128,
        ge=32,
        le=640,
        title="Size",
        description="Side of the pictures in pixels, a multiple of 32.",
        json_schema_extra={"step": 32},
    )

    @property
    def advice(self) -> str:
        """Say that the pictures are rendered, not NYUv2."""
        return "These rooms are rendered, not NYUv2: compare methods on them, not with published numbers."

    def load(self, seed: int) -> Source:
        """Return the rooms. Test rooms are rendered now, training rooms when they are first needed."""
        tests = self.count // 4
        test = RenderedRooms(_WORLD, tests, self.size, self.size)
        train = RenderedRooms(_WORLD, self.count - tests, self.size, self.size, first=tests)
        return self.source(train, test, seed)
