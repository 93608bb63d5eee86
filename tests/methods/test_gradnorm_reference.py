"""`GradNorm` against a naive Algorithm 1 with a double backward pass, in float64, step by step."""

import pytest
import torch
from torch import nn

from gradnorm import GradNorm
from tests.naive import NaiveGradNorm


class MLPNet(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(7, 9), nn.Tanh())
        self.shared = nn.Linear(9, 8)
        self.heads = nn.ModuleList(nn.Linear(8, 3) for _ in range(tasks))

    def features(self, x):
        return self.shared(self.trunk(x))

    def outputs(self, z):
        return [head(torch.tanh(z)) for head in self.heads]


class ConvNet(nn.Module):
    def __init__(self, tasks):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Softplus())
        self.shared = nn.Conv2d(4, 5, 3, padding=1)
        self.heads = nn.ModuleList(nn.Conv2d(5, 2, 1) for _ in range(tasks))

    features = MLPNet.features
    outputs = MLPNet.outputs


def twins(network, tasks):
    torch.manual_seed(3)
    first = network(tasks).double()
    second = network(tasks).double()
    second.load_state_dict(first.state_dict())
    return first, second


def batch(network, step):
    random = torch.Generator().manual_seed(step)
    shape = (6, 7) if network is MLPNet else (6, 2, 5, 5)
    return torch.randn(shape, generator=random, dtype=torch.float64)


def losses_of(net, x):
    z = net.features(x)
    # Scales of 10⁰ … 10⁴ and different curvature, so that norms and rates differ between tasks.
    losses = [(10.0**i) * ((y - i) ** 2).mean() for i, y in enumerate(net.outputs(z))]
    return z, losses


def shared_of(net, which):
    if which == "layer":
        return net.shared
    if which == "weight":
        return net.shared.weight
    return [*net.trunk.parameters(), *net.shared.parameters()]


SLOW = pytest.mark.slow


@pytest.mark.parametrize("network", [MLPNet, ConvNet])
@pytest.mark.parametrize("tasks", [2, 5])
@pytest.mark.parametrize("alpha", [0.12, *(pytest.param(alpha, marks=SLOW) for alpha in (0.0, 1.5))])
@pytest.mark.parametrize("which", ["layer", "weight", "several layers"])
@pytest.mark.parametrize("one_pass", [False, True])
def test_adam_equals_the_naive_algorithm_step_by_step(network, tasks, alpha, which, one_pass):
    ours, theirs = twins(network, tasks)
    balancer = GradNorm(tasks, alpha=alpha, update="adam", heads="weighted")
    naive = NaiveGradNorm(tasks, alpha)
    optimizers = [torch.optim.SGD(net.parameters(), lr=1e-6) for net in (ours, theirs)]
    for step in range(12):
        x = batch(network, step)
        for optimizer in optimizers:
            optimizer.zero_grad()
        z, losses = losses_of(ours, x)
        balance = balancer.backward(losses, shared=shared_of(ours, which), features=z if one_pass else None)
        layer = shared_of(theirs, which)
        shared = list(layer.parameters()) if isinstance(layer, nn.Module) else layer
        shared = [shared] if isinstance(shared, torch.Tensor) else shared
        expected = naive.backward(losses_of(theirs, x)[1], shared, list(theirs.parameters()))
        for name, value in expected.items():
            torch.testing.assert_close(getattr(balance, name), value, rtol=1e-9, atol=1e-9, msg=name)
        torch.testing.assert_close(balancer.weights, naive.w.detach(), rtol=1e-9, atol=1e-9)
        for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-9, atol=1e-9, msg=name)
        for optimizer in optimizers:
            optimizer.step()


@pytest.mark.parametrize("update", ["sgd"])
def test_sgd_equals_the_naive_algorithm(update):
    ours, theirs = twins(MLPNet, 3)
    balancer = GradNorm(3, alpha=0.5, update=update, learning_rate=1e-4, heads="weighted")
    naive = NaiveGradNorm(3, 0.5, learning_rate=1e-4, update=update)
    for step in range(10):
        x = batch(MLPNet, step)
        balancer.backward(losses_of(ours, x)[1], shared=ours.shared)
        naive.backward(losses_of(theirs, x)[1], list(theirs.shared.parameters()), list(theirs.parameters()))
        torch.testing.assert_close(balancer.weights, naive.w.detach(), rtol=1e-9, atol=1e-9)
