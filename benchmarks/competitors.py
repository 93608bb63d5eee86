"""One GradNorm step as different programs take it, each a function of a batch that returns the losses.

All train the same network from the same start by SGD with momentum 0.9, towards α = 0.12. What they do with w differs
as their authors meant it: ours and the naive one move it by Adam, gradnorm-pytorch and LibMTL by plain gradient steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from gradnorm.balancer.gradnorm import GradNorm
from gradnorm.config.spec import RunSpec
from gradnorm.datasets.base import Batch, Source
from gradnorm.metrics import task_losses
from gradnorm.models.mlp import MLP
from gradnorm.runs.records import StepRecord
from gradnorm.training.batched.criterion import Criterion, Targets
from gradnorm.training.batched.group import Group
from gradnorm.training.run import Run

Step = Callable[[Batch], Sequence[Tensor] | Sequence[float]]
Build = Callable[[RunSpec], Step]

WEIGHT_RATE = 0.025
# Of a package and what it imports, none of which brings a torch of its own.
INSTALL = "pip install --no-deps -r requirements-bench.txt"


def toy(tasks: int, sigmas: Sequence[float]) -> RunSpec:
    """Return the spec that all competitors train by."""
    # A learning rate so small that nobody diverges, however long the measurement.
    given = {"dataset": "toy", "tasks": tasks, "sigmas": tuple(sigmas), "learning_rate": 1e-6, "device": "cpu"}
    algorithm = {"method": "gradnorm", "update": "adam", "heads": "weighted"}
    return RunSpec.parse({**given, **algorithm, "alpha": 0.12, "weight_learning_rate": WEIGHT_RATE})


def network(spec: RunSpec) -> tuple[MLP, Source]:
    """Return the untrained network, the same each time, and its data."""
    source = spec.dataset.load(spec.seed)
    return MLP(source.shape[0], source.tasks, width=spec.width, depth=spec.depth, seed=spec.seed), source


def _sgd(model: nn.Module, spec: RunSpec) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=spec.learning_rate, momentum=0.9)


def _alpha(spec: RunSpec) -> float:
    return float(spec.flat()["alpha"])


def ours_engine(spec: RunSpec) -> Step:
    """The engine's step, which makes the step's record too; targets are laid out for it when batches are made."""
    group = Group([Run.build(spec)])
    criterion = Criterion(group.runs[0].source.tasks, spec.batch_size, torch.empty(0))
    packed: dict[int, tuple[Tensor, Targets]] = {}

    def step(batch: Batch) -> Sequence[float]:
        if id(batch) not in packed:
            packed[id(batch)] = batch.inputs.unsqueeze(0), criterion.pack(batch.targets)
        (result,) = group.advance(*packed[id(batch)])
        assert isinstance(result, StepRecord), result
        return result.losses

    return step


def ours_library(spec: RunSpec) -> Step:
    """`GradNorm.backward` in a training loop of one's own, as in the README."""
    model, source = network(spec)
    optimizer = _sgd(model, spec)
    balancer = GradNorm(
        len(source.tasks), alpha=_alpha(spec), update="adam", learning_rate=WEIGHT_RATE, heads="weighted"
    )

    def step(batch: Batch) -> Sequence[Tensor]:
        optimizer.zero_grad()
        features = model.shared(batch.inputs)
        losses = task_losses(model.predict(features), batch.targets, source.tasks)
        balancer.backward(losses, shared=model.last_shared_layer, features=features)
        optimizer.step()
        return losses

    return step


class Naive:
    """Algorithm 1 as it is printed: L_grad is differentiated with respect to w by a second backward pass.

    stacked: losses are one vector before each is differentiated, as published implementations have it; every task's
        pass then goes through all heads.
    """

    def __init__(self, spec: RunSpec, *, stacked: bool = False) -> None:
        self._stacked = stacked
        self.model, source = network(spec)
        self._tasks, self._alpha = source.tasks, _alpha(spec)
        self.w = nn.Parameter(torch.ones(len(self._tasks)))
        self._first: Tensor | None = None
        self._optimizer = _sgd(self.model, spec)
        self._weigher = torch.optim.Adam([self.w], lr=WEIGHT_RATE)

    def __call__(self, batch: Batch) -> Sequence[Tensor]:
        """Take a step."""
        self._optimizer.zero_grad()
        losses = task_losses(self.model(batch.inputs), batch.targets, self._tasks)
        ratio = torch.stack(losses).detach()
        self._first = ratio if self._first is None else self._first
        ratio = ratio / self._first
        W = list(self.model.last_shared_layer.parameters())
        if self._stacked:
            weighted = list((self.w * torch.stack(losses)).unbind())
        else:
            weighted = [w * loss for w, loss in zip(self.w, losses, strict=True)]
        G = torch.stack([_norm(torch.autograd.grad(part, W, create_graph=True)) for part in weighted])
        target = (G.mean() * (ratio / ratio.mean()) ** self._alpha).detach()
        (slope,) = torch.autograd.grad((G - target).abs().sum(), [self.w], retain_graph=True)
        torch.stack(weighted).sum().backward()
        self._optimizer.step()
        self.w.grad = slope
        self._weigher.step()
        with torch.no_grad():
            self.w *= len(losses) / self.w.sum()
        return losses


