"""An autoencoder of garments: three losses that pull at one code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gradnorm.common.randomness import stream
from gradnorm.datasets.builtin.overlay import PICTURE, TEST, TRAIN, labelled_pictures
from gradnorm.datasets.problems.base import Model, Problem, Seen

if TYPE_CHECKING:
    from torch import Tensor, nn

# The frozen layers that compare pictures by more than their pixels: channels, kernel and stride of each.
_FEATURES = ((16, 5, 2), (32, 3, 2))
_HIDDEN = 256


class Autoencoder(Problem):
    """Pictures of garments through a code of a few numbers, and back.

    Perceptual losses compare what a trained network sees (Johnson et al., 2016); these features are random and frozen.
    """

    name: ClassVar[str] = "autoencoder"
    title: ClassVar[str] = "Autoencoder (garments)"
    summary: ClassVar[str] = "Garments through a short code: pixels, random features, and the size of the code."
    terms: ClassVar[tuple[str, ...]] = ("reconstruction", "perceptual", "latent")
    networks: ClassVar[tuple[str, ...]] = ("autoencoder",)
    pictures: ClassVar[int] = TEST
    recommended: ClassVar[Mapping[str, Any]] = {"optimizer": "adam", "steps": 2000, "batch_size": 64}

    code: int = Field(16, ge=1, le=256, title="Code length", description="Numbers that a picture has to go through.")

    def points(self, random: np.random.Generator, size: int) -> Tensor:
        """Return pictures for training, [size, 784] from 0 to 1."""
        return _rows(random.integers(0, TRAIN, size))

    def test_points(self) -> Tensor:
        """Return the pictures that are not trained on."""
        return _rows(np.arange(TRAIN, TRAIN + TEST))

    def losses(self, model: Model, points: Tensor) -> Sequence[Tensor]:
        """Return the mean squared differences of pixels and of features, and the mean square of the code."""
        code = model.encoded(points)
        answer = model.decoded(code)
        features = (_features(part) for part in (answer, points))
        pixels, perceived = (a.sub(b).square().mean() for a, b in ((answer, points), features))
        return pixels, perceived, code.square().mean()

    def error(self, model: Model) -> float:
        """Return ‖x̂ − x‖₂/‖x‖₂ over the pixels of the test pictures."""
        pictures = self.test_points().to(next(model.parameters()).device)
        return float((model(pictures) - pictures).norm() / pictures.norm())

    def seen(self, model: Model, index: int) -> list[Seen]:
        """Return a test picture and what comes back of it."""
        import torch

        picture = _rows(np.array([TRAIN + index]))
        with torch.no_grad():
            truth, answer = (
                (part.clamp(0, 1) * 255).round().to(torch.uint8).view(PICTURE, PICTURE, 1).numpy()
                for part in (picture, model(picture))
            )
        return [Seen("garment", "picture", truth, answer)]

    def network(self, seed: int) -> nn.Module:
        """Return two fully connected layers in, and two out. W is the layer of the code, where all terms meet."""
        from torch import nn

        class Coder(nn.Module):
            def __init__(self, code: int) -> None:
                super().__init__()
                pixels = PICTURE**2
                self.encoder = nn.Sequential(nn.Linear(pixels, _HIDDEN), nn.ReLU())
                self.last_shared_layer = nn.Linear(_HIDDEN, code)
                self.decoder = nn.Sequential(nn.Linear(code, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, pixels))

            def encoded(self, pictures: Tensor) -> Tensor:
                return self.last_shared_layer(self.encoder(pictures))

            def decoded(self, code: Tensor) -> Tensor:
                return self.decoder(code)

            def forward(self, pictures: Tensor) -> Tensor:
                return self.decoded(self.encoded(pictures))

        coder = Coder(self.code)
        _fill(coder, stream(seed, "initial autoencoder"))
        return coder


def _rows(places: NDArray[np.int64]) -> Tensor:
    """Return garments as rows of pixels from 0 to 1, [N, 784]."""
    import torch

    return torch.from_numpy(_garments()[places].reshape(len(places), -1) / np.float32(255))


@lru_cache(maxsize=1)
def _garments() -> NDArray[np.uint8]:
    return labelled_pictures("fashion-t10k")[0]


@lru_cache(maxsize=4)
def _kernels(device: str) -> list[Tensor]:
    """Return the weights of the frozen layers, the same in every run."""
    import torch

    channels, kernels = 1, list[torch.Tensor]()
    for place, (outputs, size, _) in enumerate(_FEATURES):
        shape = (outputs, channels, size, size)
        drawn = stream(0, "frozen features", place).normal(0, np.sqrt(2 / (channels * size**2)), shape)
        kernels.append(torch.from_numpy(drawn.astype(np.float32)).to(device))
        channels = outputs
    return kernels


def _features(rows: Tensor) -> Tensor:
    """Return what the frozen layers see in pictures [N, 784]."""
    from torch.nn import functional

    seen = rows.view(-1, 1, PICTURE, PICTURE)
    for kernel, (_, _, stride) in zip(_kernels(str(rows.device)), _FEATURES, strict=True):
        seen = functional.conv2d(seen, kernel, stride=stride).relu()
    return seen


def _fill(network: nn.Module, random: np.random.Generator) -> None:
    """Draw initial weights as in He et al. (2015): normal with variance 2/inputs; biases are 0."""
    import torch

    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.zero_()
            else:
                drawn = random.normal(0, np.sqrt(2 / parameter.shape[1]), tuple(parameter.shape))
                parameter.copy_(torch.from_numpy(drawn))
