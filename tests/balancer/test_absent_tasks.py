"""Own heads where tasks are absent: the graph tells the trunk by W, whether or not features are handed over."""

import itertools

import pytest
import torch
from torch import nn

from gradnorm import Balancer, GradNorm
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.methods.signal import State

W = torch.tensor([0.25, 0.75, 2.0], dtype=torch.float64)


class Net(nn.Module):
    """Three heads on a trunk. A subclass says what W is, and where the heads begin."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.last = nn.Linear(4, 6), nn.Linear(6, 5)
        self.heads = nn.ModuleList(nn.Linear(5, 2) for _ in range(3))
        self.double()

    @property
    def shared(self):
        return self.last

    def outputs(self, x):
        z = self.last(self.trunk(x).tanh())
        return [head(z.tanh()) for head in self.heads]

    def losses(self):
        x = torch.randn(8, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        return [(10.0**i) * (y - 1).square().mean() for i, y in enumerate(self.outputs(x))]


class Weight(Net):
    """W is the matrix alone."""

    shared = property(lambda self: self.last.weight)


class WholeTrunk(Net):
    """W is all that is shared, and so meets the data itself."""

    shared = property(lambda self: [*self.trunk.parameters(), *self.last.parameters()])


class FrozenTrunk(Net):
    """What is below W has no gradient."""

    def __init__(self):
        super().__init__()
        self.trunk.requires_grad_(False)


class Skip(Net):
    """The heads see what is below W, too."""

    def outputs(self, x):
        hidden = self.trunk(x).tanh()
        z = self.last(hidden)
        return [head(z.tanh() + hidden[:, :5]) for head in self.heads]


class Twice(Net):
    """W is used for two pictures of one scene."""

    def outputs(self, x):
        left, right = (self.last(self.trunk(part).tanh()) for part in (x, x.flip(0)))
        return [head(left * right) for head in self.heads]


class Normalized(Net):
    """W goes through operations of its own before it meets the data."""

    def outputs(self, x):
        weight = self.last.weight / self.last.weight.norm(dim=1, keepdim=True)
        z = nn.functional.linear(self.trunk(x).tanh(), weight, self.last.bias)
        return [head(z.tanh()) for head in self.heads]


class Convolution(Net):
    """W is a convolution."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv1d(2, 5, 3).double()

    def outputs(self, x):
        z = self.last(self.trunk(x).tanh().view(-1, 2, 3)).squeeze(-1)
        return [head(z.tanh()) for head in self.heads]


NETS = [Net, Weight, WholeTrunk, FrozenTrunk, Skip, Twice, Normalized, Convolution]
ABSENT = [absent for count in (1, 2) for absent in itertools.combinations(range(3), count)]


@pytest.mark.parametrize("absent", ABSENT, ids=str)
@pytest.mark.parametrize("kind", NETS)
def test_the_trunk_gets_the_weighted_sum_and_each_head_its_own_loss(kind, absent):
    net, other = kind(), kind()
    losses = [None if task in absent else loss for task, loss in enumerate(net.losses())]
    balancer = GradNorm(3)
    memory = balancer.state.memory
    balancer.place(State(W, torch.ones(3, dtype=torch.float64), memory), 1)
    balancer.backward(losses, shared=net.shared)
    expected = {name: None for name, _ in other.named_parameters()}
    for task, loss in enumerate(other.losses()):
        if task in absent:
            continue
        names, parameters = zip(*((n, p) for n, p in other.named_parameters() if p.requires_grad), strict=True)
        grads = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=True)
        for name, grad in zip(names, grads, strict=True):
            if grad is not None:
                own = grad if name.startswith("heads") else W[task] * grad
                expected[name] = own if expected[name] is None else expected[name] + own
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], msg=f"{name}, {parameter.grad}, {expected[name]}")


def test_features_may_be_the_input_of_the_layer_where_one_task_is_present():
    net, other = Net(), Net()
    for n, with_features in ((net, True), (other, False)):
        x = torch.ones(2, 4, dtype=torch.float64)
        hidden = n.trunk(x).tanh()
        loss = n.heads[1](n.last(hidden)).square().mean()
        options = {"features": hidden} if with_features else {}
        GradNorm(3).backward([None, loss, None], shared=n.last, **options)
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad)


def test_steps_without_a_measurement_tell_heads_likewise():
    net, balancer = Net(), Balancer(3, GradNormMethod(every=2))
    balancer.backward(net.losses(), shared=net.shared)
    net.zero_grad()
    weights = balancer.weights
    balancer.backward([None, None, net.losses()[2]], shared=net.shared)
    other = Net()
    other.losses()[2].backward()
    torch.testing.assert_close(net.heads[2].weight.grad, other.heads[2].weight.grad)
    torch.testing.assert_close(net.last.weight.grad, weights[2] * other.last.weight.grad)
    torch.testing.assert_close(net.trunk.weight.grad, weights[2] * other.trunk.weight.grad)


def test_a_loss_of_w_alone_has_no_head():
    w = nn.Parameter(torch.ones((), dtype=torch.float64))
    balancer = GradNorm(2, alpha=0.0)
    balancer.place(State(torch.tensor([0.5, 1.5]).double(), torch.ones(2).double(), balancer.state.memory), 1)
    balancer.backward([3 * w, None], shared=w)
    assert float(w.grad) == 1.5