def naive_stacked(spec: RunSpec) -> Step:
    """The naive step with the losses in one vector."""
    return Naive(spec, stacked=True)


def _norm(grads: Sequence[Tensor]) -> Tensor:
    return torch.cat([g.flatten() for g in grads]).norm()


def gradnorm_pytorch(spec: RunSpec) -> Step:
    """lucidrains' package (MIT); its norms are of one parameter, the last shared layer's matrix."""
    package: Any = import_module("gradnorm_pytorch")
    model, source = network(spec)
    optimizer = _sgd(model, spec)
    weigher = package.GradNormLossWeighter(
        num_losses=len(source.tasks),
        learning_rate=WEIGHT_RATE,
        restoring_force_alpha=_alpha(spec),
        grad_norm_parameters=model.last_shared_layer.weight,
    )

    def step(batch: Batch) -> Sequence[Tensor]:
        optimizer.zero_grad()
        losses = task_losses(model(batch.inputs), batch.targets, source.tasks)
        weigher.backward(losses)
        optimizer.step()
        return losses

    return step


def libmtl(spec: RunSpec) -> Step:
    """LibMTL (MIT) as it is by default, with norms over all shared parameters."""
    return _libmtl(spec, rep_grad=False)


def libmtl_features(spec: RunSpec) -> Step:
    """LibMTL with `rep_grad`: norms of the gradients at the shared features."""
    return _libmtl(spec, rep_grad=True)


def _libmtl(spec: RunSpec, *, rep_grad: bool) -> Step:
    weighting, architecture = _libmtl_parts()
    network_, source = network(spec)
    names = [task.name for task in source.tasks]

    class Model(architecture, weighting):
        def zero_grad_share_params(self) -> None:
            # LibMTL 1.1.5 was written when gradients were set to 0 by default, and fails on None.
            self.encoder.zero_grad(set_to_none=False)

    shared = nn.Sequential(network_.trunk, network_.last_shared_layer, nn.ReLU())
    heads = nn.ModuleDict(dict(zip(names, network_.heads, strict=True)))
    model: Any = Model(names, lambda: shared, heads, rep_grad, False, torch.device("cpu"))
    model.init_param()
    optimizer = _sgd(model, spec)
    # GradNorm begins in its second epoch, with the first one's mean losses for L(0).
    model.epoch, first = 1, True

    def step(batch: Batch) -> Sequence[Tensor]:
        nonlocal first
        optimizer.zero_grad(set_to_none=False)
        outputs = model(batch.inputs)
        # A list, as its documentation has it; with one tensor each task's pass would go through all heads.
        losses = task_losses([outputs[name] for name in names], batch.targets, source.tasks)
        if first:
            model.train_loss_buffer, first = torch.stack(losses).detach().numpy()[:, None], False
        model.backward(losses, alpha=_alpha(spec))
        optimizer.step()
        return losses

    return step


def _libmtl_parts() -> tuple[Any, Any]:
    """Return LibMTL's GradNorm and its network with shared layers, without what needs torchvision beside them."""
    if "LibMTL" not in sys.modules:
        found = find_spec("LibMTL")
        assert found is not None and found.submodule_search_locations is not None  # noqa: PT018
        package = ModuleType("LibMTL")
        package.__path__ = list(found.submodule_search_locations)
        sys.modules["LibMTL"] = package
    hps: Any = import_module("LibMTL.architecture.HPS")
    weighting: Any = import_module("LibMTL.weighting.GradNorm")
    return weighting.GradNorm, hps.HPS


OURS: dict[str, Build] = {"engine": ours_engine, "library": ours_library}
# The package that each one is of; none for the textbook's.
PEERS: dict[str, tuple[str | None, Build]] = {
    "naive double backward": (None, Naive),
    "naive double backward, losses in one vector": (None, naive_stacked),
    "gradnorm-pytorch": ("gradnorm-pytorch", gradnorm_pytorch),
    "LibMTL": ("LibMTL", libmtl),
    "LibMTL, rep_grad": ("LibMTL", libmtl_features),
}


def packages() -> dict[str, str | None]:
    """Return the version of each peer's package; None for one that is not installed."""
    return {package: _version(package) for package, _ in PEERS.values() if package}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
