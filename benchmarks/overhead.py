"""What GradNorm costs: its step over the fastest plain PyTorch step with equal weights, on one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle, pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.environment import environment
from benchmarks.peers import sizes
from benchmarks.rounds import fastest, medians, one_thread, ratio, timed
from gradnorm.balancer.gradnorm import GradNorm
from gradnorm.config.spec import RunSpec, preset
from gradnorm.datasets.base import Batch
from gradnorm.metrics import task_losses
from gradnorm.models.mlp import MLP
from gradnorm.training.batched.group import Group
from gradnorm.training.run import Run

# The library in a loop of one's own, by what is unlike the plain loop: the losses' form, and GradNorm's options.
LIBRARY: Mapping[str, tuple[bool, Mapping[str, int]]] = {
    "library": (False, {}),
    "library, losses in one tensor": (True, {}),
    "library, every=10": (False, {"every": 10}),
}
# The same loop without the library.
LOOP = "plain, a head a task"
TOYS = {name: len(sigmas) for name, sigmas in sizes().items()}
# So many batches are made beforehand and seen in turn.
BATCHES = 8

Step = Callable[[], object]
Backward = Callable[[Sequence[Tensor], MLP], object]


def run(rounds: int = 15) -> dict[str, Any]:
    """Return the ratios, with the medians in milliseconds beside them."""
    from benchmarks.segnet import ratio as segnet

    results: dict[str, float] = {}
    library: dict[str, dict[str, float]] = {}
    details: dict[str, Any] = {}
    for name, tasks in TOYS.items():
        with one_thread():
            times = timed(steps(tasks), rounds)
        plain = fastest(times, [key for key in times if key.startswith("plain")])
        results[name] = round(ratio(times, "gradnorm", plain), 3)
        library[name] = {kind: round(ratio(times, kind, LOOP), 3) for kind in LIBRARY}
        explicit = round(ratio(times, "gradnorm", "equal weights, as one program"), 3)
        details[name] = {"milliseconds": medians(times), "fastest plain": plain, "over equal weights": explicit}
    # Its rounds are of one step each.
    details["segnet-3"] = segnet(2 * rounds)
    results["segnet-3"] = round(details["segnet-3"]["ratio"], 3)
    return {
        "benchmark": "overhead",
        "environment": environment(),
        "results": results,
        "library": library,
        "details": details,
    }


def toy(tasks: int, **changes: Any) -> RunSpec:
    """Return the toy of the paper with T tasks, one of `TOYS`."""
    fixed = {"device": "cpu", "steps": 1_000_000, "learning_rate": 1e-4, "sigmas": sizes()[f"toy-{tasks}"]}
    return preset("toy-2", {**fixed, **changes})


def steps(tasks: int) -> dict[str, Step]:
    """Return the steps that are compared, by name, all on the same batches."""
    source = toy(tasks).dataset.load(0)
    batches = [source.batch(step, 100) for step in range(1, BATCHES + 1)]
    found = {
        "plain, one head for all": one_head(source.shape[0], source.tasks, batches, fused=True),
        "plain, one head for all, foreach": one_head(source.shape[0], source.tasks, batches, fused=False),
        LOOP: loop(source.shape[0], source.tasks, batches, plain_backward),
    }
    for kind, (stacked, options) in LIBRARY.items():
        found[kind] = loop(source.shape[0], source.tasks, batches, library_backward(tasks, stacked, options))
    found["gradnorm"] = program(toy(tasks))
    found["equal weights, as one program"] = program(toy(tasks, method="equal", watch_norms=False))
    return found


def program(spec: RunSpec) -> Step:
    """Return the engine's own step, records included."""
    group = Group([Run.build(spec)])
    made = cycle([group.batch(step) for step in range(1, BATCHES + 1)])
    return lambda: group.advance(*next(made))


def one_head(features: int, tasks: Any, batches: list[Batch], *, fused: bool) -> Step:
    """Return a plain step in which all heads are one layer and all losses one mean: PyTorch's least work."""
    outputs = tasks[0].outputs
    sizes = [features, 100, 100, 100, 100, outputs * len(tasks)]
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
    network = nn.Sequential(*layers[:-1])
    optimizer = _sgd(network, fused)
    made = cycle([(batch.inputs, torch.cat(batch.targets, 1)) for batch in batches])

    def step() -> None:
        inputs, targets = next(made)
        optimizer.zero_grad(set_to_none=True)
        (functional.mse_loss(network(inputs), targets) * len(tasks)).backward()
        optimizer.step()

    return step


def loop(features: int, tasks: Any, batches: list[Batch], backward: Backward) -> Step:
    """Return a step of the project's network as anyone would write it.

    backward: called with the T losses and the network.
    """
    network = MLP(features, tasks)
    optimizer = _sgd(network, fused=True)
    made = cycle(batches)

    def step() -> None:
        batch = next(made)
        optimizer.zero_grad(set_to_none=True)
        backward(task_losses(network(batch.inputs), batch.targets, tasks), network)
        optimizer.step()

    return step


def plain_backward(losses: Sequence[Tensor], _: MLP) -> None:
    """Back-propagate the sum of the losses."""
    cast("Tensor", sum(losses)).backward()


def library_backward(tasks: int, stacked: bool, options: Mapping[str, int]) -> Backward:
    """Return what calls `GradNorm.backward` where the plain loop calls `sum(losses).backward()`.

    stacked: whether the losses are handed over as one tensor.  options: of `GradNorm`.
    """
    # With another α it would warn of tasks whose losses rise while these networks, which learn nothing, are timed.
    balancer = GradNorm(tasks, alpha=0.0, **cast("Any", options))

    def backward(losses: Sequence[Tensor], network: MLP) -> None:
        balancer.backward(torch.stack(list(losses)) if stacked else losses, shared=network.last_shared_layer)

    return backward


def _sgd(network: nn.Module, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, fused=fused, foreach=not fused)
