"""The networks for facial landmarks of the supplement, section 7.2, of Chen et al. (2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Task
from gradnorm.models import initialization
from gradnorm.models.maps import scaled
from gradnorm.models.network import Network, Units, as_floats

_UNITS = 100


@dataclass(frozen=True)
class _Conv:
    """A convolution, its ReLU, and perhaps a max-pooling of 2 × 2 after it."""

    kernel: int
    channels: int
    padding: int
    pool: bool


def _pair(channels: int, pool: bool = True) -> tuple[_Conv, _Conv]:
    return _Conv(3, channels, 1, False), _Conv(3, channels, 1, pool)


# By height and width of the pictures: the convolutions, and the height and width of the maps that they leave.
_STACKS: dict[int, tuple[tuple[_Conv, ...], int]] = {
    # Zhang et al. (2014), Figure 3: 40 → 18 → 8 → 3 → 2, no convolution goes over the edge.
    40: ((_Conv(5, 16, 0, True), _Conv(3, 48, 0, True), _Conv(3, 64, 0, True), _Conv(2, 64, 0, False)), 2),
    # [CONV-5-16][POOL-2][CONV-3-32]²[POOL-2][CONV-3-64]²[POOL-2][[CONV-3-128]²[POOL-2]]²[CONV-3-128]²[FC-100]
    160: ((_Conv(5, 16, 2, True), *_pair(32), *_pair(64), *_pair(128), *_pair(128), *_pair(128, pool=False)), 5),
}


class LandmarkNetwork(Network):
    """Faces to vectors: convolutions, a fully connected layer of 100 units, which is W, and an affine head a task.

    size: height and width of the pictures. 40 is the network of Zhang et al. (2014), 160 the paper's deeper one.
    channels: of the pictures, 1 for grey ones.  tasks: declarations of the heads.
    width: factor on the channels and the units of W.
    seed: the same numbers on every device; head i depends on (seed, i) alone.
    Raises ValueError for no task.

    Differs from Zhang et al.: ReLU where they have |tanh|, and no dropout; the paper leaves both open.
    """

    def __init__(
        self, size: Literal[40, 160], channels: int, tasks: Sequence[Task], *, width: float = 1.0, seed: int = 0
    ) -> None:
        super().__init__()
        if not tasks:
            raise ValueError("tasks should be at least one. Found none. Pass the tasks of a data set.")
        stack, left = _STACKS[size]
        layers: list[nn.Module] = []
        for i, conv in enumerate(stack):
            outputs = scaled(conv.channels, width)
            random = stream(seed, f"initial landmarks {size}", i)
            layers += [
                initialization.convolution(channels, outputs, random, kernel=conv.kernel, padding=conv.padding),
                nn.ReLU(),
                *([nn.MaxPool2d(2)] if conv.pool else []),
            ]
            channels = outputs
        units = scaled(_UNITS, width)
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        random = stream(seed, f"initial landmarks {size} last shared layer")
        self.last_shared_layer = initialization.linear(channels * left**2, units, random)
        self.heads = nn.ModuleList(
            initialization.linear(units, task.outputs, stream(seed, f"initial landmarks {size} head", i))
            for i, task in enumerate(tasks)
        )
        self.units = Units(tasks)

    def shared(self, inputs: Shaped[Tensor, "batch channels size size"]) -> Float[Tensor, "batch units"]:
        """Return Z, the output of W before its ReLU: [B, channels, size, size] → [B, 100].

        inputs: of uint8 0 … 255, or floats around 0.
        """
        return self.last_shared_layer(self.trunk(as_floats(inputs)))

    def predict(self, features: Float[Tensor, "batch units"]) -> list[Float[Tensor, "batch _"]]:
        """Return each task's output from Z: T tensors of shape [B, outputs]."""
        hidden = features.relu()
        return self.units([head(hidden) for head in self.heads])
