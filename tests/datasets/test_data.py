"""Data sets, models, metrics: against formulas written out here, and the promises about seeds."""

import numpy as np
import pytest
import torch

from gradnorm.common.randomness import stream
from gradnorm.config.spec import datasets
from gradnorm.datasets.base import Batch, Task
from gradnorm.datasets.builtin.diamonds import Diamonds
from gradnorm.datasets.builtin.digits import Digits
from gradnorm.datasets.builtin.toy import Toy, sample_sigmas
from gradnorm.datasets.problems.base import Problem
from gradnorm.metrics import evaluate, task_loss
from gradnorm.models.mlp import MLP


def test_toy_is_equation_3():
    toy = Toy(tasks=2, sigmas=(1.0, 100.0))
    batch = toy.load(7).batch(3, 5)
    B = stream(7, "toy B").normal(0, np.sqrt(10), (100, 250))
    for i, sigma in enumerate((1.0, 100.0)):
        epsilon = stream(7, "toy epsilon", i).normal(0, np.sqrt(3.5), (100, 250))
        expected = sigma * np.tanh((B + epsilon) @ batch.inputs.numpy().T.astype(np.float64)).T
        np.testing.assert_allclose(batch.targets[i].numpy(), expected, rtol=2e-3, atol=2e-3 * sigma)


def test_toy_matrices_have_the_spread_that_is_asked_for():
    # f is odd and steep; the inverse tanh of small pre-activations gives (B + ε)x back.
    for spread, deviation in (("variance", np.sqrt(13.5)), ("deviation", np.hypot(10, 3.5))):
        source = Toy(tasks=1, sigmas=(1.0,), spread=spread, input_scale=1e-3).load(0)
        batch = source.batch(1, 400)
        before = torch.atanh(batch.targets[0].double())
        found = float(before.std() / (batch.inputs.double().norm(dim=1).mean()))
        assert found == pytest.approx(deviation, rel=0.03)


@pytest.mark.parametrize("inputs", ["normal", "uniform"])
def test_toy_inputs_have_the_scale(inputs):
    x = Toy(inputs=inputs, input_scale=2.0).load(0).batch(1, 2000).inputs
    assert float(x.std()) == pytest.approx(2.0, rel=0.01)
    assert float(x.mean()) == pytest.approx(0.0, abs=0.02)
    if inputs == "uniform":
        assert float(x.abs().max()) <= 2.0 * np.sqrt(3) + 1e-5


