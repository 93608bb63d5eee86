"""Layers with initial weights as in He et al. (2015): normal with variance 2/fan-in; biases are 0.

The weights are drawn on the CPU from a random stream, so that they are the same on every device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def convolution(
    inputs: int,
    outputs: int,
    random: np.random.Generator,
    *,
    kernel: int = 3,
    stride: int = 1,
    padding: int | None = None,
    bias: bool = True,
) -> nn.Conv2d:
    """Return a convolution [B, inputs, H, W] → [B, outputs, h, w].

    random: the stream of the weights.
    kernel: its width and height in pixels, ≥ 1.
    stride: ≥ 1.
    padding: in pixels; None keeps the size of the maps at stride 1, for odd kernels.
    bias: whether it has a bias.
    """
    around = kernel // 2 if padding is None else padding
    layer = nn.Conv2d(inputs, outputs, kernel, stride, around, bias=bias, device="cpu")
    _fill(layer, inputs * kernel**2, random)
    return layer


def doubling(inputs: int, outputs: int, random: np.random.Generator) -> nn.ConvTranspose2d:
    """Return a transposed convolution without bias from [B, inputs, h, w] to [B, outputs, 2h, 2w]."""
    layer = nn.ConvTranspose2d(inputs, outputs, 2, 2, bias=False, device="cpu")
    _fill(layer, inputs, random)  # each output has one value of each channel below it
    return layer


def linear(inputs: int, outputs: int, random: np.random.Generator) -> nn.Linear:
    """Return an affine layer [B, inputs] → [B, outputs]. random: the stream of the weights."""
    layer = nn.Linear(inputs, outputs, device="cpu")
    _fill(layer, inputs, random)
    return layer


def _fill(layer: nn.Conv2d | nn.ConvTranspose2d | nn.Linear, fan_in: int, random: np.random.Generator) -> None:
    weight = random.standard_normal(tuple(layer.weight.shape), dtype=np.float32) * np.float32(np.sqrt(2 / fan_in))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        if layer.bias is not None:
            layer.bias.zero_()
