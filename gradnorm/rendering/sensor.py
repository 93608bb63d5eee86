"""Imitates camera, depth sensor and annotators of NYUv2: noise, and pixels without depth or label."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradnorm.rendering.camera import HEIGHT, WIDTH, Floats
from gradnorm.rendering.paint import Paint

Mask = NDArray[np.bool_]
# How far from the picture's edges NYUv2's labels end, in pixels of its size.
_BORDER = 8


def depth_known(paint: Paint, glass: Mask, slant: Floats) -> Mask:
    """Return where the depth is known, [H, W]: not at the edges of the picture, nor on a part of the glass.

    glass: [H, W], where the surface is glass.
    slant: [H, W], sum of the two coordinates on the surface, in metres; it decides which part of the glass.
    """
    return ~(glass & (slant > paint.between(-0.6, 1.4))) & ~_border(*glass.shape)


def unlabelled_pixels(labels: NDArray[np.uint8], nearness: Floats) -> Mask:
    """Return where a pixel has no label, [H, W]: at the edges of the picture and along outlines.

    labels: [H, W], the classes.  nearness: [H, W], 1/depth, in 1/m.
    In small pictures only the farther side of an outline is unlabelled. Otherwise thin things would vanish.
    """
    wide = labels.shape[0] >= HEIGHT // 2
    unlabelled = _border(*labels.shape)
    for one, other in (
        ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
    ):
        differ = labels[one] != labels[other]
        behind = nearness[one] < nearness[other]
        unlabelled[one] |= differ & (behind | wide)
        unlabelled[other] |= differ & (~behind | wide)
    return unlabelled


def _border(height: int, width: int) -> Mask:
    rows, columns = max(1, round(_BORDER * height / HEIGHT)), max(1, round(_BORDER * width / WIDTH))
    border = np.ones((height, width), bool)
    border[rows:-rows, columns:-columns] = False
    return border


def photograph(paint: Paint, light: Floats) -> NDArray[np.uint8]:
    """Return the picture that a camera takes, [3, H, W], uint8: exposed, slightly blurred, with noise.

    light: [3, H, W], linear RGB, ≥ 0.
    """
    exposure = paint.between(0.2, 0.36) / float(light.mean())
    tint = np.array([paint.between(0.93, 1.07) for _ in range(3)], np.float32)
    sigma = np.float32(paint.between(0.006, 0.02))
    # The tone curve approaches 1 smoothly, so bright places are not clipped.
    bright = light * (exposure * tint)[:, None, None]
    picture = np.sqrt(bright * (1 + 0.35 * bright) / (1 + bright * (1 + 0.35 * bright)) * 1.25)
    picture = _blurred(_blurred(picture, 1), 2)
    picture += sigma * paint.rng.standard_normal(picture.shape, dtype=np.float32)
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _blurred(picture: Floats, axis: int) -> Floats:
    """Return the picture blurred along an axis with weights 1 : 4 : 1."""
    blurred = picture * np.float32(4 / 6)
    sixth = picture * np.float32(1 / 6)
    lines, blurred_lines = np.moveaxis(sixth, axis, 0), np.moveaxis(blurred, axis, 0)
    blurred_lines[1:] += lines[:-1]
    blurred_lines[:-1] += lines[1:]
    blurred_lines[0] += lines[0]
    blurred_lines[-1] += lines[-1]
    return blurred
