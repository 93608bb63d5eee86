"""SegNet: its size, its shapes, its pooling indices, and that one pass is right and at hand."""

import pytest
import torch
from torch.nn import functional

from gradnorm import GradNorm
from gradnorm.gradients.general import shared_parameters
from gradnorm.gradients.layer_rules import Layer
from gradnorm.gradients.one_pass import OnePass
from gradnorm.models.segnet import SegNet

OUTPUTS = (13, 1, 3)
# 16 channels in the first stage: as few as Winograd's way is taken for.
NARROW = 0.25


def images(dtype=torch.float32, size=32):
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype)


def losses_of(maps):
    return [(10.0**i) * (y - 1).square().mean() for i, y in enumerate(maps)]


def test_it_has_about_29_million_parameters_all_but_the_heads_shared():
    net = SegNet(OUTPUTS)
    heads = sum(p.numel() for p in net.heads.parameters())
    shared = sum(p.numel() for part in (net.trunk, net.last_shared_layer) for p in part.parameters())
    assert sum(p.numel() for p in net.parameters()) == heads + shared == pytest.approx(29.4e6, rel=0.01)
    assert heads == 64 * 17 * 9 + 17


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 32)])
def test_each_task_gets_a_map_as_large_as_the_image(height, width):
    net = SegNet(OUTPUTS, width=0.05)
    maps = net(torch.randn(2, 3, height, width))
    assert [tuple(y.shape) for y in maps] == [(2, n, height, width) for n in OUTPUTS]


def test_the_decoder_puts_values_where_the_maxima_were():
    net = SegNet(OUTPUTS, width=0.1)
    found = []
    net.trunk.encoder[0].register_forward_hook(lambda module, given, output: found.append(output))
    unpooled = net.trunk(images()).detach()
    _, places = functional.max_pool2d(found[0], 2, return_indices=True)
    elsewhere = torch.ones_like(unpooled).flatten(2).scatter(2, places.flatten(2), 0.0)
    assert bool((unpooled.flatten(2) * elsewhere == 0).all())
    assert float(unpooled.abs().sum()) > 0


def test_one_pass_is_the_general_way():
    found = []
    for one_pass in (True, False):
        net = SegNet(OUTPUTS, width=NARROW, seed=2).double()
        features = net.shared(images(torch.float64))
        losses = losses_of(net.predict(features))
        balance = GradNorm(3).backward(losses, shared=net.last_shared_layer, features=features if one_pass else None)
        found.append((balance.gradient_norms, [p.grad for p in net.parameters()]))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-9, atol=1e-9)


def test_one_convolution_serves_all_tasks():
    net = SegNet(OUTPUTS, width=0.05)
    features = net.shared(images())
    losses = losses_of(net.predict(features))
    shared = shared_parameters(net.last_shared_layer)
    cut = OnePass.plan(losses, features, shared)
    assert cut is not None
    assert Layer.find(cut, shared) is not None


def test_the_same_seed_gives_the_same_numbers_and_another_others():
    first, second, other = (SegNet(OUTPUTS, width=0.05, seed=seed) for seed in (1, 1, 2))
    for (name, p), q, r in zip(first.named_parameters(), second.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
        assert torch.equal(p, r) == (name.endswith("bias") or p.dim() == 1)


def test_a_head_does_not_depend_on_how_many_there_are():
    few, many = SegNet((13,), width=0.05), SegNet((13, 2), width=0.05)
    assert torch.equal(few.heads[0].weight, many.heads[0].weight)


@pytest.mark.parametrize("outputs", [(), (3, 0)])
def test_a_map_without_channels_is_refused(outputs):
    with pytest.raises(ValueError, match=r"outputs.*Found.*Pass"):
        SegNet(outputs)


@pytest.mark.slow
def test_the_benchmark_leaves_two_rounds_out_and_tells_its_two_steps_apart(monkeypatch):
    from benchmarks import segnet

    # Two rounds to warm up; in the third the plain step comes first.
    times = iter([99, 99, 99, 99, 10, 14])
    monkeypatch.setattr(segnet, "_milliseconds", lambda step, device: (step(), next(times))[1])
    assert segnet.ratio(rounds=1) == {"ratio": 1.4, "gradnorm_ms": 14, "plain_ms": 10}
