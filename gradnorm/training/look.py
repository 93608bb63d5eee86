"""What a network answers on a few test examples, or along a line through its inputs, as plain numbers for a page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Source, Task
from gradnorm.datasets.forms.registry import form_named
from gradnorm.models.build import build
from gradnorm.runs.records import Checkpoint
from gradnorm.training.checkpoint import unpack

# Places on the line, and examples in the table.
_POINTS, _ROWS = 49, 6


def network_of(spec: RunSpec, source: Source, checkpoint: Checkpoint) -> nn.Module:
    """Return the spec's network with a checkpoint's parameters. Raises RuntimeError where they do not fit."""
    network = build(spec, source)
    network.load_state_dict(unpack(checkpoint, torch.device("cpu")).model)
    return network.eval()


@torch.no_grad()
def look(source: Source, network: nn.Module) -> dict[str, Any]:
    """Return what there is to see: `curves`, or `rows` of test examples, each with truth and answer a task.

    source: of a data set with `plain_answers`.
    """
    places = np.linspace(-1, 1, _POINTS)
    line = source.line(places.tolist())
    if line is not None:
        outputs = network(line.inputs)
        curves = [_curve(truth, answer) for truth, answer in zip(line.targets, outputs, strict=True)]
        return {"kind": "curves", "curves": curves}
    inputs = source.test.inputs[:_ROWS]
    outputs = network(inputs)
    rows = [
        {
            "picture": _picture(inputs[i]),
            "cells": [_cell(outputs[t], source.test.targets[t], task, i) for t, task in enumerate(source.tasks)],
        }
        for i in range(len(inputs))
    ]
    return {"kind": "rows", "rows": rows}


def _curve(truth: Tensor, answer: Tensor) -> dict[str, Any]:
    """Return the first output, and how far all outputs are off as a share of the truth's size."""
    off = (answer - truth).norm() / truth.norm().clamp(min=1e-12)
    return {"truth": _short(truth[:, 0]), "answer": _short(answer[:, 0]), "off": float(f"{float(off):.3g}")}


def _short(values: Tensor) -> list[float]:
    return [float(f"{value:.4g}") for value in values.tolist()]


def _picture(image: Tensor) -> Mapping[str, Any] | None:
    """Return a picture's bytes, row by row with its channels last; None for a vector."""
    if image.dim() != 3:
        return None
    height, width, channels = image.movedim(0, -1).shape
    pixels = base64.b64encode(image.movedim(0, -1).contiguous().numpy().tobytes()).decode()
    return {"height": height, "width": width, "channels": channels, "pixels": pixels}


def _cell(outputs: Tensor, targets: Tensor, task: Task, index: int) -> dict[str, str]:
    """Return truth and answer of one example in words; of many numbers the mean squared error."""
    truth, answer = form_named(task.form).answer(outputs[index : index + 1], targets[index : index + 1])
    if form_named(task.form).view == "classification":
        best = int(np.argmax(answer))
        return {"truth": _class(task, int(truth)), "answer": f"{_class(task, best)} ({float(answer[best]):.0%})"}
    if answer.size == 1:
        return {"truth": _number(truth, task), "answer": _number(answer, task)}
    return {"truth": f"{answer.size} numbers", "answer": f"off by {float(np.sqrt(np.mean((answer - truth) ** 2))):.3g}"}


def _class(task: Task, index: int) -> str:
    return task.classes[index] if 0 <= index < len(task.classes) else str(index)


def _number(values: Any, task: Task) -> str:
    value = float(np.ravel(values)[0])
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{number.replace('-', '−')} {task.unit}".strip()
