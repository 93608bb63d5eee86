"""The hand-written step of small networks against the same step by torch.func, for one run and for many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any, cast

import torch
from torch import Tensor, func, nn

from benchmarks.environment import environment
from benchmarks.overhead import BATCHES, toy
from benchmarks.rounds import medians, one_thread, ratio, timed
from gradnorm.methods.base import Signal
from gradnorm.models.mlp import MLP
from gradnorm.training.batched.group import Group
from gradnorm.training.batched.optimizers import MOMENTUM
from gradnorm.training.run import Run

TOYS = {"toy-2": 2, "toy-10": 10}
RUNS = (1, 32)
BATCH = 100
RATE = 1e-4

Parameters = dict[str, Tensor]

# torch declares some of these without types, and `vjp` as if it might return a third item.
vmap = cast("Callable[..., Callable[..., Any]]", func.vmap)
vjp = cast("Callable[..., tuple[Any, Callable[..., Any]]]", func.vjp)
grad_and_value = cast("Callable[..., Callable[..., Any]]", func.grad_and_value)
functional_call = cast("Callable[..., Tensor]", func.functional_call)
# What torch's own optimizers use; torch offers no public name for these.
multiply = cast("Callable[..., None]", getattr(torch, "_foreach_mul_"))  # noqa: B009
add = cast("Callable[..., None]", getattr(torch, "_foreach_add_"))  # noqa: B009
stack_module_state = cast("Callable[..., tuple[Parameters, Parameters]]", func.stack_module_state)


def run(rounds: int = 9) -> dict[str, Any]:
    """Return torch.func's time over the hand-written step's, on one thread, for each toy and number of runs."""
    results: dict[str, float] = {}
    details: dict[str, Any] = {}
    with one_thread():
        for toy_name, tasks in TOYS.items():
            for runs in RUNS:
                name = f"{toy_name}, {runs} run{'s' if runs > 1 else ''}"
                steps = {"written out": written_out(tasks, runs), "torch.func": by_functions(tasks, runs)}
                times = timed(steps, rounds)
                results[name] = round(ratio(times, "torch.func", "written out"), 2)
                details[name] = {"milliseconds a step of all": medians(times)}
    return {"benchmark": "functional", "environment": environment(), "results": results, "details": details}


def built(tasks: int, runs: int) -> list[Run]:
    """Return runs of one toy that see the same data and differ in α, from 0 to 3."""
    specs = [toy(tasks, alpha=3 * i / runs, learning_rate=RATE, optimizer="sgd") for i in range(runs)]
    source = specs[0].dataset.load(0)
    return [Run.build(spec, source) for spec in specs]


def written_out(tasks: int, runs: int) -> Callable[[], list[list[float]]]:
    """Return the step of `Group`, which returns the losses of each run, shape [N, T]."""
    group = Group(built(tasks, runs))
    batches = cycle([group.batch(step) for step in range(1, BATCHES + 1)])

    def step() -> list[list[float]]:
        return [list(cast("Any", record).losses) for record in group.advance(*next(batches))]

    return step


def by_functions(tasks: int, runs: int) -> Callable[[], list[list[float]]]:
    """Return the same step by torch.func: `stack_module_state` and `functional_call` under `vmap`.

    It has no needless work but a second pass over W's layer (see `_gradients_of`): each head is differentiated for its
    own task, W once for each task, the trunk once with the weighted sum. Optimizer and method are the same, and so is
    the record's one transfer.
    """
    made = built(tasks, runs)
    models = [cast("MLP", each.model) for each in made]
    # All heads are of one shape, so that a run's heads are a stack, too.
    heads = [_stacked(list(model.heads)) for model in models]
    parameters = {
        "trunk": _stacked([model.trunk for model in models]),
        "shared": _stacked([model.last_shared_layer for model in models]),
        "heads": {name: torch.stack([head[name] for head in heads]) for name in heads[0]},
    }
    velocities = {part: {name: torch.zeros_like(p) for name, p in own.items()} for part, own in parameters.items()}
    gradients = vmap(_gradients_of(models[0]), in_dims=(0, 0, None, None))
    first = made[0]
    like = torch.ones(runs, tasks)
    # α is a column: all else that the method declares is the same in all runs. It was validated for each run.
    alphas = torch.tensor([cast("Any", each.balancer.method).alpha for each in made])[:, None]
    method = first.balancer.method.model_copy(update={"alpha": alphas})
    state = method.start(like, [task.kind for task in first.source.tasks])
    sources = [first.source.batch(step, BATCH) for step in range(1, BATCHES + 1)]
    batches = cycle([(batch.inputs, torch.stack(list(batch.targets))) for batch in sources])
    taken = 0

    def step() -> list[list[float]]:
        nonlocal state, taken
        taken += 1
        inputs, targets = next(batches)
        losses, norms, grads = gradients(parameters, state.weights, inputs, targets)
        for part, own in parameters.items():
            kept, moved = list(velocities[part].values()), list(own.values())
            multiply(kept, MOMENTUM)
            add(kept, [grads[part][name] for name in own])
            add(moved, kept, alpha=-RATE)
        balance, state = method.balance(state, Signal(losses, norms, None, taken, complete=True))
        vectors = (balance.losses, balance.weights, balance.loss_ratios, balance.relative_rates, norms, balance.targets)
        numbers = torch.cat([vector for vector in vectors if vector is not None], 1).tolist()
        return [row[:tasks] for row in numbers]

    return step


def _stacked(modules: list[nn.Module]) -> Parameters:
    return {name: value.detach() for name, value in stack_module_state(modules)[0].items()}


def _gradients_of(model: MLP) -> Callable[..., tuple[Tensor, Tensor, dict[str, Parameters]]]:
    """Return a function of one run's (parameters, w, inputs, targets): L, ‖∇_W L_i‖₂ and the gradients of a step.

    The weights apply to what the tasks share; each head gets the gradient of its own loss.
    """
    head = model.heads[0]

    def task_loss(head_parameters: Parameters, target: Tensor, hidden: Tensor) -> Tensor:
        return (functional_call(head, head_parameters, (hidden,)) - target).square().mean()

    def trunk_of(inputs: Tensor, trunk: Parameters) -> Tensor:
        return functional_call(model.trunk, trunk, (inputs,))

    def shared_layer(shared: Parameters, below: Tensor) -> Tensor:
        return functional_call(model.last_shared_layer, shared, (below,)).relu()

    by_task = vmap(grad_and_value(task_loss, argnums=(0, 2)), in_dims=(0, 0, None))

    def gradients(
        parameters: dict[str, Parameters], weights: Tensor, inputs: Tensor, targets: Tensor
    ) -> tuple[Tensor, Tensor, dict[str, Parameters]]:
        shared = parameters["shared"]
        below, pull_trunk = vjp(partial(trunk_of, inputs), parameters["trunk"])
        hidden, pull_shared = vjp(partial(shared_layer, below=below), shared)
        # A second pass over this one layer: with both arguments in one pullback, T tasks would each go down to `below`.
        _, pull_below = vjp(partial(shared_layer, shared), below)
        (by_head, by_hidden), losses = by_task(parameters["heads"], targets, hidden)
        (by_shared,) = vmap(pull_shared)(by_hidden)
        norms = torch.stack([grad.flatten(1).square().sum(1) for grad in by_shared.values()]).sum(0).sqrt()
        (by_below,) = pull_below(torch.tensordot(weights, by_hidden, 1))
        (trunk,) = pull_trunk(by_below)
        weighted = {name: torch.tensordot(weights, grad, 1) for name, grad in by_shared.items()}
        return losses, norms, {"trunk": trunk, "shared": weighted, "heads": by_head}

    return gradients
