"""Small things: on tables and shelves, on the floor, on the walls, under the ceiling. Metres."""

from __future__ import annotations

import math

from gradnorm.rendering.paint import Paint, shade
from gradnorm.rendering.parts import ART, NOISE, PLAIN, SCREEN, SKY, SPINES, Box, Material, Piece, block, solid

_GREEN = Material(NOISE, (0.03, 0.1, 0.02), (0.12, 0.3, 0.07), 0.05)
_WARM = (1.0, 0.85, 0.6)


def cup(paint: Paint, x: float, y: float, z: float) -> list[Box]:
    """Return a cup that stands there."""
    return [Box("cup", x, y + 0.05, z, (0.04, 0.05, 0.04), paint.plain(), paint.between(0, 1.5))]


def bottle(paint: Paint, x: float, y: float, z: float) -> list[Box]:
    """Return a bottle."""
    glass, height = solid(paint.cloth().low), paint.between(0.16, 0.24)
    return [
        Box("bottle", x, y + height / 2, z, (0.038, height / 2, 0.038), glass),
        Box("bottle", x, y + height + 0.03, z, (0.014, 0.03, 0.014), glass),
    ]


def vase(paint: Paint, x: float, y: float, z: float) -> list[Box]:
    """Return a vase, often with something green in it."""
    height = paint.between(0.14, 0.22)
    boxes = [Box("vase", x, y + height / 2, z, (0.055, height / 2, 0.055), paint.any(), 0.6)]
    if paint.chance(0.6):
        boxes += [Box("plant", x, y + height + 0.08, z, (0.09, 0.08, 0.05), _GREEN, a) for a in (0.3, 1.8)]
    return boxes


def box_on(paint: Paint, x: float, y: float, z: float) -> list[Box]:
    """Return a small box."""
    half = (paint.between(0.07, 0.14), paint.between(0.04, 0.1), paint.between(0.06, 0.1))
    return [Box("box", x, y + half[1], z, half, paint.any(), paint.between(-0.5, 0.5))]


def lamp_on(paint: Paint, x: float, y: float, z: float) -> list[Box]:
    """Return a lamp with a shade."""
    foot = paint.plain()
    return [
        Box("lamp", x, y + 0.012, z, (0.07, 0.012, 0.07), foot),
        Box("lamp", x, y + 0.14, z, (0.014, 0.13, 0.014), foot),
        Box("lamp", x, y + 0.35, z, (0.12, 0.09, 0.12), _shade_of_lamp(paint), 0.4),
    ]


def _shade_of_lamp(paint: Paint) -> Material:
    return Material(NOISE, shade(_WARM, 0.75), _WARM, 0.1, glow=paint.between(0.1, 0.7))


def screen_on(paint: Paint, x: float, y: float, z: float, width: float) -> list[Box]:
    """Return a television that stands there on a foot."""
    height = width * 0.58
    foot = solid((0.01, 0.01, 0.012))
    boxes = [
        block("television", (x - width / 5, x + width / 5), (y, y + 0.02), (z - 0.09, z + 0.09), foot),
        block("television", (x - 0.04, x + 0.04), (y, y + 0.1), (z - 0.02, z + 0.02), foot),
    ]
    return boxes + _screen(paint, (x - width / 2, x + width / 2), (y + 0.08, y + 0.08 + height), z)


def _screen(paint: Paint, x: tuple[float, float], y: tuple[float, float], z: float) -> list[Box]:
    frame = Material(PLAIN, (0.01, 0.01, 0.012), (0.02, 0.02, 0.022))
    on = paint.chance(0.35)
    low, high = (paint.cloth().low, paint.cloth().high) if on else ((0.006, 0.007, 0.01), (0.02, 0.022, 0.028))
    glass = Material(ART if on else SCREEN, low, high, 0.25, glow=0.5 if on else 0.0)
    e = 0.02
    return [
        block("television", x, y, (z - 0.03, z + 0.02), frame),
        block("television", (x[0] + e, x[1] - e), (y[0] + e, y[1] - e), (z + 0.02, z + 0.022), glass),
    ]


