"""A small convolutional network for small pictures: three convolutions, one shared layer, one affine head a task."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from gradnorm.datasets.base import Task
from gradnorm.models.network import Network, Units, as_floats
from gradnorm.randomness import stream

_CHANNELS, _UNITS = (16, 32, 64), 128


class CNN(Network):
    """Three 3×3 convolutions with ReLU and 2×2 max pooling, a fully connected layer W, and T affine heads.

    shape: (channels, H, W) of the pictures; sides of 8 or more.  tasks: declarations of the heads, vectors all.
    width: factor on all channels and units.  seed: head i depends on (seed, i) alone.
    """

    def __init__(self, shape: Sequence[int], tasks: Sequence[Task], *, width: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        channels = [shape[0], *(max(1, round(n * width)) for n in _CHANNELS)]
        units = max(1, round(_UNITS * width))
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise(channels)):
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1)
            layers += [_filled(convolution, seed, "convolution", i), nn.ReLU(), nn.MaxPool2d(2)]
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        flat = channels[-1] * (shape[1] // 8) * (shape[2] // 8)
        self.last_shared_layer = _filled(nn.Linear(flat, units), seed, "layer", 0)
        self.heads = nn.ModuleList(
            _filled(nn.Linear(units, task.outputs), seed, "head", i) for i, task in enumerate(tasks)
        )
        self._units = Units(tasks)

    def shared(self, inputs: Shaped[Tensor, "batch channels height width"]) -> Float[Tensor, "batch units"]:
        """Return Z, the output of the last shared layer before its ReLU: [B, C, H, W] → [B, units]."""
        return self.last_shared_layer(self.trunk(as_floats(inputs)))

    def predict(self, features: Float[Tensor, "batch units"]) -> list[Float[Tensor, "batch _"]]:
        """Return each task's output from Z: T tensors of shape [B, outputs]."""
        hidden = features.relu()
        return self._units([head(hidden) for head in self.heads])


def _filled(layer: nn.Conv2d | nn.Linear, seed: int, name: str, index: int) -> nn.Module:
    """Return the layer with He weights (normal, variance 2/fan-in) from a stream of its own, and biases 0."""
    weight, bias = layer.weight, layer.bias
    random = stream(seed, f"initial cnn {name}", index)
    drawn = random.standard_normal(weight.shape, np.float32) * np.float32(np.sqrt(2 / prod(weight.shape[1:])))
    with torch.no_grad():
        weight.copy_(torch.from_numpy(drawn))
        if bias is not None:
            bias.zero_()
    return layer
