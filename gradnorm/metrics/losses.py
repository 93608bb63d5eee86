"""The training losses, one a form of target; see `gradnorm.datasets.base.Form` for the shapes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn import functional

from gradnorm.datasets.base import Form, Task

NO_LABEL = -1
# Deviation of the bell that stands for a point, in sides of the picture: 5 pixels of 320, as RoomNet has it.
BELL = 5 / 320


def task_loss(output: Float[Tensor, "batch ..."], target: Shaped[Tensor, "batch ..."], task: Task) -> Float[Tensor, ""]:
    """Return the mean loss of one task, a scalar; 0 for a map without a single valid pixel.

    output: [B, outputs], or [B, outputs, h, w] for maps.
    Regression, landmarks: squared error, mean over examples and outputs. Classification: cross entropy.
    Segmentation: cross entropy, mean over labelled pixels. Depth: squared error in m², mean over valid pixels.
    Normals: 1 − cos of the angle, mean over valid pixels. Heatmaps: squared error against bells of height 1 around
    the points, mean over examples, channels and pixels. These are the losses of section 5.1 of Chen et al. (2018).
    """
    if task.form == "classification":
        return functional.cross_entropy(output, target)
    if task.plain:
        return functional.mse_loss(output, target)
    if task.form == "segmentation":
        total = functional.cross_entropy(output, target, ignore_index=NO_LABEL, reduction="sum")
    elif task.form == "depth":
        total = (output - target).where(valid(target, "depth"), 0.0).square().sum()
    elif task.form == "normals":
        total = (1 - cosines(output, target)).where(valid(target, "normals"), 0.0).sum()
    else:
        return functional.mse_loss(output, bells(target, output.shape[2], output.shape[3]))
    return total / valid(target, task.form).sum().clamp(min=1)


def task_losses(outputs: Sequence[Tensor], targets: Sequence[Tensor], tasks: Sequence[Task]) -> list[Float[Tensor, ""]]:
    """Return T scalar losses; see `task_loss`."""
    return [task_loss(o, y, task) for o, y, task in zip(outputs, targets, tasks, strict=True)]


def known(target: Shaped[Tensor, "batch ..."], task: Task) -> bool:
    """Whether a batch tells anything of a task: of a map, a single valid pixel will do."""
    return counted(target, task) > 0


def counted(target: Shaped[Tensor, "batch ..."], task: Task) -> int:
    """Return how many things the mean loss is over: examples, or pixels where a map's target is known."""
    return len(target) if task.plain or task.form == "heatmaps" else int(valid(target, task.form).sum())


def valid(target: Shaped[Tensor, "batch ..."], form: Form) -> Bool[Tensor, "batch ..."]:
    """Return where a map's target is known, with one flag a pixel: [B, h, w], or [B, 1, h, w] for depth."""
    if form == "segmentation":
        return target != NO_LABEL
    return target > 0 if form == "depth" else target.square().sum(1) > 0.25


def cosines(output: Float[Tensor, "b 3 h w"], target: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b h w"]:
    """Return the cosine of the angle between two vectors at each pixel; `target` has length 1 or 0."""
    return (functional.normalize(output, dim=1) * target).sum(1)


def peaks(maps: Float[Tensor, "*b height width"]) -> Float[Tensor, "*b 2"]:
    """Return where each map is highest: x and y in [0, 1] of the picture."""
    height, width = maps.shape[-2:]
    place = maps.flatten(-2).argmax(-1)
    return torch.stack([(place % width + 0.5) / width, (place // width + 0.5) / height], -1)


def bells(points: Float[Tensor, "b points 2"], height: int, width: int) -> Float[Tensor, "b points height width"]:
    """Return a map for each point: exp(−d²/2σ²), d from the point in sides of the picture; 0 where there is none.

    points: x and y in [0, 1], NaN where there is no point.
    """
    x = (torch.arange(width, device=points.device) + 0.5) / width
    y = (torch.arange(height, device=points.device) + 0.5) / height
    column = ((x - points[..., :1]) / BELL).square().div(-2).exp()
    row = ((y - points[..., 1:]) / BELL).square().div(-2).exp()
    return (row[..., :, None] * column[..., None, :]).nan_to_num(0.0)
