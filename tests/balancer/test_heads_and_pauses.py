"""Heads that get their own gradient, and steps between two measurements: what a user's training loop meets."""

import inspect
import itertools

import pytest
import torch

from gradnorm import Balancer, GradNorm
from gradnorm.methods.gradnorm import GradNormMethod
from tests.balancer.test_balancer import Net, data, gradients_of, losses_of


def step(balancer, net, seed=0, dtype=torch.float64, **options):
    z = net.features(data(seed, dtype))
    losses = losses_of([head(z.tanh()) for head in net.heads])
    return balancer.backward(losses, shared=net.shared, features=z, **options)


def counted(parameter):
    """Return a list that grows by one at each backward pass that reaches a parameter."""
    passes = []
    parameter.register_hook(passes.append)
    return passes


def test_the_library_class_has_the_method_s_options_and_defaults():
    signature = inspect.signature(GradNorm).parameters
    for name in ("alpha", "update", "heads", "half_life", "every", "priorities", "least", "most"):
        assert signature[name].default == GradNormMethod.model_fields[name].default, name
    balancer = GradNorm(
        2, update="closed", heads="own", half_life=9, every=4, priorities=[1, 3], least=0.5, most=1.5
    )  # fmt: skip
    expected = {"update": "closed", "heads": "own", "half_life": 9.0, "every": 4, "priorities": (1.0, 3.0)}
    assert {name: getattr(balancer.method, name) for name in expected} == expected
    assert (balancer.method.least, balancer.method.most) == (0.5, 1.5)


def test_between_two_measurements_a_step_is_one_plain_backward_pass(monkeypatch):
    from gradnorm.balancer import measuring

    def never(*_, **__):
        raise AssertionError("measured")

    net = Net()
    trunk, heads = counted(net.trunk.weight), counted(net.heads[0].weight)
    balancer = GradNorm(3, update="closed", heads="own", every=10)
    step(balancer, net)
    monkeypatch.setattr(measuring.OnePass, "plan", never)
    monkeypatch.setattr(measuring.general, "gradient_norms", never)
    trunk.clear(), heads.clear()
    for k in range(1, 10):
        weights = balancer.weights
        balance = step(balancer, net, k)
        assert balance.gradient_norms is balance.targets is balance.imbalance is None
        assert torch.equal(balancer.weights, weights)
    assert (len(trunk), len(heads)) == (9, 9)
    with pytest.raises(AssertionError, match="measured"):
        step(balancer, net, 10)


