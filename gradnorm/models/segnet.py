"""SegNet (Badrinarayanan, Kendall, Cipolla, 2017) with a symmetric VGG16 encoder and decoder, one small head a task."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gradnorm.randomness import stream

# VGG16: how many 3×3 convolutions a stage has, and how many channels.
_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
_COLORS = 3


class SegNet(nn.Module):
    """Images to dense maps: all parameters are shared but those of the last convolutions, one a task.

    outputs: channels of each task's map, as in (13, 1, 3) for 13 classes, depth and normals.
    width: factor on the channels of every stage; 1.0 has about 29 million parameters.
    seed: the same numbers on every device; head i depends on (seed, i) alone.
    Raises ValueError for no task, or a map without channels.

    The network of section 5.1 of Chen et al. (2018).
    Differs from it: no batch normalisation between the last shared convolution and the heads; see `shared`.
    """

    def __init__(self, outputs: Sequence[int], *, width: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        if not outputs or min(outputs) < 1:
            raise ValueError(
                f"outputs should be the channels of at least one map, each 1 or more. Found {list(outputs)}. "
                "Pass (13, 1, 3) for 13 classes, depth and normals."
            )
        stages = [(depth, max(1, round(channels * width))) for depth, channels in _STAGES]
        last = stages[0][1]
        self.trunk = _Trunk(stages, seed)
        self.last_shared_layer = _convolution(last, last, seed, "last shared layer", 0)
        self.heads = nn.ModuleList(_convolution(last, n, seed, "head", i) for i, n in enumerate(outputs))

    def shared(self, inputs: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels height width"]:
        """Return Z, the output of the last shared convolution: [B, 3, H, W] → [B, C, H, W].

        inputs: height and width are multiples of 32, since each of five stages halves them.
        """
        # Z comes straight from the convolution, and nothing but a ReLU lies between it and the heads. Each task's
        # gradient at the heads is then its gradient at Z but for a mask, and one convolution gives all ∇_W L_i.
        # A batch normalisation here would have to be gone through once a task, and its gradient needs two passes
        # over maps that are the largest of the whole network.
        return self.last_shared_layer(self.trunk(inputs))

    def predict(self, features: Float[Tensor, "batch channels height width"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return each task's map from Z: T tensors of shape [B, outputs, H, W]."""
        hidden = features.relu()
        return [head(hidden) for head in self.heads]

    def forward(self, inputs: Float[Tensor, "batch 3 height width"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return each task's map: [B, 3, H, W] → T tensors of shape [B, outputs, H, W]."""
        return self.predict(self.shared(inputs))


class _Trunk(nn.Module):
    """Encoder and decoder, all but the decoder's last convolution.

    A decoder stage puts each value where the encoder stage of the same size had found its maximum.
    """

    def __init__(self, stages: Sequence[tuple[int, int]], seed: int) -> None:
        super().__init__()
        inputs = [_COLORS, *(channels for _, channels in stages[:-1])]
        down = [[before, *[n] * depth] for before, (depth, n) in zip(inputs, stages, strict=True)]
        # The decoder mirrors the encoder; what mirrors its first convolution are the heads and W before them.
        up = [row[:0:-1] + row[:1] for row in down[:0:-1]]
        self.encoder = nn.ModuleList(_stage(row, seed, "encoder", i) for i, row in enumerate(down))
        self.decoder = nn.ModuleList(_stage(row, seed, "decoder", i) for i, row in enumerate(up))

    def forward(self, inputs: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels height width"]:
        """Return the input of the last shared layer: [B, 3, H, W] → [B, C, H, W]."""
        hidden = inputs
        places: list[Tensor] = []
        for stage in self.encoder:
            hidden, where = functional.max_pool2d(stage(hidden), 2, return_indices=True)
            places.append(where)
        for stage in self.decoder:
            hidden = stage(functional.max_unpool2d(hidden, places.pop(), [2, 2]))
        return functional.max_unpool2d(hidden, places.pop(), [2, 2])


def _stage(channels: Sequence[int], seed: int, name: str, index: int) -> nn.Sequential:
    """Return convolutions through these numbers of channels, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(channels)):
        # The normalisation takes the mean away, so a bias before it would do nothing.
        layers += [_convolution(inputs, outputs, seed, name, index, i, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def _convolution(inputs: int, outputs: int, seed: int, name: str, *index: int, bias: bool = True) -> nn.Conv2d:
    """Return a 3×3 convolution with He weights (normal, variance 2/fan-in) from a stream of its own, and biases 0."""
    # Drawn on the processor, so that the numbers are the same on every device.
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias, device="cpu")
    random = stream(seed, f"initial segnet {name}", *index)
    weight = random.standard_normal(layer.weight.shape, dtype=np.float32) * np.float32(np.sqrt(2 / (9 * inputs)))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        if layer.bias is not None:
            layer.bias.zero_()
    return layer
