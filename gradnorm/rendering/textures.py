"""The colour of each point of a textured surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradnorm.rendering.camera import Floats
from gradnorm.rendering.parts import ART, CHECKS, NOISE, PLAIN, SCREEN, SKY, SPINES, STRIPES, TILES, WOOD, Material

Index = NDArray[np.intp]
# The side of the table of random numbers from which noise is made.
_TABLE = 64


@dataclass(frozen=True)
class Place:
    """The positions of N pixels on their surfaces. Lengths are in metres.

    s, t: [N], coordinates on the surface.
    each: [N], the index of the surface.
    size: [N], of its pattern.
    half: [2, N], half of its width and height.
    """

    s: Floats
    t: Floats
    each: Index
    size: Floats
    half: Floats


class Textures:
    """The materials of the F faces of a picture.

    rng: for noise and for the colours of books and pictures.
    materials: F of them.
    half: [F, 2], half of each face's width and height, in metres.
    """

    def __init__(self, rng: np.random.Generator, materials: Sequence[Material], half: NDArray[np.float64]) -> None:
        self._random = rng.random((_TABLE, _TABLE), dtype=np.float32)
        # Colours of books and of pictures: many dark, few bright, none pure.
        colours = rng.random((3, 256), dtype=np.float32)
        self._colours = (0.55 * colours + 0.45 * colours.mean(0)) ** 2 * 0.8 + 0.02
        self.kind = np.array([material.texture for material in materials])
        self._low, self._high = (
            np.array([getattr(material, end) for material in materials], np.float32).T.copy() for end in ("low", "high")
        )
        self._size = np.array([material.size for material in materials], np.float32)
        self._half = half.astype(np.float32).T.copy()
        self.glow = np.array([material.glow for material in materials], np.float32)

    def colours(self, face: Index, s: Floats, t: Floats, grain: Floats) -> Floats:
        """Return linear RGB of N pixels, [3, N].

        face: [N], indices of faces.
        s, t: [N], coordinates on the face, in metres.
        grain: [N], the length that a pixel covers there, in metres.
        """
        kind = self.kind[face]
        mix = np.zeros_like(s)
        own: list[tuple[NDArray[np.intp], Floats]] = []
        for k in np.unique(self.kind):
            here = np.flatnonzero(kind == k)
            if k == PLAIN or not len(here):
                continue
            each = face[here]
            place = Place(s[here], t[here], each, self._size[each], self._half.take(each, 1))
            if k in (SPINES, ART):
                own.append((here, self._many(int(k), place)))
            else:
                mix[here] = _faded(self._pattern(int(k), place), place.size, grain[here])
        result = np.empty((3, len(s)), np.float32)
        for channel in range(3):
            low = self._low[channel]
            result[channel] = low.take(face) + mix * (self._high[channel] - low).take(face)
        for here, colours in own:
            result[:, here] = colours
        return result

    def _pattern(self, kind: int, place: Place) -> Floats:
        """Return how far between its two colours, [N]."""
        patterns: dict[int, Callable[[Place], Floats]] = {
            NOISE: lambda p: 0.65 * self._noise(p.s / p.size, p.t / p.size) + 0.35 * self._noise(p.s * 9, p.t * 9),
            CHECKS: lambda p: ((np.floor(p.s / p.size) + np.floor(p.t / p.size)) % 2).astype(np.float32),
            STRIPES: lambda p: (np.floor(2 * p.s / p.size) % 2).astype(np.float32),
            WOOD: self._wood,
            TILES: self._tiles,
            SKY: lambda p: np.clip(1.2 + 2 * p.t / p.half[1] + 0.9 * self._noise(p.s * 4, p.t * 4), 0, 1),
            SCREEN: lambda p: np.clip(0.5 + p.s - 0.7 * p.t, 0, 1),
        }
        return patterns[kind](place)

    def _many(self, kind: int, place: Place) -> Floats:
        """Return the colours of what has many, [3, N]."""
        if kind == SPINES:
            book = np.floor(place.s / place.size).astype(np.intp)
            colours = self._colours[:, (book * 37 + place.each * 11) & 255]
            titled = np.abs(place.t / place.half[1] + 0.3 - self._at(book * 13, place.each)) < 0.12
            edge = np.abs(place.s / place.size - book - 0.5) > 0.42
            return np.where(titled, 0.5 * colours + 0.35, np.where(edge, 0.4 * colours, colours))
        blot = 6 * self._noise(place.s / place.size + place.each, place.t / place.size)
        return self._colours[:, (blot.astype(np.intp) * 29 + place.each) & 255]

    def _wood(self, place: Place) -> Floats:
        # Its grain runs along the longer side; what is narrow is one plank.
        width, height = place.half
        upright = height > width
        along, across = np.where(upright, place.t, place.s), np.where(upright, place.s, place.t)
        narrow = np.minimum(width, height) < 0.6 * place.size
        plank = np.where(narrow, 0.5, across / place.size)
        row = np.floor(plank)
        tone = self._at(row.astype(np.intp) * 7, place.each)
        grain = self._noise(1.5 * along + 9 * row, 55 * across)
        seam = (plank - row) < 0.04
        return np.where(seam, -0.35, 0.15 + 0.4 * tone + 0.45 * grain).astype(np.float32)

    def _tiles(self, place: Place) -> Floats:
        x, y = place.s / place.size, place.t / place.size
        column, row = np.floor(x), np.floor(y)
        tone = 0.75 + 0.25 * self._at(column.astype(np.intp) * 5, row.astype(np.intp) * 3)
        return np.where((x - column < 0.04) | (y - row < 0.04), 0.0, tone).astype(np.float32)

    def _at(self, x: Index, y: Index) -> Floats:
        return self._random.take((x & (_TABLE - 1)) * _TABLE + (y & (_TABLE - 1)))

    def _noise(self, x: Floats, y: Floats) -> Floats:
        """Return smooth noise in [0, 1] with features of size 1."""
        i, j = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
        a, b = x - i, y - j
        a, b = a * a * (3 - 2 * a), b * b * (3 - 2 * b)
        first = self._at(i, j) + b * (self._at(i, j + 1) - self._at(i, j))
        second = self._at(i + 1, j) + b * (self._at(i + 1, j + 1) - self._at(i + 1, j))
        return first + a * (second - first)


def _faded(mix: Floats, size: Floats, grain: Floats) -> Floats:
    """Return a pattern without contrast where it is finer than the pixels, which would make it flicker."""
    return 0.5 + (mix - 0.5) * np.clip(size / (2 * grain) - 0.3, 0, 1)
