"""A small convolutional network for small pictures: three convolutions, one shared layer, one affine head a task."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Task
from gradnorm.models.initialization import convolution, linear
from gradnorm.models.maps import scaled
from gradnorm.models.network import Network, Units, as_floats

_CHANNELS, _UNITS = (16, 32, 64), 128


class CNN(Network):
    """Three 3×3 convolutions with ReLU and 2×2 max pooling, a fully connected layer W, and T affine heads.

    shape: (channels, H, W) of the pictures; H and W are at least 8.
    tasks: T declarations of the heads, all of vectors.
    width: > 0, a factor on all channels and units.
    seed: ≥ 0; head i depends on (seed, i) alone.
    """

    def __init__(self, shape: Sequence[int], tasks: Sequence[Task], *, width: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        channels = [shape[0], *(scaled(n, width) for n in _CHANNELS)]
        units = scaled(_UNITS, width)
        layers: list[nn.Module] = []
        for i, (inputs, outputs) in enumerate(pairwise(channels)):
            random = stream(seed, "initial cnn convolution", i)
            layers += [convolution(inputs, outputs, random), nn.ReLU(), nn.MaxPool2d(2)]
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        flat = channels[-1] * (shape[1] // 8) * (shape[2] // 8)
        self.last_shared_layer = linear(flat, units, stream(seed, "initial cnn layer", 0))
        self.heads = nn.ModuleList(
            linear(units, task.outputs, stream(seed, "initial cnn head", i)) for i, task in enumerate(tasks)
        )
        self._units = Units(tasks)

    def shared(self, inputs: Shaped[Tensor, "batch channels height width"]) -> Float[Tensor, "batch units"]:
        """Return Z, the output of the last shared layer before its ReLU: [B, C, H, W] → [B, units]."""
        return self.last_shared_layer(self.trunk(as_floats(inputs)))

    def predict(self, features: Float[Tensor, "batch units"]) -> list[Float[Tensor, "batch _"]]:
        """Return each task's output from Z: T tensors of shape [B, outputs]."""
        hidden = features.relu()
        return self._units([head(hidden) for head in self.heads])