def row_of_books(paint: Paint, x: tuple[float, float], y: float, room: float, depth: float) -> list[Box]:
    """Return what stands on one shelf: books side by side, a gap, perhaps something in it."""
    boxes: list[Box] = []
    at = x[0] + paint.between(0, 0.06)
    while at < x[1] - 0.12:
        width = min(paint.between(0.15, 0.4), x[1] - at)
        if paint.chance(0.78):
            height, out = room * paint.between(0.55, 0.9), depth * paint.between(0.6, 0.92)
            spines = Material(SPINES, (0.02, 0.02, 0.02), (0.6, 0.55, 0.5), paint.between(0.022, 0.045))
            boxes.append(block("books", (at, at + width), (y, y + height), (0.02, out), spines))
        elif paint.chance(0.6) and width > 0.15:
            half = (0.05, min(0.09, room * 0.4), 0.05)
            boxes.append(
                Box(("vase", "box")[paint.pick(1, 1)], at + width / 2, y + half[1], depth / 2, half, paint.any())
            )
        at += width + 0.005
    return boxes


def picture(paint: Paint) -> Piece:
    """A framed picture on a wall."""
    width, height = paint.between(0.35, 1.1), paint.between(0.35, 0.8)
    w, e = width / 2, paint.between(0.02, 0.05)
    frame, mount = paint.hard(), paint.plain()
    art = Material(ART, paint.cloth().low, paint.cloth().high, paint.between(0.05, 0.2))
    m = e + paint.between(0.0, 0.08)
    boxes = [
        block("picture", (-w, w), (0, height), (0, 0.025), frame),
        block("picture", (-w + e, w - e), (e, height - e), (0.025, 0.027), mount),
        block("picture", (-w + m, w - m), (m, height - m), (0.027, 0.028), art),
    ]
    return Piece(tuple(boxes), width, 0.03, height, paint.between(1.15, 1.6))


def window(paint: Paint) -> Piece:
    """A window with bars and a sill, often with curtains."""
    width, height, foot = paint.between(0.8, 1.8), paint.between(0.9, 1.35), paint.between(0.75, 1.0)
    w, e, frame = width / 2, 0.05, paint.hard()
    outside = (0.18, 0.3, 0.12) if paint.chance(0.6) else paint.wood().high
    sky = Material(SKY, outside, (0.62, 0.8, 1.0), height, glow=paint.between(0.8, 1.8))
    panes = 1 + paint.pick(0.2, 0.6, 0.2)
    boxes = [
        block("window", (-w, w), (0, height), (0, 0.01), sky),
        block("window", (-w, w), (0, e), (0, 0.04), frame),
        block("window", (-w, w), (height - e, height), (0, 0.04), frame),
        block("window", (-w - 0.04, w + 0.04), (-0.03, 0), (0, 0.1), frame),
    ]
    for i in range(panes + 1):
        x = -w + e / 2 + i * (width - e) / panes
        boxes.append(block("window", (x - e / 2, x + e / 2), (0, height), (0, 0.04), frame))
    reach = 0.04
    if paint.chance(0.45):
        reach, cloth = 0.24, paint.cloth()
        for x in (-w - 0.22, w - 0.16):
            boxes.append(block("curtain", (x, x + 0.38), (-0.2, height + 0.1), (0.04, 0.1), cloth))
    return Piece(tuple(boxes), width + 2 * reach, 0.12, height + 0.1, foot)


def wall_screen(paint: Paint) -> Piece:
    """A television on a wall."""
    width = paint.between(0.8, 1.3)
    boxes = _screen(paint, (-width / 2, width / 2), (0, width * 0.58), 0.04)
    return Piece(tuple(boxes), width, 0.07, width * 0.58, paint.between(1.0, 1.3))


def wall_shelf(paint: Paint) -> Piece:
    """A board on a wall with books and things."""
    width, depth = paint.between(0.7, 1.2), 0.24
    x = (-width / 2, width / 2)
    boxes = [block("shelves", x, (0, 0.03), (0, depth), paint.hard()), *row_of_books(paint, x, 0.03, 0.32, depth)]
    return Piece(tuple(boxes), width, depth, 0.36, paint.between(1.3, 1.8))


def wall_cabinet(paint: Paint) -> Piece:
    """A cabinet on a wall."""
    width, depth, height, body = paint.between(0.6, 1.1), 0.33, paint.between(0.5, 0.75), paint.hard()
    w = width / 2
    boxes = [
        block("cabinet", (-w, w), (0, height), (0, depth), body),
        block("cabinet", (-w + 0.015, -0.006), (0.015, height - 0.015), (depth, depth + 0.018), body),
        block("cabinet", (0.006, w - 0.015), (0.015, height - 0.015), (depth, depth + 0.018), body),
    ]
    return Piece(tuple(boxes), width, depth + 0.02, height, paint.between(1.35, 1.7))


