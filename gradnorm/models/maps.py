"""The base of networks whose outputs are maps: W is a convolution, and so is each head."""

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
    """A network from pictures to maps. All parameters are shared, except one last convolution a task.

    trunk: a module from [B, 3, H, W] to maps of `channels` channels.
    channels: ≥ 1, of the trunk's output and of W's.
    outputs: the channels of each task's map, such as (13, 1, 3) for 13 classes, depth and normals.
    name: of the random streams of the initial parameters; head i depends on (seed, name, i) alone.
    seed: ≥ 0.
    Raises ValueError if there is no task, or a map without channels.
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
    """Return log2 of a stride: how often maps are halved. Raises ValueError if the stride is not 1, 2 or 4."""
    if stride not in STRIDES:
        raise ValueError(
            f"stride should be 1, 2 or 4, the height of the inputs over that of the maps. Found {stride}. "
            "Pass 4 for maps of 80 × 80 from pictures of 320 × 320."
        )
    return STRIDES.index(stride)


def scaled(channels: int, width: float) -> int:
    """Return channels × width, rounded, at least 1. channels: ≥ 1.  width: > 0."""
    return max(1, round(channels * width))