def test_norms_are_watched_between_two_decisions_too():
    net, balancer = Net(), Balancer(3, GradNormMethod(every=3), watch_norms=True)
    found = [step(balancer, net, k) for k in range(6)]
    assert all(bool(balance.gradient_norms.isfinite().all()) for balance in found)
    assert [balance.targets is not None for balance in found] == [True, False, False] * 2
    assert [torch.equal(a.weights, b.weights) for a, b in itertools.pairwise(found)] == [
        False, True, True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("with_features", [True, False])
def test_under_a_grad_scaler_own_heads_get_their_scaled_gradient(with_features):
    net, other = Net(dtype=torch.float32), Net(dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizers = [torch.optim.SGD(n.parameters(), lr=1e-3) for n in (net, other)]
    one, two = (GradNorm(3, update="closed", heads="own", every=2) for _ in range(2))
    for k in range(4):
        for optimizer in optimizers:
            optimizer.zero_grad()
        for balancer, n, used in ((one, net, scaler), (two, other, None)):
            z = n.features(data(k, torch.float32))
            losses = losses_of([head(z.tanh()) for head in n.heads])
            options = {"features": z} if with_features else {}
            balancer.backward(losses, shared=n.shared, scaler=used, **options)
        scaler.unscale_(optimizers[0])
        for found, expected in zip(gradients_of(net), gradients_of(other), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        scaler.step(optimizers[0]), scaler.update(), optimizers[1].step()
    torch.testing.assert_close(one.weights, two.weights)


def test_an_overflow_under_the_scaler_leaves_the_closed_form_as_it_was():
    net = Net(dtype=torch.float32)
    balancer = GradNorm(3, update="closed", heads="own")
    step(balancer, net, dtype=torch.float32)
    before = balancer.state_dict()
    step(balancer, net, 1, torch.float32, scaler=torch.amp.GradScaler("cpu", init_scale=1e38))
    after = balancer.state_dict()
    assert torch.equal(before["weights"], after["weights"])
    assert all(torch.equal(before["memory"][name], after["memory"][name]) for name in ("log", "squared", "total"))


def test_priorities_and_half_life_are_retuned_and_nothing_is_forgotten():
    net = Net()
    balancer = GradNorm(3, alpha=0.0, update="closed", half_life=1e6)
    first = step(balancer, net)
    settled, memory = balancer.weights, balancer.state_dict()["memory"]
    # The weights of step 2 make all norms of step 1 equal.
    norms = first.gradient_norms / first.weights * settled
    torch.testing.assert_close(norms, norms.mean().expand(3))
    balancer.retune(priorities=(1, 2, 4), half_life=1e-3)
    assert torch.equal(balancer.weights, settled)
    assert all(torch.equal(value, memory[name]) for name, value in balancer.state_dict()["memory"].items())
    # With a half-life of no step the next measurement alone counts.
    balance = step(balancer, net)
    norms = balance.gradient_norms / balance.weights * balancer.weights
    torch.testing.assert_close(norms / norms[0], torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))


def test_a_change_of_the_update_to_closed_starts_its_mean_anew():
    net, balancer = Net(), GradNorm(3, update="log")
    for k in range(3):
        step(balancer, net, k)
    balancer.retune(update="closed")
    step(balancer, net, 3)
    alone = GradNorm(3, update="closed", initial_losses=balancer.initial_losses)
    step(alone, net, 3)
    torch.testing.assert_close(balancer.weights, alone.weights)


def test_a_saved_balancer_goes_on_bit_for_bit_between_two_measurements():
    def made():
        return GradNorm(3, update="closed", heads="own", every=3, half_life=5, priorities=(1, 2, 3), least=0.1, most=2)

    net, balancer = Net(), made()
    for k in range(5):
        step(balancer, net, k)
    other = GradNorm(3)
    other.load_state_dict(balancer.state_dict())
    assert other.method == balancer.method
    for k in range(5, 12):
        step(balancer, net, k), step(other, net, k)
        assert torch.equal(balancer.weights, other.weights)
    saved, again = balancer.state_dict(), other.state_dict()
    assert all(torch.equal(saved["memory"][name], again["memory"][name]) for name in saved["memory"])


def test_micro_batches_of_a_step_are_measured_together_or_not_at_all():
    net, balancer = Net(), GradNorm(3, update="closed", every=2)
    for k in range(4):
        parts = [step(balancer, net, 10 * k + part, last=part == 2) for part in range(3)]
        assert [part.gradient_norms is not None for part in parts] == [k % 2 == 0] * 3


def test_held_tasks_keep_their_weight_in_closed_form_and_outside_of_bounds():
    net, balancer = Net(), Balancer(3, GradNormMethod(update="closed", hold=(3,), least=0.9, most=1.05))
    for k in range(4):
        step(balancer, net, k)
        assert float(balancer.weights[2]) == 1
        assert float(balancer.weights.sum()) == pytest.approx(3, abs=1e-12)
        assert 0.9 <= float(balancer.weights.min()) <= float(balancer.weights.max()) <= 1.1


def test_a_task_without_a_gradient_does_not_move_the_others_to_nan():
    u = torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    balancer = GradNorm(3, update="closed", alpha=0.0)
    for _ in range(3):
        balancer.backward([u.square().sum(), 4 * u.square().sum(), (0 * u).sum() + 1], shared=u)
    assert bool(balancer.weights.isfinite().all())
    assert float(balancer.weights[0] / balancer.weights[1]) == pytest.approx(4)


def test_heads_of_losses_from_one_operation_are_weighted_and_a_warning_says_so():
    net, other = Net(2), Net(2)
    losses = torch.cat([loss[None] for loss in losses_of(net(data()))])
    with pytest.warns(UserWarning, match=r"losses of separate operations.*so the weights apply to the heads, too"):
        GradNorm(2).backward(losses, shared=net.shared)
    GradNorm(2, heads="weighted").backward(losses_of(other(data())), shared=other.shared)
    for found, expected in zip(gradients_of(net), gradients_of(other), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore:The .grad attribute:UserWarning")
def test_heads_of_a_compiled_network_get_their_own_gradient_or_are_weighted():
    net, other = Net(), Net()
    whole = torch.compile(net, backend="aot_eager")
    with pytest.warns(UserWarning, match="Compile the trunk and each head by themselves"):
        GradNorm(3).backward(losses_of(whole(data())), shared=net.shared)
    GradNorm(3, heads="weighted").backward(losses_of(other(data())), shared=other.shared)
    for found, expected in zip(gradients_of(net), gradients_of(other), strict=True):
        torch.testing.assert_close(found, expected)
    net, other = Net(), Net()
    features = torch.compile(net.features, backend="aot_eager")
    heads = [torch.compile(head, backend="aot_eager") for head in net.heads]
    one, two = (GradNorm(3, heads="own", update="closed") for _ in range(2))
    for k in range(3):
        z = features(data(k))
        one.backward(losses_of([head(z.tanh()) for head in heads]), shared=net.shared)
        step(two, other, k)
    for found, expected in zip(gradients_of(net), gradients_of(other), strict=True):
        torch.testing.assert_close(found, expected)


def test_heads_that_are_computed_anew_in_the_backward_pass_get_their_own_gradient():
    from torch.utils.checkpoint import checkpoint

    net, other = Net(), Net()
    one, two = (GradNorm(3, heads="own", update="closed", every=2) for _ in range(2))
    for k in range(3):
        z = net.features(data(k))
        losses = losses_of([checkpoint(head, z.tanh(), use_reentrant=k == 1) for head in net.heads])
        # At step 2 nothing is measured: torch's reentrant kind allows no other passes.
        one.backward(losses, shared=net.shared)
        step(two, other, k)
    for found, expected in zip(gradients_of(net), gradients_of(other), strict=True):
        torch.testing.assert_close(found, expected)
