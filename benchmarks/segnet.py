"""What a GradNorm step costs on SegNet with three tasks, over a plain step of equal weights."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.rounds import one_thread
from gradnorm.balancer.gradnorm import GradNorm
from gradnorm.common.randomness import stream
from gradnorm.models.segnet import SegNet

# 13 classes, depth and normals, as in section 5.1 of the paper.
OUTPUTS = (13, 1, 3)
BATCH, SIZE = 4, 64


def ratio(rounds: int = 20, device: str = "cpu") -> dict[str, float]:
    """Measure both kinds of step in turns, and return {"ratio", "gradnorm_ms", "plain_ms"}.

    rounds: ≥ 1, of one step each, after two that do not count.  Uses one thread of torch.
    ratio is the median of the rounds' own ratios; the times are medians, in milliseconds of a whole step: forward,
    backward, weights and SGD with momentum.
    """
    with one_thread():
        # Both train the same network in turns: where a network's memory happens to lie is worth several percent.
        training, batch = _Training(device), _batch(device)
        steps = _gradnorm_step(training, batch), _plain_step(training, batch)
        times: list[list[float]] = [[], []]
        for i in range(rounds + 2):
            # Each goes first every other time, so that neither gains from a warm cache.
            for k in (0, 1) if i % 2 else (1, 0):
                times[k].append(_milliseconds(steps[k], device))
    gradnorm, plain = (row[2:] for row in times)
    return {
        "ratio": statistics.median(a / b for a, b in zip(gradnorm, plain, strict=True)),
        "gradnorm_ms": statistics.median(gradnorm),
        "plain_ms": statistics.median(plain),
    }


@dataclass
class _Training:
    device: str
    model: SegNet = field(init=False)
    optimizer: torch.optim.Optimizer = field(init=False)

    def __post_init__(self) -> None:
        self.model = SegNet(OUTPUTS).to(self.device)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-4, momentum=0.9, fused=True)


Batch = tuple[Tensor, Tensor, Tensor, Tensor]


def _batch(device: str) -> Batch:
    random = stream(0, "segnet benchmark")
    images, depth, normals = (
        torch.from_numpy(random.standard_normal((BATCH, n, SIZE, SIZE), dtype=np.float32)).to(device) for n in (3, 1, 3)
    )
    classes = torch.from_numpy(random.integers(0, OUTPUTS[0], (BATCH, SIZE, SIZE))).to(device)
    return images, classes, depth, functional.normalize(normals)


def _losses(maps: list[Tensor], batch: Batch) -> list[Tensor]:
    """Return cross entropy, mean absolute error and 1 − cosine, one scalar a task."""
    _, classes, depth, normals = batch
    return [
        functional.cross_entropy(maps[0], classes),
        functional.l1_loss(maps[1], depth),
        1 - functional.cosine_similarity(maps[2], normals).mean(),
    ]


def _gradnorm_step(training: _Training, batch: Batch) -> Callable[[], object]:
    model, balancer = training.model, GradNorm(len(OUTPUTS))

    def step() -> None:
        training.optimizer.zero_grad()
        features = model.shared(batch[0])
        losses = _losses(model.predict(features), batch)
        balancer.backward(losses, shared=model.last_shared_layer, features=features)
        training.optimizer.step()

    return step


def _plain_step(training: _Training, batch: Batch) -> Callable[[], object]:
    def step() -> None:
        training.optimizer.zero_grad()
        cast(Tensor, sum(_losses(training.model(batch[0]), batch))).backward()
        training.optimizer.step()

    return step


def _milliseconds(step: Callable[[], object], device: str) -> float:
    start = time.perf_counter()
    step()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - start)