def test_adding_a_task_leaves_the_others_alone():
    small = Toy(tasks=2, sigmas=(1.0, 5.0)).load(1)
    large = Toy(tasks=3, sigmas=(1.0, 5.0, 9.0)).load(1)
    a, b = small.batch(4, 6), large.batch(4, 6)
    assert torch.equal(a.inputs, b.inputs)
    for x, y in zip(a.targets, b.targets, strict=False):
        torch.testing.assert_close(x, y)
    first = MLP(250, small.tasks, seed=1)
    second = MLP(250, large.tasks, seed=1)
    for name, value in first.named_parameters():
        assert torch.equal(value, dict(second.named_parameters())[name])


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "rooms" else ())
        for name, dataset in datasets().items()
        if not dataset.by_path and not issubclass(dataset, Problem)
    ],
)
def test_the_batch_is_a_function_of_seed_and_step(name):
    dataset = datasets()[name]()
    one, two, other = dataset.load(3), dataset.load(3), dataset.load(4)
    two.batch(1, 8)  # an earlier batch must not matter
    assert torch.equal(one.batch(9, 8).inputs, two.batch(9, 8).inputs)
    assert not torch.equal(one.batch(9, 8).inputs, one.batch(10, 8).inputs)
    assert not torch.equal(one.batch(9, 8).inputs, other.batch(9, 8).inputs)
    assert [task.name for task in one.tasks] == list(dataset.task_names)
    assert [task.form for task in one.tasks] == list(dataset.task_forms)
    size, maps = len(one.test.inputs), tuple(side // one.stride for side in one.shape[1:])
    for task, target in zip(one.tasks, one.test.targets, strict=True):
        expected = {
            "classification": (size,),
            "segmentation": (size, *maps),
            "depth": (size, 1, *maps),
            "normals": (size, 3, *maps),
            "heatmaps": (size, task.outputs, 2),
        }
        assert target.shape == expected.get(task.form, (size, task.outputs))


@pytest.mark.parametrize("dataset", [Digits, Diamonds])
def test_the_test_rows_of_a_table_are_the_same_for_every_seed_and_not_trained_on(dataset):
    one, two = dataset().load(0), dataset().load(1)
    assert torch.equal(one.test.inputs, two.test.inputs)
    rows = {tuple(row) for row in one.batch(1, 500).inputs.tolist()}
    held_out = {tuple(row) for row in one.test.inputs.tolist()}
    # Some stones have equal measurements; a leak would make it nearly all of them.
    assert len(rows & held_out) < 0.25 * len(rows)


def test_diamonds_raw_and_standardised():
    raw, plain = Diamonds().load(0), Diamonds(units="standardised").load(0)
    price = raw.test.targets[0]
    assert 326 <= float(price.min()) < float(price.max()) <= 18_823
    assert len(raw.test.inputs) == 10_000
    assert float(plain.test.targets[0].mean()) == pytest.approx(0, abs=0.05)
    assert float(plain.test.targets[0].std()) == pytest.approx(1, abs=0.05)
    assert [task.outputs for task in raw.tasks] == [1, 1, 5, 7, 8]
    scaled = Diamonds(output_scale=True).load(0).tasks[0]
    assert scaled.center[0] == pytest.approx(3930, rel=0.02)
    assert scaled.scale[0] == pytest.approx(3987, rel=0.03)


def test_digits_ink_is_the_sum_of_the_picture():
    source = Digits().load(0)
    label, ink, picture = source.test.targets
    torch.testing.assert_close(ink[:, 0], picture.sum(1))
    assert int(label.min()) == 0
    assert int(label.max()) == 9
    assert len(label) == 500


def test_sigmas():
    assert sample_sigmas(3, 10.0, 0) == sample_sigmas(5, 10.0, 0)[:3]
    assert np.std(sample_sigmas(64, 10.0, 1)) == pytest.approx(6, rel=0.4)
    assert Toy(sigmas="1, 2 3;4").sigmas == (1, 2, 3, 4)
    assert Toy(tasks=5).tasks == len(Toy(tasks=5).sigmas) == 5
    with pytest.raises(ValueError, match="numbers with commas"):
        Toy(sigmas="1, x")


def test_the_network_has_the_shape_of_the_paper():
    net = MLP(250, [Task("a", "regression", 100), Task("b", "regression", 100)])
    assert [tuple(p.shape) for p in net.parameters() if p.dim() == 2] == [
        (100, 250), (100, 100), (100, 100), (100, 100), (100, 100), (100, 100),
    ]  # fmt: skip
    assert tuple(net.last_shared_layer.weight.shape) == (100, 100)


@pytest.mark.parametrize(("rule", "variance"), [("he", 2 / 250), ("xavier", 2 / 350), ("uniform", 1 / 750)])
def test_initialisation_has_the_spread_of_its_rule(rule, variance):
    weight = MLP(250, [Task("a", "regression", 3)], initialization=rule).trunk[0].weight
    assert float(weight.detach().var()) == pytest.approx(variance, rel=0.03)


def test_scaled_outputs_are_an_affine_map_of_plain_ones():
    plain = MLP(4, [Task("a", "regression", 2)], width=8)
    scaled = MLP(4, [Task("a", "regression", 2, center=(1.0, 2.0), scale=(3.0, 4.0))], width=8)
    x = torch.randn(5, 4)
    expected = torch.tensor([1.0, 2.0]) + torch.tensor([3.0, 4.0]) * plain(x)[0]
    torch.testing.assert_close(scaled(x)[0], expected)


def test_losses_by_hand():
    y, t = torch.tensor([[1.0, 2.0], [3.0, 5.0]]), torch.tensor([[0.0, 2.0], [3.0, 1.0]])
    assert float(task_loss(y, t, Task("a", "regression", 2))) == pytest.approx((1 + 0 + 0 + 16) / 4)
    logits = torch.tensor([[0.0, np.log(3.0)], [0.0, 0.0]])
    expected = -(np.log(3 / 4) + np.log(1 / 2)) / 2
    assert float(task_loss(logits, torch.tensor([1, 0]), Task("b", "classification", 2))) == pytest.approx(expected)


def test_metrics_are_pooled_over_the_whole_set():
    # Larger than one chunk, so that a mean of chunk means would differ.
    size = 10_001
    x = torch.linspace(0, 1, size).reshape(-1, 1)
    y = torch.cat([3 * x, x.square()], dim=1)
    label = (x[:, 0] > 0.7).long()
    test = Batch(x, (y, label))
    tasks = (Task("r", "regression", 2), Task("c", "classification", 2))
    guess = [y + 0.1, torch.stack([torch.zeros(size), x[:, 0] - 0.5], dim=1)]
    offset = [0]

    def predict(inputs):
        rows = slice(offset[0], offset[0] + len(inputs))
        offset[0] += len(inputs)
        return [g[rows] for g in guess]

    losses, metrics = evaluate(predict, test, tasks)
    assert losses[0] == pytest.approx(0.01, rel=1e-4)
    total = ((y - y.mean(0)) ** 2).sum()
    assert metrics[0]["r2"] == pytest.approx(1 - 0.01 * 2 * size / float(total), rel=1e-4)
    assert metrics[1]["accuracy"] == pytest.approx(0.8, abs=1e-3)  # wrong between 0.5 and 0.7
