"""The parts of rooms: boxes, pieces of several boxes, their materials and their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gradnorm.rendering.scene import CLASSES

Colour = tuple[float, float, float]

# The class of each part, one of the 13, by the name of the part in NYUv2.
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

    texture: a number of `PLAIN` … `SCREEN`.
    low, high: the two colours that the texture mixes, linear RGB in [0, 1].
    size: of the pattern, > 0, metres.
    glow: the light that it emits, ≥ 0, as a multiple of its colour.
    """

    texture: int
    low: Colour
    high: Colour
    size: float = 0.1
    glow: float = 0.0


def solid(colour: Colour) -> Material:
    """Return a material of one colour."""
    return Material(PLAIN, colour, colour)


@dataclass(frozen=True)
class Box:
    """A box that may be turned about its upright axis. Lengths are in metres.

    name: a key of `PARTS`.
    x, y, z: of the centre: along the wall or to the right, up from the floor, out from the wall.
    half: half of the sizes along the box's own three axes.
    angle: about the upright axis, in radians.
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
    """A piece of furniture or another thing, made of boxes.

    In its own coordinates the back is at z = 0, the front at z > 0, and the middle at x = 0.

    boxes: in the piece's own coordinates.
    width, depth, height: of the space that it takes, in metres.
    foot: the height above the floor at which it begins, in metres.
    """

    boxes: tuple[Box, ...]
    width: float
    depth: float
    height: float
    foot: float = 0.0


def block(name: str, x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], material: Material) -> Box:
    """Return the box that spans these intervals, in metres.

    name: a key of `PARTS`.
    """
    half = ((x[1] - x[0]) / 2, (y[1] - y[0]) / 2, (z[1] - z[0]) / 2)
    return Box(name, (x[0] + x[1]) / 2, (y[0] + y[1]) / 2, (z[0] + z[1]) / 2, half, material)
