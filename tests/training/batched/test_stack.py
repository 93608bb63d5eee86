"""Many networks as one program against autograd, network by network, in double precision."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradnorm.datasets.base import Task
from gradnorm.metrics import task_losses
from gradnorm.models.mlp import MLP
from gradnorm.training.batched.criterion import Criterion, Targets
from gradnorm.training.batched.stack import Stack

TASKS = st.lists(
    st.builds(
        Task,
        name=st.just("task"),
        form=st.sampled_from(["regression", "classification"]),
        outputs=st.integers(1, 5),
        center=st.sampled_from([0.0, 3.0]),
        scale=st.sampled_from([1.0, 0.25]),
    ),
    min_size=1,
    max_size=4,
)


def networks(tasks, runs, width, depth):
    # Only a regression's head has units.
    tasks = tuple(replace(t, center=0.0, scale=1.0) if t.kind == "classification" else t for t in tasks)
    return tasks, [MLP(6, tasks, width=width, depth=depth, seed=seed).double() for seed in range(runs)]


def examples(tasks, batch, seed):
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(batch, 6, generator=random, dtype=torch.float64)
    targets = [
        torch.randn(batch, t.outputs, generator=random, dtype=torch.float64)
        if t.kind == "regression"
        else torch.randint(t.outputs, (batch,), generator=random)
        for t in tasks
    ]
    return inputs, targets


def by_autograd(model, inputs, targets, tasks, weights, own=False):
    """Return L_i, ‖∇_W w_i L_i‖ and every parameter's gradient of Σ w_i L_i, or with own heads each head's of L_i."""
    losses = task_losses(model(inputs), targets, tasks)
    shared = list(model.last_shared_layer.parameters())
    norms = [
        torch.cat([g.flatten() for g in torch.autograd.grad(w * loss, shared, retain_graph=True)]).norm()
        for w, loss in zip(weights, losses, strict=True)
    ]
    total = sum(w * loss for w, loss in zip(weights, losses, strict=True))
    grads = torch.autograd.grad(total, list(model.parameters()), retain_graph=own)
    if own:
        heads = list(model.heads.parameters())
        grads = (*grads[: -len(heads)], *torch.autograd.grad(sum(losses), heads))
    return torch.stack(losses), torch.stack(norms), grads


@settings(max_examples=60, deadline=None)
@given(
    tasks=TASKS,
    runs=st.integers(1, 3),
    batch=st.integers(1, 5),
    width=st.integers(1, 7),
    depth=st.integers(1, 3),
    own_data=st.booleans(),
    measure=st.booleans(),
    decay=st.sampled_from([0.0, 0.9]),
    own_heads=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_losses_norms_and_gradients_are_autograd_s(
    tasks, runs, batch, width, depth, own_data, measure, decay, own_heads
):
    tasks, models = networks(tasks, runs, width, depth)
    _, references = networks(tasks, runs, width, depth)
    seen = [examples(tasks, batch, seed) for seed in range(runs if own_data else 1)]
    stack = Stack(models, batch)
    criterion = Criterion(tasks, batch, stack.parameters)
    packed = Targets.join([criterion.pack(targets) for _, targets in seen])
    weights = torch.rand(runs, len(tasks), dtype=torch.float64) + 0.1
    stack.gradients.fill_(0.5)

    losses = criterion.losses(stack.forward(torch.stack([x for x, _ in seen])), packed)
    own = torch.tensor(own_heads[:runs])[:, None]
    at_heads, factors = (weights.where(~own, 1.0), weights.where(own, 1.0)) if own.any() else (weights, None)
    norms = stack.backward(criterion.output_gradients(at_heads), factors, decay=decay, measure=measure)

    for run, model in enumerate(references):
        inputs, targets = seen[run if own_data else 0]
        expected_losses, expected_norms, grads = by_autograd(
            model, inputs, targets, tasks, weights[run], own_heads[run]
        )
        torch.testing.assert_close(losses[run], expected_losses, rtol=1e-9, atol=1e-9)
        if measure:
            torch.testing.assert_close(norms[run], expected_norms, rtol=1e-9, atol=1e-9)
        for found, grad in zip(stack.layout.of_run(stack.gradients, run), grads, strict=True):
            torch.testing.assert_close(found, grad + decay * 0.5, rtol=1e-9, atol=1e-9)
    assert (norms is None) == (not measure)


def test_the_networks_are_views_of_the_stack():
    tasks, models = networks([Task("a", "regression", 3), Task("b", "regression", 1)], 2, 5, 2)
    before = [p.detach().clone() for p in models[1].parameters()]
    stack = Stack(models, 4)
    for parameter, kept in zip(models[1].parameters(), before, strict=True):
        assert torch.equal(parameter, kept)
    inputs, _ = examples(tasks, 4, 0)
    stack.parameters.mul_(2)
    for parameter, kept in zip(models[1].parameters(), before, strict=True):
        assert torch.equal(parameter, 2 * kept)
    outputs = stack.forward(inputs[None])[1].view(4, 2, 3)
    torch.testing.assert_close(outputs[:, 0], models[1](inputs)[0])
    torch.testing.assert_close(outputs[:, 1, :1], models[1](inputs)[1])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_rows_that_no_task_uses_stay_zero(optimizer):
    from gradnorm.training.batched.optimizers import batched_optimizer

    tasks, models = networks([Task("a", "regression", 4), Task("b", "classification", 2)], 2, 5, 1)
    stack = Stack(models, 3)
    flat = batched_optimizer(optimizer, stack, [{}, {}])
    criterion = Criterion(tasks, 3, stack.parameters)
    inputs, targets = examples(tasks, 3, 0)
    for _ in range(5):
        criterion.losses(stack.forward(inputs[None]), criterion.pack(targets))
        stack.backward(
            criterion.output_gradients(torch.ones(2, 2, dtype=torch.float64)), decay=flat.decay, measure=True
        )
        flat.step([0.1, 0.01])
    heads = stack.layout.parts(stack.parameters)[-2].view(2, 2, 4, 5)
    assert bool((heads[:, 1, 2:] == 0).all())
    assert bool((heads[:, 0] != 0).any(-1).all())
