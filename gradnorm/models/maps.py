"""What networks with maps as outputs have in common: a convolution as W, and one as each head."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from gradnorm.common.randomness import stream
from gradnorm.models import initialization
from gradnorm.models.network import Network, as_floats

COLORS = 3
STRIDES = (1, 2, 4)


class DenseNetwork(Network):
    """Pictures to maps: all parameters are shared but those of the last convolutions, one a task.

    trunk: gives maps of `channels` channels.
    outputs: channels of each task's map, as in (13, 1, 3) for 13 classes, depth and normals.
    name: of the streams of initial values; head i depends on (seed, name, i) alone.
    Raises ValueError for no task, or a map without channels.
    """

    def __init__(self, trunk: nn.Module, channels: int, outputs: Sequence[int], name: str, seed: int) -> None:
        super().__init__()
        if not outputs or min(outputs) < 1:
            raise ValueError(
                f"outputs should be the channels of at least one map, each 1 or more. Found {list(outputs)}. "
                "Pass (13, 1, 3) for 13 classes, depth and normals."
            )
        self.trunk = trunk
        last = stream(seed, f"initial {name} last shared layer", 0)
        self.last_shared_layer = initialization.convolution(channels, channels, last)
        self.heads = nn.ModuleList(
            initialization.convolution(channels, n, stream(seed, f"initial {name} head", i))
            for i, n in enumerate(outputs)
        )

    def shared(self, inputs: Shaped[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        """Return Z, the output of the last shared convolution: [B, 3, H, W] → [B, C, H/stride, W/stride].

        inputs: of uint8 0 … 255, or floats around 0; height and width are multiples of 32.
        """
        # Z comes straight from the convolution, and nothing but a ReLU lies between it and the heads. Each task's
        # gradient at the heads is then its gradient at Z but for a mask, and one convolution gives all ∇_W L_i.
        # A batch normalisation here would have to be gone through once a task, and its gradient needs two passes
        # over maps that are the largest of the whole network.
        return self.last_shared_layer(self.trunk(as_floats(inputs)))

    def predict(self, features: Float[Tensor, "batch channels h w"]) -> list[Float[Tensor, "batch _ h w"]]:
        """Return each task's map from Z: T tensors of shape [B, outputs, H/stride, W/stride]."""
        hidden = features.relu()
        return [head(hidden) for head in self.heads]


def doublings(stride: int) -> int:
    """Return how often maps are halved at a stride. Raises ValueError if it is not 1, 2 or 4."""
    if stride not in STRIDES:
        raise ValueError(
            f"stride should be 1, 2 or 4, the height of the inputs over that of the maps. Found {stride}. "
            "Pass 4 for maps of 80 × 80 from pictures of 320 × 320."
        )
    return STRIDES.index(stride)


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times a factor, 1 at least."""
    return max(1, round(channels * width))
