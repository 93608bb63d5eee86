"""Norms measured at the activation in which the heads meet, in place of a layer's weights."""

import pytest
import torch

from gradnorm import Balancer, GradNorm
from gradnorm.gradients.one_pass import OnePass
from tests.balancer.test_balancer import Net, data, gradients_of, losses_of


def graph(net, seed=0):
    z = net.features(data(seed)).tanh()
    return z, losses_of([head(z) for head in net.heads])


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("heads", ["weighted", "own"])
def test_the_norms_are_those_of_the_activation_s_gradients(heads, scaled):
    net, other = Net(), Net()
    z, losses = graph(other)
    expected = torch.stack([torch.autograd.grad(loss, z, retain_graph=True)[0].norm() for loss in losses])
    z, losses = graph(net)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0) if scaled else None
    balance = GradNorm(3, heads=heads).backward(losses, input=z, scaler=scaler)
    torch.testing.assert_close(balance.gradient_norms, expected)


def test_it_takes_one_backward_pass():
    net, reached = Net(), []
    net.heads[0].weight.register_hook(reached.append)
    z, losses = graph(net)
    assert OnePass.plan(losses, z, (z,)) is not None
    GradNorm(3).backward(losses, input=z)
    assert len(reached) == 1


def test_a_head_that_goes_around_the_activation_takes_separate_passes():
    net, other = Net(2), Net(2)
    for n, use in ((net, True), (other, False)):
        hidden = n.trunk(data()).tanh()
        z = n.shared(hidden)
        losses = losses_of([n.heads[0](z), n.heads[1](z + hidden[:, :5])])
        balancer = GradNorm(2)
        at = {"input": z} if use else {"shared": n.shared}
        balancer.backward(losses, **at)
    for found, expected in zip(gradients_of(net), gradients_of(other), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (lambda net, z: {"input": z, "shared": net.shared}, "input should be alone"),
        (lambda net, z: {"input": z, "features": z}, "input should be alone"),
        (lambda net, z: {"input": z.detach()}, "Found a tensor that no layer has computed"),
        (lambda net, z: {"input": net.shared.weight}, "Found a tensor that no layer has computed"),
        (lambda net, z: {}, "shared should be a module.*Found None"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_sentence(options, said):
    net = Net()
    z, losses = graph(net)
    with pytest.raises(ValueError, match=said):
        GradNorm(3).backward(losses, **options(net, z))
    assert all(g is None for g in gradients_of(net))


def test_a_loss_that_does_not_reach_the_activation_is_named():
    net = Net()
    z, losses = graph(net)
    losses[1] = net.features(data(1)).square().mean()
    with pytest.raises(ValueError, match="'task 2'"):
        GradNorm(3).backward(losses, input=z)


def test_gradient_surgery_wants_a_layer():
    net = Net()
    z, losses = graph(net)
    trunk = [*net.trunk.parameters(), *net.shared.parameters()]
    with pytest.raises(ValueError, match="shared should be given for PCGrad"):
        Balancer(3, "pcgrad").backward(losses, input=z, trunk=trunk)
