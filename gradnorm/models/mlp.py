"""The paper's toy network: fully connected ReLU layers that all tasks share, then one affine head each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradnorm.common.randomness import stream
from gradnorm.datasets.base import Task
from gradnorm.models.network import Network, Units

Initialization = Literal["he", "xavier", "uniform"]
Layer = TypeVar("Layer", bound=nn.Linear)


class MLP(Network):
    """Fully connected ReLU layers, the last of which is W, and one affine head a task.

    features: D, the numbers of one input.
    tasks: T declarations of the heads, all of vectors.
    width: the units of each shared layer, ≥ 1.
    depth: the number of shared layers, ≥ 1.
    initialization: "he" and "xavier" draw normal weights, "uniform" is PyTorch's default.
    seed: ≥ 0; the initial parameters are the same on every device, and head i depends on (seed, i) alone.

    The network of section 4 of Chen et al. (2018).
    """

    def __init__(
        self,
        features: int,
        tasks: Sequence[Task],
        *,
        width: int = 100,
        depth: int = 4,
        initialization: Initialization = "he",
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = [features, *[width] * (depth - 1)]
        layers: list[nn.Module] = []
        for i in range(depth - 1):
            layers += [linear(sizes[i], width, initialization, seed, "layer", i), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.last_shared_layer = linear(sizes[-1], width, initialization, seed, "layer", depth - 1)
        self.heads = nn.ModuleList(
            linear(width, task.outputs, initialization, seed, "head", i) for i, task in enumerate(tasks)
        )
        self._units = Units(tasks)

    def shared(self, inputs: Float[Tensor, "batch features"]) -> Float[Tensor, "batch width"]:
        """Return Z, the output of the last shared layer before its ReLU: [B, D] → [B, width]."""
        return self.last_shared_layer(self.trunk(inputs))

    def predict(self, features: Float[Tensor, "batch width"]) -> list[Float[Tensor, "batch _"]]:
        """Return each task's output from Z: T tensors of shape [B, outputs]."""
        hidden = features.relu()
        return self._units([head(hidden) for head in self.heads])


def linear(
    inputs: int,
    outputs: int,
    initialization: Initialization,
    seed: int,
    name: str,
    index: int,
    kind: type[Layer] = nn.Linear,
) -> Layer:
    """Return an affine layer of a kind with weights from a stream of its own; biases are 0 unless "uniform"."""
    random = stream(seed, f"initial {name}", index)
    layer = kind(inputs, outputs)
    if initialization == "uniform":  # torch's own default, the same distribution from our stream
        bound = 1 / np.sqrt(inputs)
        weight = random.uniform(-bound, bound, (outputs, inputs))
        bias = random.uniform(-bound, bound, outputs)
    else:
        variance = 2 / inputs if initialization == "he" else 2 / (inputs + outputs)
        weight = random.normal(0.0, np.sqrt(variance), (outputs, inputs))
        bias = np.zeros(outputs)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight))
        layer.bias.copy_(torch.from_numpy(bias))
    return layer
