"""The networks for pictures: their sizes, shapes and initial values, and that one pass measures them right."""

import copy

import pytest
import torch
from torch import nn

from gradnorm.datasets.base import Task
from gradnorm.gradients.general import SeparatePasses, shared_parameters
from gradnorm.gradients.layer_rules import Layer
from gradnorm.gradients.one_pass import OnePass
from gradnorm.models.landmarks import LandmarkNetwork
from gradnorm.models.network import Network
from gradnorm.models.resnet_fcn import ResNetFCN
from gradnorm.models.segnet import SegNet

OUTPUTS = (13, 1, 3)
NAMES = ["a", "b", "c"]
TASKS = [Task("points", "landmarks", 10), Task("gender", "classification", 2), Task("pose", "classification", 5)]
FACES = [*TASKS[:2], Task("smile", "classification", 2), Task("glasses", "classification", 2), TASKS[2]]
SMALL = {
    "segnet": lambda seed=0: SegNet(OUTPUTS, width=0.1, seed=seed),
    "segnet, stride 4": lambda seed=0: SegNet(OUTPUTS, width=0.1, stride=4, seed=seed),
    "resnet_fcn": lambda seed=0: ResNetFCN(OUTPUTS, width=0.1, seed=seed),
    "resnet_fcn, stride 1": lambda seed=0: ResNetFCN(OUTPUTS, width=0.1, stride=1, seed=seed),
    "landmarks 40": lambda seed=0: LandmarkNetwork(40, 1, TASKS, width=0.5, seed=seed),
    "landmarks 160": lambda seed=0: LandmarkNetwork(160, 3, TASKS, width=0.1, seed=seed),
}


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def pictures(name):
    shape = {"landmarks 40": (1, 40, 40), "landmarks 160": (3, 160, 160)}.get(name, (3, 64, 32))
    return torch.randint(0, 256, (2, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "millions", "exactly"),
    [
        (lambda: SegNet(OUTPUTS, stride=4), 29, None),
        (lambda: SegNet(OUTPUTS, stride=2), 29, None),
        (lambda: ResNetFCN(OUTPUTS), 15, None),
        (lambda: ResNetFCN(OUTPUTS, stride=1), 15, None),
        # Weights and biases by the layer lists of Zhang et al. (2014) and of the paper; 21 outputs from 100 units.
        (lambda: LandmarkNetwork(40, 1, FACES), None, (25 * 16 + 16) + (9 * 16 * 48 + 48) + (9 * 48 * 64 + 64)
         + (4 * 64 * 64 + 64) + (256 * 100 + 100) + 21 * 101),
        (lambda: LandmarkNetwork(160, 3, FACES), None, (75 * 16 + 16) + (9 * 16 * 32 + 32) + (9 * 32 * 32 + 32)
         + (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64) + (9 * 64 * 128 + 128) + 5 * (9 * 128 * 128 + 128)
         + (3200 * 100 + 100) + 21 * 101),
    ],
)  # fmt: skip
def test_the_sizes_are_the_paper_s_and_all_but_the_heads_is_shared(network, millions, exactly):
    net = network()
    assert count(net) == count(net.trunk, net.last_shared_layer, net.heads)
    if millions is None:
        assert count(net) == exactly
    else:
        assert count(net) == pytest.approx(millions * 1e6, rel=0.05)
        assert count(net.heads) < 0.01 * count(net)


def test_segnet_mirrors_vgg16_up_to_a_quarter_of_the_picture():
    # VGG16's convolutions have 14,714,688 parameters, of which 4,224 are biases; here these are normalisations.
    encoder = 14_714_688 + 4_224
    up = [(512, 512)] * 5 + [(512, 256), (256, 256)]
    decoder = sum(9 * inputs * outputs + 2 * outputs for inputs, outputs in up)
    assert count(SegNet(OUTPUTS, stride=4)) == encoder + decoder + (9 * 256 * 256 + 256) + 17 * (9 * 256 + 1)


