"""Draws random materials. All classes share one palette, so that colour alone does not reveal a class."""

from __future__ import annotations

import numpy as np

from gradnorm.rendering.parts import CHECKS, NOISE, STRIPES, TILES, WOOD, Colour, Material, solid

# sRGB, 0 … 255.
_WOODS = ((94, 62, 40), (133, 94, 60), (168, 124, 82), (196, 160, 116), (70, 48, 36), (215, 190, 155), (120, 72, 48))
_CLOTHS = (
    (128, 42, 46), (52, 74, 112), (70, 98, 84), (172, 150, 118), (92, 84, 78), (186, 180, 170), (44, 46, 56),
    (190, 140, 60), (118, 88, 108), (88, 118, 142), (150, 96, 70), (206, 196, 178),
)  # fmt: skip
_PLAINS = ((236, 232, 224), (214, 208, 196), (60, 58, 58), (150, 148, 146), (30, 30, 34), (190, 186, 180))
_WALLS = (
    (228, 222, 208), (214, 204, 184), (200, 206, 204), (188, 198, 206), (206, 196, 160), (222, 216, 212),
    (176, 186, 166), (196, 170, 146), (160, 172, 186), (232, 228, 222), (178, 140, 120),
)  # fmt: skip


class Paint:
    """Draws numbers and materials from a generator.

    rng: advanced by every call.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, part: float) -> bool:
        """Return true with probability `part`, in [0, 1]."""
        return self.rng.random() < part

    def between(self, low: float, high: float) -> float:
        """Return a uniform random number in [low, high)."""
        return low + self.rng.random() * (high - low)

    def pick(self, *weights: float) -> int:
        """Return a random index; its probability is proportional to its weight, ≥ 0."""
        at = self.rng.random() * sum(weights)
        for index, weight in enumerate(weights):
            at -= weight
            if at < 0:
                return index
        return len(weights) - 1

    def colour(self, palette: tuple[tuple[int, int, int], ...]) -> Colour:
        """Return a linear RGB colour near a random one of the palette (sRGB, 0 … 255)."""
        red, green, blue = palette[int(self.rng.random() * len(palette))]
        light, *tint = self.rng.random(4)
        factors = [(0.85 + 0.3 * light) * (0.94 + 0.12 * t) / 255 for t in tint]
        channels = (min(1.0, c * f) ** 2 for c, f in zip((red, green, blue), factors, strict=True))
        red_, green_, blue_ = channels
        return red_, green_, blue_

    def wood(self) -> Material:
        """Return wood in planks."""
        base = self.colour(_WOODS)
        return Material(WOOD, shade(base, 0.62), base, self.between(0.12, 0.3))

    def plain(self) -> Material:
        """Return lacquer, metal or plastic."""
        return solid(self.colour(_PLAINS))

    def hard(self) -> Material:
        """Return a material of cabinets and tables: wood, lacquer, metal or plastic."""
        return self.wood() if self.chance(0.65) else self.plain()

    def cloth(self) -> Material:
        """Return cloth: mottled, striped or checked."""
        base = self.colour(_CLOTHS)
        kind = self.pick(0.6, 0.2, 0.2)
        if kind == 0:
            return Material(NOISE, shade(base, 0.8), shade(base, 1.15), self.between(0.03, 0.1))
        return Material((NOISE, STRIPES, CHECKS)[kind], base, self.colour(_CLOTHS), self.between(0.05, 0.16))

    def any(self) -> Material:
        """Return cloth, wood, lacquer, metal or plastic."""
        return (self.cloth, self.plain, self.wood)[self.pick(0.5, 0.3, 0.2)]()

    def wall(self) -> Material:
        """Return the material of a wall: paint, wallpaper or tiles."""
        base = self.colour(_WALLS)
        kind = self.pick(0.68, 0.2, 0.12)
        if kind == 0:
            return Material(NOISE, shade(base, 0.94), shade(base, 1.03), self.between(0.2, 0.6))
        if kind == 1:
            return Material(STRIPES, shade(base, 0.86), base, self.between(0.08, 0.3))
        return Material(TILES, shade(base, 0.75), base, self.between(0.2, 0.4))

    def ceiling(self) -> Material:
        """Return the material of a ceiling, mostly pale."""
        base = self.colour(_WALLS if self.chance(0.3) else _PLAINS[:2])
        if self.chance(0.2):
            return Material(TILES, shade(base, 0.75), base, 0.6)
        return Material(NOISE, shade(base, 0.95), shade(base, 1.03), 0.5)

    def floor(self) -> Material:
        """Return the material of a floor: boards, tiles or carpet."""
        kind = self.pick(0.45, 0.25, 0.3)
        if kind == 0:
            return self.wood()
        base = self.colour(_WALLS if self.chance(0.4) else _CLOTHS)
        if kind == 1:
            return Material(CHECKS if self.chance(0.4) else TILES, shade(base, 0.6), base, self.between(0.25, 0.5))
        return Material(NOISE, shade(base, 0.75), shade(base, 1.1), self.between(0.03, 0.08))


def shade(colour: Colour, factor: float) -> Colour:
    """Return a linear RGB colour times a factor ≥ 0, at most 1 in each channel."""
    red, green, blue = colour
    return min(1.0, red * factor), min(1.0, green * factor), min(1.0, blue * factor)
