"""What camera and annotators make of it: a picture with noise, and places without depth or label, as NYUv2 has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gradnorm.rendering.camera import HEIGHT, WIDTH, Floats
from gradnorm.rendering.paint import Paint

Mask = NDArray[np.bool_]
# How far from the picture's edges NYUv2's labels end, in pixels of its size.
_BORDER = 8


def sensed(paint: Paint, glass: Mask, slant: Floats) -> Mask:
    """Return where the sensor gives a depth: not at the picture's edges, nor on all of the glass.

    glass: [H, W]. slant: [H, W], metres across the pane.
    """
    return ~(glass & (slant > paint.between(-0.6, 1.4))) & ~_border(*glass.shape)


def gaps(labels: NDArray[np.uint8], nearness: Floats) -> Mask:
    """Return what is left without a label: the picture's edges, and outlines.

    labels, nearness: [H, W]. In small pictures only what lies behind an outline is, or thin things would vanish.
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
    """Return the picture that a camera takes of linear RGB, [3, H, W]: exposed, a little blurred, with noise."""
    exposure = paint.between(0.2, 0.36) / float(light.mean())
    tint = np.array([paint.between(0.93, 1.07) for _ in range(3)], np.float32)
    sigma = np.float32(paint.between(0.006, 0.02))
    # A soft shoulder rather than a hard limit: 1 is reached by infinite light.
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
