"""What every problem keeps, found or yet to be written."""

import copy
import math

import numpy as np
import pytest
import torch

from gradnorm.config.spec import RunSpec, datasets
from gradnorm.datasets.problems.base import Problem
from gradnorm.models.build import build
from gradnorm.models.hidden import last_hidden

NAMES = [name for name, kind in datasets().items() if issubclass(kind, Problem) and not kind.by_path]


@pytest.fixture(params=NAMES, scope="module")
def problem(request):
    return datasets()[request.param]()


@pytest.fixture(scope="module")
def model(problem):
    return build(RunSpec.parse({"dataset": problem.name, "width": 16, "seed": 3}), None)


def test_the_points_are_a_function_of_seed_and_step(problem):
    one, two, other = problem.load(3), problem.load(3), problem.load(4)
    two.batch(1, 8)  # earlier points must not matter
    points = one.batch(9, 8).inputs
    assert torch.equal(points, two.batch(9, 8).inputs)
    assert not torch.equal(points, one.batch(10, 8).inputs)
    assert not torch.equal(points, other.batch(9, 8).inputs)
    assert len(points) == 8
    assert torch.equal(one.test.inputs, other.test.inputs)


def test_it_declares_what_the_pages_show(problem):
    source = problem.load(0)
    assert [task.name for task in source.tasks] == list(problem.task_names)
    assert len(set(problem.task_names)) == len(problem.task_names) == len(problem.task_metrics) >= 2
    assert source.test.targets == ()


@pytest.mark.parametrize("size", [2, 5, 64])
def test_each_loss_is_a_finite_scalar_that_reaches_the_shared_layer(problem, model, size):
    losses = problem.losses(model, problem.load(0).batch(1, size).inputs)
    assert len(losses) == len(problem.task_names)
    shared = list(last_hidden(model).parameters())
    for loss in losses:
        assert loss.shape == ()
        assert math.isfinite(loss.item())
        assert loss.item() > 0
        found = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
        assert any(g is not None and g.abs().sum() > 0 for g in found)


def test_losses_leave_model_and_points_alone(problem, model):
    points, before = problem.load(0).batch(1, 6).inputs, copy.deepcopy(model.state_dict())
    kept = points.clone()
    first = [loss.item() for loss in problem.losses(model, points)]
    assert first == [loss.item() for loss in problem.losses(model, points)]
    assert torch.equal(points, kept)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_the_first_network_is_a_function_of_the_seed(problem, model):
    same, other = (build(RunSpec.parse({"dataset": problem.name, "width": 16, "seed": s}), None) for s in (3, 4))
    for name, value in model.named_parameters():
        assert torch.equal(value, dict(same.named_parameters())[name])
    assert not all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_the_error_is_that_of_what_is_seen(problem, model):
    with torch.no_grad():
        error = problem.error(model)
    assert error > 0
    seen = [each for index in range(min(problem.pictures, 3)) for each in problem.seen(model, index)]
    assert seen
    for each in seen:
        assert each.truth.shape == each.answer.shape
        assert each.truth.dtype == (np.uint8 if each.view == "picture" else np.float64)
    if seen[0].view == "field":
        (field,) = seen
        assert error == pytest.approx(np.linalg.norm(field.answer - field.truth) / np.linalg.norm(field.truth))
