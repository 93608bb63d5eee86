"""A backward pass that a framework runs: gradients and weights are those of the plain loop, norms are unscaled."""

import pytest
import torch

from gradnorm import Balancer
from gradnorm.methods.dwa import DynamicWeightAverage
from gradnorm.methods.gradnorm import GradNormMethod
from tests.balancer.test_balancer import Net, data, gradients_of, losses_of
from tests.balancer.test_calls import trunk_of

METHODS = {
    "log": GradNormMethod(alpha=0.5),
    "closed": GradNormMethod(update="closed", half_life=2.0),
    "own heads": GradNormMethod(heads="own"),
    "every other step": GradNormMethod(every=2),
    "by losses": DynamicWeightAverage(),
    "by losses, own heads": DynamicWeightAverage(heads="own"),
}
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def steps(method, factor=1.0, present=lambda losses: losses, dtype=torch.float64, **options):
    """Take four steps; return each step's balance, next weights and gradients divided by `factor`."""
    net, balancer = Net(dtype=dtype), Balancer(3, method)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    found = []
    for step in range(4):
        optimizer.zero_grad()
        z = net.features(data(step, dtype))
        losses = present(losses_of([head(z.tanh()) for head in net.heads]))
        used = {name: option(z) if name == "features" else option for name, option in options.items()}
        balance = balancer.backward(losses, shared=net.shared, **used)
        for parameter in net.parameters():
            if parameter.grad is not None:
                parameter.grad /= factor
        found.append((balance.weights, balance.gradient_norms, balancer.weights, gradients_of(net)))
        optimizer.step()
    return found


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, equal_nan=True, **EXACT)


@pytest.mark.parametrize("factor", [1.0, 1024.0, 1 / 3])
@pytest.mark.parametrize("features", [lambda z: z, lambda _: None], ids=["one pass", "separate passes"])
@pytest.mark.parametrize("method", METHODS)
def test_a_framework_s_pass_does_what_the_plain_loop_does(method, features, factor):
    plain = steps(METHODS[method], features=features)
    same(steps(METHODS[method], factor, features=features, via=lambda loss: (loss * factor).backward()), plain)


@pytest.mark.parametrize("method", ["log", "own heads"])
def test_a_task_may_be_absent(method):
    options = {"features": lambda z: z, "present": lambda losses: [losses[0], None, losses[2]]}
    plain = steps(METHODS[method], **options)
    same(steps(METHODS[method], via=lambda loss: loss.backward(), **options), plain)


@pytest.mark.parametrize("features", [lambda z: z, lambda _: None], ids=["one pass", "separate passes"])
def test_what_scales_the_loss_may_have_the_balancer_know_by_how_much(features):
    scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
    options = {"features": features, "dtype": torch.float32}
    plain = steps(METHODS["log"], 4096.0, scaler=scaler, **options)
    via = steps(METHODS["log"], 4096.0, scaler=scaler, via=lambda loss: scaler.scale(loss).backward(), **options)
    torch.testing.assert_close(via, plain)


def test_the_weights_stay_where_the_gradients_overflow():
    net, balancer = Net(dtype=torch.float32), Balancer(3, METHODS["log"])
    z = net.features(data(dtype=torch.float32))
    losses = losses_of([head(z.tanh()) for head in net.heads])
    options = {"shared": net.shared, "features": z, "via": lambda loss: (loss * 2.0**127).backward()}
    balance = balancer.backward(losses, **options)
    assert not balance.gradient_norms.isfinite().all()
    assert balancer.weights.tolist() == [1, 1, 1]


def test_a_via_that_runs_no_pass_is_named():
    net = Net()
    for features in (None, net.features(data())):
        with pytest.raises(ValueError, match=r"via should run.*Found that it ran none. Pass a function"):
            Balancer(3, "gradnorm").backward(
                losses_of(net(data())), shared=net.shared, features=features, via=lambda _: None
            )


def test_surgery_adds_the_gradients_itself():
    net = Net()
    with pytest.raises(ValueError, match=r"via should be left out for MGDA.*Leave it out"):
        Balancer(3, "mgda").backward(
            losses_of(net(data())), shared=net.shared, trunk=trunk_of(net), via=lambda loss: loss.backward()
        )
    assert gradients_of(net) == [None] * len(gradients_of(net))


def test_accelerate_keeps_a_balancer_in_its_checkpoints(tmp_path):
    accelerator = pytest.importorskip("accelerate").Accelerator(cpu=True)
    net, balancer = Net(), Balancer(3, METHODS["log"])
    balancer.backward(losses_of(net(data())), shared=net.shared, via=accelerator.backward)
    reached = balancer.weights
    accelerator.register_for_checkpointing(balancer)
    accelerator.save_state(str(tmp_path))
    balancer.load_state_dict(Balancer(3, METHODS["log"]).state_dict())
    assert not torch.equal(balancer.weights, reached)
    accelerator.load_state(str(tmp_path))
    assert torch.equal(balancer.weights, reached)
