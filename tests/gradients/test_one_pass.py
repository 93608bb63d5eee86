"""One pass is the general way: the same norms and the same gradients in float64, for any network it accepts."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest
import torch
import torch.utils.checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradnorm import Balancer, GradNorm
from gradnorm.gradients.general import SeparatePasses, shared_parameters
from gradnorm.gradients.layer_rules import Layer
from gradnorm.gradients.one_pass import OnePass
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.methods.signal import State

EXACT = {"rtol": 1e-9, "atol": 1e-9}


@dataclass(frozen=True)
class Case:
    """A network and a batch, told in a few words."""

    layer: str = "linear"
    bias: bool = True
    groups: int = 1
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    padding_mode: str = "zeros"
    after: str = "nothing"
    features: str = "output"
    which: str = "layer"
    heads: tuple[str, ...] = ("affine", "affine")
    frozen: tuple[bool, ...] = (False, False)
    absent: tuple[bool, ...] = (False, False)
    trunk: bool = True
    batched: bool = True
    seed: int = 0


class Net(nn.Module):
    """trunk → layer → after → heads, with 4 channels into the layer and 6 out of it."""

    def __init__(self, case):
        super().__init__()
        torch.manual_seed(case.seed)
        self.case = case
        if case.layer in ("linear", "linear of 3 dimensions"):
            self.trunk, self.layer = nn.Linear(4, 4), nn.Linear(4, 6, bias=case.bias)
        else:
            kind = {"conv1d": nn.Conv1d, "conv2d": nn.Conv2d, "conv3d": nn.Conv3d}[case.layer]
            self.trunk = kind(4, 4, 1)
            options = {
                "stride": case.stride,
                "padding": case.padding,
                "dilation": case.dilation,
                "groups": case.groups,
                "padding_mode": case.padding_mode,
            }
            self.layer = kind(4, 6, 2, bias=case.bias, **options)
        self.norm = nn.LayerNorm(6)
        self.heads = nn.ModuleList(nn.Linear(6, 2) for _ in case.heads)
        for head, frozen in zip(self.heads, case.frozen, strict=True):
            head.requires_grad_(not frozen)
        self.double()

    def inputs(self):
        shape = {"linear": (4,), "linear of 3 dimensions": (3, 4), "conv1d": (4, 6), "conv2d": (4, 6, 5)}
        size = shape.get(self.case.layer, (4, 4, 5, 4))
        return torch.randn((3, *size) if self.case.batched else size, dtype=torch.float64)

    def run(self, x):
        """Return the losses, and the tensor that is handed over as `features`."""
        hidden = torch.tanh(self.trunk(x)) if self.case.trunk else x
        z = self.layer(hidden)
        rows = z if "linear" in self.case.layer else z.movedim(-len(z.shape) + self.case.batched, -1)
        top = {
            "nothing": lambda: rows if "linear" in self.case.layer else z,
            "relu": z.relu,
            "tanh": z.tanh,
            "norm": lambda: self.norm(rows),
            "residual": lambda: z.relu() + z,
        }[self.case.after]()
        losses = [
            None if absent else 3.0**i * self.loss(i, kind, top)
            for i, (kind, absent) in enumerate(zip(self.case.heads, self.case.absent, strict=True))
        ]
        return losses, {"input": hidden, "output": z, "top": top}[self.case.features]

    def loss(self, i, kind, top):
        if kind == "direct":
            return top.square().mean()
        if kind == "sum":
            return (top.sum() - 1).square()
        rows = top if top.shape[-1] == 6 and ("linear" in self.case.layer or self.case.after == "norm") else None
        if rows is None:
            rows = top.movedim(1 if self.case.batched else 0, -1)
        y = self.heads[i](rows)
        if kind == "twice":
            y = y * rows[..., :2] + rows[..., 2:4]
        if kind == "in place":
            y = y.clone().mul_(2).relu_()
        return (y - i).square().mean()

    def shared(self):
        which = self.case.which
        if which == "layer":
            return self.layer
        if which == "weight":
            return self.layer.weight
        if which == "bias":
            return self.layer.bias if self.layer.bias is not None else self.layer.weight
        return [*self.trunk.parameters(), *self.layer.parameters()]


@st.composite
def cases(draw):
    tasks = draw(st.integers(1, 4))
    flags = st.lists(st.booleans(), min_size=tasks, max_size=tasks).map(tuple)
    absent = draw(flags)
    layer = draw(st.sampled_from(["linear", "linear of 3 dimensions", "conv1d", "conv2d", "conv2d", "conv3d"]))
    trunk = draw(st.booleans())
    return Case(
        layer=layer,
        bias=draw(st.booleans()),
        groups=draw(st.sampled_from([1, 2])),
        stride=draw(st.sampled_from([1, 2])),
        padding=draw(st.sampled_from([0, 1])),
        dilation=draw(st.sampled_from([1, 2])),
        padding_mode=draw(st.sampled_from(["zeros", "zeros", "circular"])),
        after=draw(st.sampled_from(["nothing", "nothing", "relu", "tanh", "norm", "residual"])),
        features=draw(st.sampled_from(["input", "output", "top"])),
        which=draw(st.sampled_from(["layer", "layer", "weight", "bias", "several"])) if trunk else "layer",
        heads=tuple(
            draw(st.sampled_from(["affine", "affine", "direct", "sum", "twice", "in place"])) for _ in range(tasks)
        ),
        frozen=draw(flags),
        absent=(False,) * tasks if all(absent) else absent,
        trunk=trunk,
        batched=draw(st.booleans()) or layer == "linear of 3 dimensions",
        seed=draw(st.integers(0, 9)),
    )


def both(case, scale=None):
    """Return (norms, gradients) by one pass and by separate passes; None for the first where it does not apply."""
    results = []
    for one_pass in (True, False):
        net = Net(case)
        losses, features = net.run(net.inputs())
        shared = shared_parameters(net.shared())
        names = [f"task {i}" for i in range(len(losses))]
        weights = torch.linspace(0.3, 2, len(losses), dtype=torch.float64)
        if one_pass:
            cut = OnePass.plan(losses, features, shared)
            measured = None if cut is None else OnePass(losses, weights, cut, shared, names, scale)
        else:
            measured = SeparatePasses(losses, shared, names, scale)
            measured.backward(weights)
        results.append(None if measured is None else (measured.norms, {n: p.grad for n, p in net.named_parameters()}))
    return results


def assert_same(case, scale=None):
    ours, general = both(case, scale)
    if ours is None:
        return False
    assert not ours[0].requires_grad
    torch.testing.assert_close(ours[0], general[0], equal_nan=True, **EXACT)
    for name, grad in general[1].items():
        by_one_pass = ours[1][name]
        assert (by_one_pass is None) == (grad is None), name
        if grad is not None:
            torch.testing.assert_close(by_one_pass, grad, msg=name, **EXACT)
    return True


@pytest.mark.slow
@settings(max_examples=150)
@given(cases(), st.sampled_from([None, 4.0]))
def test_one_pass_equals_the_general_way(case, scale):
    assert_same(case, None if scale is None else torch.tensor(scale, dtype=torch.float64))


@pytest.mark.parametrize("features", ["input", "output"])
@pytest.mark.parametrize("after", ["nothing", "relu", "norm"])
@pytest.mark.parametrize("layer", ["linear", "linear of 3 dimensions", "conv1d", "conv2d", "conv3d"])
def test_usual_networks_go_the_one_way(layer, after, features):
    assert assert_same(Case(layer=layer, after=after, features=features, groups=2, stride=2))


@pytest.mark.parametrize("layer", ["linear", "linear of 3 dimensions", "conv1d", "conv2d", "conv3d"])
@pytest.mark.parametrize("which", ["layer", "weight", "bias"])
def test_one_layer_serves_all_tasks_in_one_product(layer, which):
    net = Net(Case(layer=layer, which=which, after="nothing" if "3" in layer else "relu"))
    losses, features = net.run(net.inputs())
    shared = shared_parameters(net.shared())
    cut = OnePass.plan(losses, features, shared)
    assert Layer.find(cut, shared) is not None


def plan(losses, features, *shared):
    return OnePass.plan(losses, features, shared)


def test_heads_that_share_a_parameter_are_measured_the_general_way():
    W, v = (nn.Parameter(torch.randn(3, 3)) for _ in range(2))
    z = torch.randn(3, 3) @ W
    assert plan([(z * v).sum(), (z - v).sum()], z, W) is None


def test_a_head_that_uses_the_shared_layer_once_more_is_measured_the_general_way():
    W = nn.Parameter(torch.randn(3, 3))
    z = torch.randn(2, 3) @ W
    assert plan([z.sum(), (z @ W).sum()], z, W) is None


def test_a_head_that_reaches_around_the_features_is_measured_the_general_way():
    V, W = (nn.Parameter(torch.randn(3, 3)) for _ in range(2))
    hidden = (torch.randn(2, 3) @ V).tanh()
    z = hidden @ W
    assert plan([z.sum(), (z + hidden).sum()], z, W) is None


def test_heads_that_do_not_meet_are_measured_the_general_way():
    V, W = (nn.Parameter(torch.randn(3, 3)) for _ in range(2))
    x = torch.randn(2, 3) @ V
    assert plan([(x @ W).sum(), (x @ W).mean()], x @ W, W) is None
    z = x @ W
    assert plan(list((z.sum(0)[:2]).unbind()), z, W) is None
    assert plan([z.sum(), x.sum()], z, W) is None
    assert plan([z.sum(), V.sum()], z, W) is None


@pytest.mark.parametrize("hooked", ["features", "shared"])
def test_tensors_with_hooks_that_may_change_the_norms_are_measured_the_general_way(hooked):
    net = Net(Case())
    losses, features = net.run(net.inputs())
    assert plan(losses, features, *net.layer.parameters()) is not None
    {"features": features, "shared": net.layer.weight}[hooked].register_hook(print)
    assert plan(losses, features, *net.layer.parameters()) is None


def step(net_of, plain, prepare=lambda tensors: None):
    """Take one step with fixed unequal weights; return the tensors of the network by name, with their gradients.

    plain: whether torch back-propagates the weighted sum by itself, without the library.
    prepare: what is done to the tensors before the backward pass.
    """
    tensors = net_of()
    prepare(tensors)
    losses, W, features = tensors["losses"], tensors["W"], tensors["features"]
    weights = torch.tensor([0.25, 1.75], dtype=torch.float64)
    if plain:
        torch.autograd.backward(losses, list(weights))
        return tensors, None
    balancer = GradNorm(2, update="log", heads="weighted")
    balancer.place(State(weights, torch.ones(2).double()), 1)
    assert plan(losses, features, W) is not None
    return tensors, balancer.backward(losses, shared=W, features=features)


def tensors_with_a_shared_relu():
    torch.manual_seed(0)
    V, W, a, b = (nn.Parameter(torch.randn(3, 3, dtype=torch.float64)) for _ in range(4))
    hidden = torch.randn(4, 3, dtype=torch.float64) @ V
    z = hidden @ W
    top = z.relu()
    ends = [top @ a, top @ b]
    losses = [end.square().mean() for end in ends]
    return {"V": V, "W": W, "a": a, "b": b, "features": z, "top": top, "end": ends[1], "losses": losses}


def gradients_of(tensors):
    return {name: tensors[name].grad for name in ("V", "W", "a", "b")}


@pytest.mark.parametrize("hooked", ["top", "end"])
def test_a_hook_above_the_features_changes_the_gradients_as_it_does_without_the_library(hooked):
    def double(tensors):
        tensors[hooked].register_hook(lambda g: 2 * g)

    expected, _ = step(tensors_with_a_shared_relu, True, double)
    found, _ = step(tensors_with_a_shared_relu, False, double)
    for name, grad in gradients_of(expected).items():
        torch.testing.assert_close(found[name].grad, grad, msg=name, **EXACT)


@pytest.mark.parametrize("retained", ["features", "top", "end"])
def test_a_retained_gradient_is_the_weighted_one(retained):
    expected, _ = step(tensors_with_a_shared_relu, True, lambda tensors: tensors[retained].retain_grad())
    found, _ = step(tensors_with_a_shared_relu, False, lambda tensors: tensors[retained].retain_grad())
    torch.testing.assert_close(found[retained].grad, expected[retained].grad, **EXACT)


def test_a_complex_layer_has_the_gradients_of_autograd():
    def net():
        torch.manual_seed(0)
        V, W, a, b = (nn.Parameter(torch.randn(3, 3, dtype=torch.complex128)) for _ in range(4))
        z = (torch.randn(4, 3, dtype=torch.complex128) @ V) @ W
        losses = [(z @ head).abs().square().mean() for head in (a, b)]
        return {"V": V, "W": W, "a": a, "b": b, "features": z, "losses": losses}

    expected, _ = step(net, True)
    found, balance = step(net, False)
    for name, grad in gradients_of(expected).items():
        torch.testing.assert_close(found[name].grad, grad, msg=name, **EXACT)
    tensors = net()
    general = GradNorm(2).backward(tensors["losses"], shared=tensors["W"]).gradient_norms
    torch.testing.assert_close(balance.gradient_norms, general * torch.tensor([0.25, 1.75]).double(), **EXACT)


def test_a_bias_of_one_number_for_all_outputs():
    norms, grads = [], []
    for one_pass in (True, False):
        torch.manual_seed(0)
        V, W, b = (nn.Parameter(torch.randn(*shape).double()) for shape in ((3, 3), (5, 3), (1,)))
        z = nn.functional.linear(torch.randn(4, 3).double() @ V, W, b)
        losses = [z.square().mean(), z.exp().mean()]
        norms.append(GradNorm(2).backward(losses, shared=[W, b], features=z if one_pass else None).gradient_norms)
        grads.append(torch.cat([p.grad.flatten() for p in (V, W, b)]))
    torch.testing.assert_close(*norms, **EXACT)
    torch.testing.assert_close(*grads, **EXACT)


@pytest.mark.parametrize("layer", [nn.Linear(16, 16), nn.Conv2d(16, 16, 3)])
def test_a_layer_in_single_precision_is_measured_in_it_under_autocast(layer):
    norms = []
    for one_pass in (True, False):
        torch.manual_seed(0)
        x = torch.randn(2, 16) if isinstance(layer, nn.Linear) else torch.randn(2, 16, 6, 6)
        z = layer(x)
        losses = [z.square().mean(), z.exp().mean()]
        # A balancer may be called inside the block, though autocast is for forward passes.
        with torch.autocast("cpu", torch.bfloat16, enabled=one_pass):
            balance = GradNorm(2).backward(losses, shared=layer, features=z if one_pass else None)
        norms.append(balance.gradient_norms)
    torch.testing.assert_close(*norms, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", ["linear", "conv2d"])
def test_an_optimizer_may_step_as_soon_as_a_gradient_is_there(layer):
    trained = []
    for one_pass in (True, False):
        net = Net(Case(layer=layer))
        x = net.inputs()
        optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in net.parameters()}
        if one_pass:
            for p in net.parameters():
                p.register_post_accumulate_grad_hook(lambda p, optimizers=optimizers: optimizers[p].step())
        losses, features = net.run(x)
        GradNorm(2).backward(losses, shared=net.layer, features=features)
        if not one_pass:
            for optimizer in optimizers.values():
                optimizer.step()
        trained.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    torch.testing.assert_close(*trained, **EXACT)


def test_losses_that_come_as_one_tensor_go_the_one_way():
    net, other = Net(Case()), Net(Case())
    x = net.inputs()
    losses, features = net.run(x)
    others, at_features = other.run(x)
    joined = torch.stack(others)
    assert plan(list(joined.unbind()), at_features, *other.layer.parameters()) is not None
    separate = GradNorm(2).backward(losses, shared=net.layer, features=features)
    together = GradNorm(2).backward(joined, shared=other.layer, features=at_features)
    torch.testing.assert_close(separate.gradient_norms, together.gradient_norms, **EXACT)
    for p, q in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, **EXACT)


def test_a_layer_that_is_used_twice_is_gone_through_as_it_is():
    net = nn.Linear(3, 3).double()
    twin = copy.deepcopy(net)
    x = torch.randn(4, 3, dtype=torch.float64)
    norms = []
    for layer, one_pass in ((net, True), (twin, False)):
        z = layer(layer(x).tanh())
        balance = GradNorm(2).backward(
            [z.square().mean(), z.exp().mean()], shared=layer, features=z if one_pass else None
        )
        norms.append(balance.gradient_norms)
    torch.testing.assert_close(*norms, **EXACT)
    torch.testing.assert_close(net.weight.grad, twin.weight.grad, **EXACT)


def test_every_leaf_s_hooks_run_once_and_see_the_weighted_gradient():
    net = Net(Case(layer="conv2d", heads=("affine", "affine", "sum"), frozen=(False,) * 3, absent=(False,) * 3))
    seen, accumulated = {}, []
    for name, p in net.named_parameters():
        if not name.startswith("layer"):
            p.register_hook(lambda g, name=name: seen.setdefault(name, []).append(g.clone()))
        p.register_post_accumulate_grad_hook(lambda p, name=name: accumulated.append(name))
    losses, features = net.run(net.inputs())
    GradNorm(3).backward(losses, shared=net.layer, features=features)
    used = [name for name, p in net.named_parameters() if p.grad is not None]
    assert sorted(accumulated) == sorted(used)
    assert {name for name in used if not name.startswith("layer")} == set(seen)
    for name, gradients in seen.items():
        assert len(gradients) == 1
        torch.testing.assert_close(gradients[0], net.get_parameter(name).grad)


def test_gradients_are_added_to_those_that_are_there():
    case = Case(layer="conv2d")
    net = Net(case)
    x = net.inputs()
    for times in (1, 2):
        losses, features = net.run(x)
        Balancer(2, GradNormMethod(weight_learning_rate=1e-12)).backward(losses, shared=net.layer, features=features)
        if times == 1:
            first = net.layer.weight.grad.clone()
    torch.testing.assert_close(net.layer.weight.grad, 2 * first)


@pytest.mark.parametrize("absent", [(True, False, False), (False, True, True)])
def test_an_absent_task_has_no_norm_and_leaves_its_head_alone(absent):
    case = Case(heads=("affine",) * 3, frozen=(False,) * 3, absent=absent)
    ours, _ = both(case)
    assert ours[0].isnan().tolist() == list(absent)
    for i, gone in enumerate(absent):
        assert (ours[1][f"heads.{i}.weight"] is None) == gone
    assert assert_same(replace(case, layer="conv2d"))


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_trunk_gives_the_same(reentrant):
    norms, grads = [], []
    for one_pass in (True, False):
        net = Net(Case())
        x = net.inputs().requires_grad_()
        z = net.layer(torch.utils.checkpoint.checkpoint(net.trunk, x, use_reentrant=reentrant))
        losses = [net.loss(i, "affine", z) for i in range(2)]
        balance = GradNorm(2).backward(losses, shared=net.layer, features=z if one_pass else None)
        norms.append(balance.gradient_norms)
        grads.append([p.grad for p in net.parameters() if p.grad is not None])
    torch.testing.assert_close(*norms, **EXACT)
    torch.testing.assert_close(*grads, **EXACT)


@pytest.mark.parametrize("layer", ["linear", "linear of 3 dimensions", "conv2d"])
def test_autocast_gives_nearly_the_same(layer):
    norms = []
    for one_pass in (True, False):
        net = Net(Case(layer=layer)).float()
        x = net.inputs().float()
        with torch.autocast("cpu", torch.bfloat16):
            losses, features = net.run(x)
        balance = GradNorm(2).backward(losses, shared=net.layer, features=features if one_pass else None)
        norms.append(balance.gradient_norms)
        assert net.layer.weight.grad.dtype == torch.float32
    torch.testing.assert_close(*norms, rtol=2e-2, atol=1e-3)
