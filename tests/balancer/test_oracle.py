"""Every combination of heads, update, options, layer and losses against a naive program, in float64."""

import math

import pytest
import torch
from torch import nn

from gradnorm import Balancer
from gradnorm.methods.gradnorm import GradNormMethod
from tests.naive_options import NaiveOptions, Options

STEPS = 8
EXACT = {"rel": 1e-9, "abs": 1e-12}
# How the losses come, and whether with features: without options and with all of them.
WAYS = [
    [("list", True), ("tensor", False), ("absent", True)],
    [("tensor", True), ("list", False), ("absent", True), ("absent", False)],
]


class Mlp(nn.Module):
    inputs = (4,)

    def __init__(self, tasks):
        super().__init__()
        torch.manual_seed(tasks)
        self.trunk, self.shared = nn.Linear(4, 6), nn.Linear(6, 5)
        self.heads = nn.ModuleList(nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 1)) for _ in range(tasks))
        self.double()

    def forward(self, x):
        z = self.shared(self.trunk(x).tanh())
        return z, [head(z.tanh()) for head in self.heads]


class Convolution(Mlp):
    inputs = (2, 5, 5)

    def __init__(self, tasks):
        super().__init__(tasks)
        self.trunk, self.shared = nn.Conv2d(2, 3, 3), nn.Conv2d(3, 4, 3, padding=1)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 2, 1), nn.Tanh(), nn.Conv2d(2, 1, 1)) for _ in range(tasks)
        )
        self.double()


class Activation(Mlp):
    """W is the activation above the last shared layer: its gradient is measured."""

    def forward(self, x):
        z = self.shared(self.trunk(x).tanh()).tanh()
        return z, [head(z) for head in self.heads]


def losses_of(net, step, way):
    """Return Z and the losses of one step, whose sizes and speeds differ by task; every other one may be absent."""
    x = torch.randn((7, *net.inputs), generator=torch.Generator().manual_seed(step), dtype=torch.float64)
    z, outputs = net(x)
    losses = [2.0**i * (y - 1 - i).square().mean() for i, y in enumerate(outputs)]
    if way == "absent" and step % 3 != 0:
        losses[step % len(losses)] = None
    return z, torch.stack(losses) if way == "tensor" else losses


def method_of(o):
    return GradNormMethod(
        heads=o.heads, update=o.update, every=o.every, priorities=tuple(o.priorities), least=o.least, most=o.most,
        alpha=o.alpha, weight_learning_rate=o.rate, half_life=o.half_life,
    )  # fmt: skip


def compare(kind, tasks, options, way, with_features):
    net, other = kind(tasks), kind(tasks)
    balancer, naive = Balancer(tasks, method_of(options), warns=False), NaiveOptions(tasks, options)
    optimizers = [torch.optim.SGD(n.parameters(), lr=0.005) for n in (net, other)]
    for step in range(STEPS):
        for n in (net, other):
            n.zero_grad()
        z, losses = losses_of(net, step, way)
        at = {"input": z} if kind is Activation else {"shared": net.shared, "features": z if with_features else None}
        balance = balancer.backward(losses, **at)
        z, theirs = losses_of(other, step, way)
        W = [z] if kind is Activation else list(other.shared.parameters())
        trunk = [*other.trunk.parameters(), *other.shared.parameters()]
        heads = [list(head.parameters()) for head in other.heads]
        expected = naive.backward(list(theirs), W, trunk, heads)
        check_step(balance, expected, measured=step % options.every == 0)
        assert balancer.weights.tolist() == pytest.approx(naive.weights, **EXACT)
        for p, q in zip(net.parameters(), other.parameters(), strict=True):
            assert (p.grad is None) == (q.grad is None)
            if q.grad is not None:
                torch.testing.assert_close(p.grad, q.grad, rtol=1e-9, atol=1e-12)
        for optimizer in optimizers:
            optimizer.step()


def check_step(balance, expected, measured):
    assert balance.weights.tolist() == pytest.approx(expected["weights"], **EXACT)
    assert (balance.gradient_norms is not None) == measured
    assert (balance.targets is not None) == measured
    if not measured:
        return
    for name in ("gradient_norms", "targets"):
        found = {i: value for i, value in enumerate(getattr(balance, name).tolist()) if not math.isnan(value)}
        assert found == pytest.approx(expected[name], **EXACT)
    assert float(balance.imbalance) == pytest.approx(expected["imbalance"], **EXACT)


@pytest.mark.parametrize("tasks", [pytest.param(1, marks=pytest.mark.long), 2, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", [Mlp, Convolution, Activation])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("update", ["closed", "log", "adam", "sgd"])
@pytest.mark.parametrize("heads", ["weighted", "own"])
def test_weights_norms_and_gradients_are_those_of_a_naive_program(heads, update, every, kind, tasks):
    priorities = [1.0 + 0.7 * i for i in range(tasks)]
    rate = 0.005 if update == "sgd" else 0.05
    plain = Options(heads=heads, update=update, every=every, rate=rate)
    full = Options(heads=heads, update=update, every=every, rate=rate, priorities=priorities, least=0.8, most=1.3)
    for options, ways in zip((plain, full), WAYS, strict=True):
        for way, with_features in ways:
            if way == "absent" and (tasks == 1 or (heads == "own" and not with_features)):
                continue  # a batch without a task; heads cannot be told from trunk
            compare(kind, tasks, options, way, with_features)
