"""What a caller may hand to a balancer, and what changes of hyperparameters do."""

import pytest
import torch
from torch import nn

from gradnorm import Balancer, GradNorm
from gradnorm.config.spec import methods
from gradnorm.methods.base import Needs
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.methods.pcgrad import ProjectedConflicts
from gradnorm.methods.single import SingleTask
from gradnorm.methods.static import StaticWeights
from tests.balancer.test_balancer import Net, data, gradients_of, losses_of

SURGERY = [name for name, method in methods().items() if method.needs is Needs.GRAMIAN]


def trunk_of(net):
    return [*net.trunk.parameters(), *net.shared.parameters()]


def test_a_method_may_be_chosen_by_name():
    net = Net()
    balancer = Balancer(3, "pcgrad")
    assert isinstance(balancer.method, ProjectedConflicts)
    balancer.backward(losses_of(net(data())), shared=net.shared, trunk=trunk_of(net))


def wrong_calls():
    net = Net(2)

    def losses():
        return losses_of(net(data()))

    def backward(**options):
        return lambda: GradNorm(["depth", "normals"]).backward(losses(), **{"shared": net.shared, **options})

    return [
        (lambda: Balancer(2, "pcgard"), "one of .*pcgrad.*Found 'pcgard'"),
        (lambda: Balancer(2, None), "name of one. Found None"),
        (lambda: Balancer(2, GradNormMethod(hold=(3,))), r"hold should.*\[1, 2\]. Found 3"),
        (backward(shared=None), "shared should be a module.*Found None"),
        (backward(shared="enc.2"), "shared should be a module.*Found 'enc.2'"),
        (backward(shared=net.named_parameters()), "shared should be a module.*Found"),
        (lambda: GradNorm(["a", "b"]).backward({"a": losses()[0], "c": losses()[1]}, shared=net.shared), "'c'"),
        (lambda: GradNorm(2).retune(hold=(5,)), r"hold should.*\[1, 2\]. Found 5"),
        (lambda: Balancer(2, SingleTask()).retune(task=3), r"\[1, 2\]. Found 3"),
        (lambda: Balancer(2, StaticWeights()).retune(weights=(1, 2, 3)), "2 tasks. Found 3"),
        (lambda: Balancer(2, "mgda").backward(losses(), shared=net.shared, trunk="all"), "trunk should.*Found 'all'"),
    ]


@pytest.mark.parametrize("index", range(len(wrong_calls())))
def test_a_wrong_call_says_what_should_be(index):
    call, message = wrong_calls()[index]
    with pytest.raises(ValueError, match=message):
        call()


def test_losses_by_name_are_those_in_order_and_what_is_left_out_is_absent():
    names = ["a", "b", "c"]
    net, other = Net(), Net()
    first, second, _ = losses_of(net(data()))
    GradNorm(names).backward({"b": second, "a": first}, shared=net.shared)
    first, second, _ = losses_of(other(data()))
    GradNorm(names).backward([first, second, None], shared=other.shared)
    torch.testing.assert_close(gradients_of(net), gradients_of(other))


def test_a_trunk_may_be_a_module():
    net, other = Net(), Net()
    for n, trunk in ((net, nn.ModuleList([net.trunk, net.shared])), (other, trunk_of(other))):
        Balancer(3, "mgda").backward(losses_of(n(data())), shared=n.shared, trunk=trunk)
    torch.testing.assert_close(gradients_of(net), gradients_of(other))


