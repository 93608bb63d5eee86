"""An FCN (Long et al., 2015) with a thinned ResNet-50 (He et al., 2016) as encoder and a shallow decoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from gradnorm.common.randomness import stream
from gradnorm.models import initialization
from gradnorm.models.maps import COLORS, DenseNetwork, doublings, scaled

_STEM = 64
# Of each stage: how many blocks, their channels, how much they halve the maps. ResNet-50 has 2048 channels in the
# last one, and halves the maps one stage later each time.
_STAGES = ((3, 256, 2), (4, 512, 2), (6, 1024, 2), (3, 1024, 1))
# A bottleneck block has this many times fewer channels inside.
_NARROWING = 4
# Channels of the decoder as the maps grow from 1/32 of the picture to 1/16, 1/8, 1/4, 1/2, 1.
_DECODER = (256, 128, 64, 64, 64)


class ResNetFCN(DenseNetwork):
    """A network from pictures to maps: a thinned ResNet-50 as encoder, and a shallow decoder with learnt upsampling.

    outputs: channels of each task's map, as in (48, 1, 3) for 48 keypoints, depth and normals.
    width: factor on all channels; 1.0 has about 15 million parameters.
    stride: height of the inputs over that of the maps, 1, 2 or 4; the paper has 4 (320 × 320 to 80 × 80).
    seed: the same numbers on every device; head i depends on (seed, i) alone.
    In training, a batch of one picture must be at least 64 × 64, since batch normalisation sees maps of 1/32 of it.
    Raises ValueError if there is no task, a map without channels, or another stride.

    The second network of section 5.1 of Chen et al. (2018): "stride-2 layers are moved earlier and all 2048-filter
    layers are replaced by 1024-filter layers", a "shallow ResNet decoder", 15 million parameters. It says no more;
    here each stage halves the maps one earlier, the last keeps the size and shape of the one before, and a decoder
    stage is a transposed convolution and one residual block of two 3×3 convolutions.
    """

    def __init__(self, outputs: Sequence[int], *, width: float = 1.0, stride: int = 4, seed: int = 0) -> None:
        decoder = [scaled(n, width) for n in _DECODER[: len(_DECODER) - doublings(stride)]]
        trunk = nn.Sequential(_encoder(width, seed), _decoder(scaled(_STAGES[-1][1], width), decoder, seed))
        super().__init__(trunk, decoder[-1], outputs, "resnet_fcn", seed)


class _Residual(nn.Module):
    """A residual block, ReLU(P(x) + F(x)).

    branch: F, which ends in a batch normalisation.
    projection: P, for a branch that changes the shape; None for the identity.
    """

    def __init__(self, branch: nn.Sequential, projection: nn.Module | None) -> None:
        super().__init__()
        # F is 0 at first (Goyal et al., 2017). Otherwise every block doubles the variance, until the running means
        # and variances are known: a first evaluation would be off by a factor of a thousand.
        nn.init.zeros_(cast(nn.BatchNorm2d, branch[-1]).weight)
        self.branch = branch
        self.projection = nn.Identity() if projection is None else projection
        self.relu = nn.ReLU()

    def forward(self, inputs: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch outputs h w"]:
        """Return the block's output."""
        return self.relu(self.projection(inputs) + self.branch(inputs))


def _encoder(width: float, seed: int) -> nn.Sequential:
    """Return the ResNet: [B, 3, H, W] → [B, 1024, H/32, W/32]."""
    channels = scaled(_STEM, width)
    random = stream(seed, "initial resnet_fcn stem")
    layers: list[nn.Module] = [
        *_normalised(COLORS, channels, random, kernel=7, stride=2),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
    ]
    for i, (blocks, full, stride) in enumerate(_STAGES):
        outputs = scaled(full, width)
        for k in range(blocks):
            random = stream(seed, "initial resnet_fcn encoder", i, k)
            layers.append(_bottleneck(channels, outputs, random, stride if k == 0 else 1))
            channels = outputs
    return nn.Sequential(*layers)


def _decoder(inputs: int, channels: Sequence[int], seed: int) -> nn.Sequential:
    """Return the decoder. Each of its stages doubles height and width.

    inputs: channels of its input.  channels: those of each stage's output.
    """
    layers: list[nn.Module] = []
    for i, n in enumerate(channels):
        random = stream(seed, "initial resnet_fcn decoder", i)
        layers += [initialization.doubling(inputs, n, random), nn.BatchNorm2d(n), nn.ReLU()]
        branch = nn.Sequential(*_normalised(n, n, random), nn.ReLU(), *_normalised(n, n, random))
        layers.append(_Residual(branch, None))
        inputs = n
    return nn.Sequential(*layers)


def _bottleneck(inputs: int, outputs: int, random: np.random.Generator, stride: int) -> _Residual:
    inner = max(1, outputs // _NARROWING)
    branch = nn.Sequential(
        *_normalised(inputs, inner, random, kernel=1),
        nn.ReLU(),
        *_normalised(inner, inner, random, stride=stride),
        nn.ReLU(),
        *_normalised(inner, outputs, random, kernel=1),
    )
    if inputs == outputs and stride == 1:
        return _Residual(branch, None)
    return _Residual(branch, nn.Sequential(*_normalised(inputs, outputs, random, kernel=1, stride=stride)))


def _normalised(
    inputs: int, outputs: int, random: np.random.Generator, *, kernel: int = 3, stride: int = 1
) -> Iterator[nn.Module]:
    """Yield a convolution and its batch normalisation."""
    yield initialization.convolution(inputs, outputs, random, kernel=kernel, stride=stride, bias=False)
    yield nn.BatchNorm2d(outputs)
