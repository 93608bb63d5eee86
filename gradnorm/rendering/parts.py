"""What rooms are made of: boxes, what they are made of, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gradnorm.rendering.scene import CLASSES

Colour = tuple[float, float, float]

# What is seen, by its name in NYUv2, and which of the 13 classes that is.
PARTS: Mapping[str, str] = MappingProxyType(
    {
        "wall": "wall",
        "ceiling": "ceiling",
        "floor": "floor",
        "bed": "bed",
        "books": "books",
        "chair": "chair",
        "bookshelf": "furniture",
        "cabinet": "furniture",
        "dresser": "furniture",
        "night stand": "furniture",
        "tv stand": "furniture",
        "shelves": "furniture",
        "bag": "objects",
        "bottle": "objects",
        "box": "objects",
        "cup": "objects",
        "garbage bin": "objects",
        "lamp": "objects",
        "pillow": "objects",
        "plant": "objects",
        "vase": "objects",
        "picture": "picture",
        "sofa": "sofa",
        "coffee table": "table",
        "desk": "table",
        "table": "table",
        "television": "tv",
        "door": "wall",
        "floor mat": "floor",
        "curtain": "window",
        "window": "window",
    }
)
NAMES = tuple(PARTS)
# The label of each part, of the 13 classes from 1.
LABELS = tuple(CLASSES.index(PARTS[name]) + 1 for name in NAMES)

# Textures: see `gradnorm.rendering.textures`.
PLAIN, NOISE, CHECKS, STRIPES, WOOD, TILES, SPINES, ART, SKY, SCREEN = range(10)


@dataclass(frozen=True)
class Material:
    """What a surface looks like.

    texture: one of those above. low, high: its colours, linear RGB in [0, 1]. size: of its pattern, metres.
    glow: what it sends out by itself, as a part of its colour.
    """

    texture: int
    low: Colour
    high: Colour
    size: float = 0.1
    glow: float = 0.0


def solid(colour: Colour) -> Material:
    """Return what has one colour."""
    return Material(PLAIN, colour, colour)


@dataclass(frozen=True)
class Box:
    """A box on an upright axis, metres.

    name: one of `PARTS`. x: along the wall or to the right, y: up from the floor, z: out from the wall; of its centre.
    half: half of its sizes along its own three axes. angle: radians about the upright axis.
    """

    name: str
    x: float
    y: float
    z: float
    half: tuple[float, float, float]
    material: Material
    angle: float = 0.0


@dataclass(frozen=True)
class Piece:
    """A piece of furniture or what else there is, as boxes around a place on the floor or at the wall.

    Its back is at z = 0, its front looks to z > 0; x is 0 in its middle.
    width, depth, height: what it takes, metres. foot: how far above the floor it begins.
    """

    boxes: tuple[Box, ...]
    width: float
    depth: float
    height: float
    foot: float = 0.0


def block(name: str, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], material: Material) -> Box:
    """Return the box between these coordinates."""
    half = ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2)
    return Box(name, (x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2, half, material)