@pytest.mark.parametrize("method", SURGERY)
def test_surgery_skips_a_step_whose_gradients_overflow_and_goes_on(method):
    net = Net(dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    balancer = Balancer(3, method)
    before = net.shared.weight.detach().clone()
    for _ in range(2):
        optimizer.zero_grad()
        losses = [loss * 1e6 for loss in losses_of(net(data(dtype=torch.float32)))]
        balance = balancer.backward(losses, shared=net.shared, trunk=trunk_of(net), scaler=scaler)
        assert bool(balance.weights.isfinite().all())
        scaler.step(optimizer)
        scaler.update(1.0)
        if balancer.weights.tolist() == [1, 1, 1]:
            assert torch.equal(net.shared.weight, before)
    assert not torch.equal(net.shared.weight, before)
    assert bool(net.shared.weight.isfinite().all())


def test_a_number_may_be_a_shared_parameter_of_surgery():
    net, temperature = Net(), nn.Parameter(torch.tensor(2.0).double())
    losses = [loss * temperature for loss in losses_of(net(data()))]
    balance = Balancer(3, "mgda").backward(losses, shared=net.shared, trunk=[*trunk_of(net), temperature])
    grads = [float(w * loss / 2) for w, loss in zip(balance.weights, balance.losses, strict=True)]
    assert float(temperature.grad) == pytest.approx(sum(grads))


@pytest.mark.parametrize("method", ["mgda", "gradnorm"])
@pytest.mark.parametrize("at", ["table", "layer"])
def test_an_embedding_with_sparse_gradients_gives_what_a_dense_one_gives(method, at):
    found = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table, layer = nn.Embedding(10, 4, sparse=sparse).double(), nn.Linear(4, 3).double()
        z = layer(table(torch.tensor([1, 3, 1, 5])))
        losses = [(z - i).square().mean() for i in range(2)]
        trunk = [*table.parameters(), *layer.parameters()]
        balance = Balancer(2, method, watch_norms=True).backward(
            losses, shared=table if at == "table" else layer, trunk=trunk
        )
        grad = table.weight.grad
        found.append((balance.gradient_norms, balance.weights, grad.to_dense() if sparse else grad))
    torch.testing.assert_close(*found)


def test_another_update_may_be_chosen_in_mid_training():
    net = Net()
    balancer = GradNorm(3)
    balancer.backward(losses_of(net(data())), shared=net.shared)
    balancer.retune(update="adam")
    before = balancer.weights
    balancer.backward(losses_of(net(data(1))), shared=net.shared)
    # Adam's first step is its learning rate.
    assert float((balancer.weights - before).abs().max()) < 0.05
    assert not torch.equal(balancer.weights, before)


def test_new_weights_are_used_from_the_next_step_on():
    net = Net(2)
    balancer = Balancer(2, StaticWeights(weights=(1, 1)))
    balancer.backward(losses_of(net(data())), shared=net.shared)
    balancer.retune(weights=(1, 3))
    assert balancer.backward(losses_of(net(data())), shared=net.shared).weights.tolist() == [0.5, 1.5]
    single = Balancer(2, SingleTask(task=1))
    single.backward(losses_of(net(data())), shared=net.shared)
    single.retune(task=2)
    assert single.backward(losses_of(net(data())), shared=net.shared).weights.tolist() == [0, 1]


def test_what_a_method_has_learned_survives_a_change():
    net = Net()
    balancer = GradNorm(3, update="adam")
    for step in range(3):
        balancer.backward(losses_of(net(data(step))), shared=net.shared)
    before = balancer.state
    balancer.retune(alpha=0.3)
    assert torch.equal(balancer.weights, before.weights)
    assert all(torch.equal(value, before.memory[name]) for name, value in balancer.state.memory.items())


@pytest.mark.parametrize("scale", [1e-30, 1e25])
def test_a_gramian_neither_underflows_nor_overflows(scale, monkeypatch):
    seen = []
    real = ProjectedConflicts.decide
    monkeypatch.setattr(ProjectedConflicts, "decide", lambda *a: (seen.append(a[2].gramian), real(*a))[1])
    for factor, dtype in ((scale, torch.float32), (1, torch.float64)):
        net = Net(dtype=dtype)
        losses = [loss * factor for loss in losses_of(net(data(dtype=dtype)))]
        Balancer(3, "pcgrad").backward(losses, shared=net.shared, trunk=trunk_of(net))
    small, plain = seen
    assert small.dtype == torch.float64
    torch.testing.assert_close(small / scale**2, plain, rtol=1e-4, atol=0)


def test_a_task_without_any_gradient_has_a_row_of_zeros():
    net = Net(2)
    losses = losses_of(net(data()))
    balance = Balancer(2, "upgrad").backward([losses[0], losses[1] * 0 + 1], shared=net.shared, trunk=trunk_of(net))
    assert bool(balance.weights.isfinite().all())