@pytest.mark.parametrize("kind", [SegNet, ResNetFCN])
@pytest.mark.parametrize("stride", [1, 2, 4])
def test_the_maps_are_smaller_by_the_stride(kind, stride):
    net = kind(OUTPUTS, width=0.05, stride=stride)
    maps = net(pictures("dense"))
    assert [tuple(y.shape) for y in maps] == [(2, n, 64 // stride, 32 // stride) for n in OUTPUTS]


def test_the_thinned_resnet_has_no_layer_of_2048_filters_and_is_as_deep():
    encoder = ResNetFCN(OUTPUTS).trunk[0]
    layers = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert max(layer.out_channels for layer in layers) == 1024
    # 50 less the classifier, and three projections: the last stage needs none.
    assert len(layers) == 49 + 3


@pytest.mark.parametrize("name", SMALL)
def test_pictures_of_bytes_are_numbers_around_0(name):
    net = SMALL[name]()
    x = pictures(name)
    for found, expected in zip(net(x), net(x.float() / 63.75 - 2), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", SMALL)
def test_initial_values_are_a_function_of_the_seed(name):
    first, second, other = (SMALL[name](seed=seed) for seed in (1, 1, 2))
    for (key, p), q, r in zip(first.named_parameters(), second.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q), key
        assert torch.equal(p, r) == (key.endswith("bias") or p.dim() == 1), key


def test_no_two_layers_of_one_shape_have_the_same_values():
    for make in SMALL.values():
        weights = [p for p in make().parameters() if p.dim() > 1]
        same = [p.shape == q.shape and torch.equal(p, q) for i, p in enumerate(weights) for q in weights[:i]]
        assert not any(same)


@pytest.mark.parametrize("few", [SegNet(OUTPUTS[:1], width=0.1), ResNetFCN(OUTPUTS[:1], width=0.1)])
def test_a_head_depends_on_its_place_alone(few):
    many = type(few)(OUTPUTS, width=0.1)
    assert torch.equal(few.heads[0].weight, many.heads[0].weight)


def test_an_evaluation_before_the_first_step_is_of_the_size_of_one_while_training():
    net = ResNetFCN(OUTPUTS, width=0.25)
    x = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before, trained = net.eval()(x), net.train()(x)
    for early, late in zip(before, trained, strict=True):
        assert float(early.std()) < 10 * float(late.std())


def test_a_head_for_landmarks_depends_on_its_place_alone():
    few, many = LandmarkNetwork(40, 1, TASKS[:2]), LandmarkNetwork(40, 1, TASKS)
    assert torch.equal(few.heads[1].weight, many.heads[1].weight)


@pytest.mark.parametrize("module", [nn.Conv2d, nn.ConvTranspose2d, nn.Linear])
def test_initial_weights_have_the_variance_of_he_s_rule(module):
    nets = [ResNetFCN(OUTPUTS, width=0.5), LandmarkNetwork(160, 3, TASKS)]
    layers = [m for net in nets for m in net.modules() if isinstance(m, module) and m.weight.numel() > 4000]
    assert layers
    for layer in layers:
        fan_in = layer.weight.shape[0] if module is nn.ConvTranspose2d else layer.weight[0].numel()
        assert float(layer.weight.detach().var()) == pytest.approx(2 / fan_in, rel=0.1)


def losses_of(outputs):
    return [(10.0**i) * (y - 1).square().mean() for i, y in enumerate(outputs)]


@pytest.mark.parametrize("name", SMALL)
def test_one_pass_gives_the_norms_and_gradients_of_the_general_way(name):
    ours = SMALL[name]().double()
    assert isinstance(ours, Network)
    general = copy.deepcopy(ours)
    x = pictures(name).double() / 64 - 2
    weights = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    found = []
    for net in (ours, general):
        features = net.shared(x)
        losses = losses_of(net.predict(features))
        shared = shared_parameters(net.last_shared_layer)
        if net is ours:
            cut = OnePass.plan(losses, features, shared)
            # One product for all tasks, rather than one pass a task.
            assert Layer.find(cut, shared) is not None
            measured = OnePass(losses, weights, cut, shared, NAMES)
        else:
            measured = SeparatePasses(losses, shared, NAMES)
            measured.backward(weights)
        found.append((measured.norms, [p.grad for p in net.parameters()]))
    assert float(found[0][0].min()) > 0
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-9, atol=1e-9)


def test_landmarks_are_in_the_tasks_units():
    plain = LandmarkNetwork(40, 1, [Task("a", "landmarks", 2)], width=0.2)
    scaled = LandmarkNetwork(40, 1, [Task("a", "landmarks", 2, center=(1.0, 2.0), scale=(3.0, 4.0))], width=0.2)
    x = pictures("landmarks 40")
    torch.testing.assert_close(scaled(x)[0], torch.tensor([1.0, 2.0]) + torch.tensor([3.0, 4.0]) * plain(x)[0])


@pytest.mark.parametrize("make", [
    lambda: SegNet(OUTPUTS, stride=3),
    lambda: ResNetFCN(OUTPUTS, stride=8),
    lambda: ResNetFCN(()),
    lambda: LandmarkNetwork(40, 1, []),
])  # fmt: skip
def test_what_cannot_be_built_is_refused(make):
    with pytest.raises(ValueError, match=r"should be.*Found.*Pass"):
        make()