def door(paint: Paint) -> Piece:
    """A closed door."""
    width, height, w, frame, leaf = 0.9, 2.05, 0.45, paint.hard(), paint.hard()
    knob = solid((0.3, 0.27, 0.2))
    boxes = [
        block("door", (-w, w), (0, height), (0, 0.03), leaf),
        block("door", (-w - 0.07, -w), (0, height + 0.07), (0, 0.05), frame),
        block("door", (w, w + 0.07), (0, height + 0.07), (0, 0.05), frame),
        block("door", (-w, w), (height, height + 0.07), (0, 0.05), frame),
        block("door", (-w + 0.15, w - 0.15), (0.2, 0.9), (0.03, 0.04), leaf),
        block("door", (-w + 0.15, w - 0.15), (1.1, 1.9), (0.03, 0.04), leaf),
        block("door", (w - 0.14, w - 0.06), (1.0, 1.03), (0.03, 0.09), knob),
    ]
    return Piece(tuple(boxes), width + 0.14, 0.09, height + 0.07)


def floor_lamp(paint: Paint) -> Piece:
    """A lamp as high as a man."""
    foot, height = paint.plain(), paint.between(1.4, 1.75)
    boxes = (
        Box("lamp", 0, 0.015, 0.24, (0.14, 0.015, 0.14), foot),
        Box("lamp", 0, height / 2, 0.24, (0.015, height / 2, 0.015), foot),
        Box("lamp", 0, height, 0.24, (0.18, 0.14, 0.18), _shade_of_lamp(paint), 0.3),
    )
    return Piece(boxes, 0.46, 0.48, height + 0.14)


def plant(paint: Paint) -> Piece:
    """A plant in its pot."""
    height = paint.between(0.7, 1.5)
    boxes = [Box("plant", 0, 0.15, 0.29, (0.14, 0.15, 0.14), paint.any(), 0.4)]
    boxes.append(
        Box(
            "plant",
            0,
            0.3 + height / 4,
            0.29,
            (0.02, height / 4, 0.02),
            solid((0.1, 0.06, 0.03)),
        )
    )
    for i in range(9):
        half = (paint.between(0.09, 0.17), paint.between(0.015, 0.05), paint.between(0.025, 0.06))
        angle = i * 2.4
        x, z = 0.1 * math.cos(angle), 0.29 + 0.1 * math.sin(angle)
        boxes.append(Box("plant", x, 0.4 + (height - 0.45) * (i + 1) / 9, z, half, _GREEN, -angle))
    return Piece(tuple(boxes), 0.58, 0.58, height)


def heap(paint: Paint) -> Piece:
    """A box, a bag or a bin on the floor."""
    kind = paint.pick(0.5, 0.25, 0.25)
    half = (paint.between(0.15, 0.28), paint.between(0.12, 0.25), paint.between(0.12, 0.22))
    z, any_ = half[2] + 0.03, paint.any()
    boxes = [Box(("box", "bag", "garbage bin")[kind], 0, half[1], z, half, any_, paint.between(-0.15, 0.15))]
    if kind == 0 and paint.chance(0.4):
        top = tuple(0.7 * h for h in half)
        boxes.append(
            Box("box", 0, 2 * half[1] + top[1], z, (top[0], top[1], top[2]), paint.any(), paint.between(-0.5, 0.5))
        )
    return Piece(tuple(boxes), 2 * half[0] + 0.06, 2 * z, 4 * half[1])


def rug(paint: Paint) -> Piece:
    """A rug."""
    width, depth, cloth = paint.between(1.4, 2.4), paint.between(1.0, 1.6), paint.cloth()
    rim = solid(shade(cloth.high, 0.6))
    w = width / 2
    boxes = (
        block("floor mat", (-w, w), (0, 0.008), (0, depth), rim),
        block("floor mat", (-w + 0.08, w - 0.08), (0.008, 0.012), (0.08, depth - 0.08), cloth),
    )
    return Piece(boxes, width, depth, 0.012)


def ceiling_lamp(paint: Paint, height: float) -> Piece:
    """A lamp that hangs from a ceiling of this height, or a panel on it."""
    glow = Material(PLAIN, _WARM, _WARM, glow=paint.between(0.5, 0.9))
    if paint.chance(0.5):
        return Piece((Box("lamp", 0, 0.03, 0.3, (0.3, 0.03, 0.3), glow),), 0.6, 0.6, 0.06, height - 0.06)
    drop = paint.between(0.2, 0.45)
    boxes = (
        Box("lamp", 0, 0.16 + drop / 2, 0.2, (0.008, drop / 2, 0.008), paint.plain()),
        Box("lamp", 0, 0.08, 0.2, (0.17, 0.08, 0.17), glow, 0.5),
    )
    return Piece(boxes, 0.4, 0.4, drop + 0.16, height - drop - 0.16)
