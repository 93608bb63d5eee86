"""SegNet (Badrinarayanan, Kendall, Cipolla, 2017) with a symmetric VGG16 encoder and decoder, one small head a task."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gradnorm.common.randomness import stream
from gradnorm.models import initialization
from gradnorm.models.maps import COLORS, DenseNetwork, doublings, scaled

# VGG16: how many 3×3 convolutions a stage has, and how many channels.
_STAGES = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))


class SegNet(DenseNetwork):
    """A network from pictures to maps: an encoder, and a decoder that mirrors it up to the size of the maps.

    outputs: channels of each task's map, as in (13, 1, 3) for 13 classes, depth and normals.
    width: factor on the channels of every stage; 1.0 has about 29 million parameters.
    stride: height of the inputs over that of the maps, 1, 2 or 4; the paper has 4 (320 × 320 to 80 × 80).
    seed: the same numbers on every device; head i depends on (seed, i) alone.
    Raises ValueError if there is no task, a map without channels, or another stride.

    The network of section 5.1 of Chen et al. (2018).
    Differs from it: no batch normalisation between the last shared convolution and the heads; see `shared`.
    """

    def __init__(self, outputs: Sequence[int], *, width: float = 1.0, stride: int = 1, seed: int = 0) -> None:
        stages = [(depth, scaled(channels, width)) for depth, channels in _STAGES]
        final = doublings(stride)
        super().__init__(_Trunk(stages, final, seed), stages[final][1], outputs, "segnet", seed)


class _Trunk(nn.Module):
    """Encoder and decoder, all but the decoder's last convolution.

    A decoder stage puts each value where the encoder stage of the same size had found its maximum.
    final: the stage at whose size the decoder ends.
    """

    def __init__(self, stages: Sequence[tuple[int, int]], final: int, seed: int) -> None:
        super().__init__()
        inputs = [COLORS, *(channels for _, channels in stages[:-1])]
        down = [[before, *[n] * depth] for before, (depth, n) in zip(inputs, stages, strict=True)]
        # The decoder mirrors the encoder. The mirror of the final stage's first convolution are the heads, that of its
        # second is W, and the mirror of its other convolutions is the end of the decoder.
        up = [row[:0:-1] + row[:1] for row in down[:final:-1]] + [down[final][:1:-1]]
        self.encoder = nn.ModuleList(_stage(row, seed, "encoder", i) for i, row in enumerate(down))
        self.decoder = nn.ModuleList(_stage(row, seed, "decoder", i) for i, row in enumerate(up))

    def forward(self, inputs: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels h w"]:
        """Return the input of the last shared layer: [B, 3, H, W] → [B, C, H/stride, W/stride]."""
        hidden = inputs
        places: list[Tensor] = []
        for stage in self.encoder:
            hidden, where = functional.max_pool2d(stage(hidden), 2, return_indices=True)
            places.append(where)
        for stage in self.decoder:
            hidden = stage(functional.max_unpool2d(hidden, places.pop(), [2, 2]))
        return hidden


def _stage(channels: Sequence[int], seed: int, name: str, index: int) -> nn.Sequential:
    """Return convolutions from each number of channels to the next, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise(channels)):
        random = stream(seed, f"initial segnet {name}", index, i)
        # Batch normalisation subtracts the mean, so a bias before it would have no effect.
        layers += [initialization.convolution(inputs, outputs, random, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
