"""Losses and metrics of maps and points: by hand, and pooled over batches of unequal size."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.datasets.base import METRICS, Batch, Task
from gradnorm.metrics import constant_losses, evaluate, known, task_loss
from gradnorm.metrics.losses import BELL, bells
from gradnorm.metrics.meters import meter

SEGMENTATION = Task("classes", "segmentation", 3)
DEPTH = Task("depth", "depth", 1, "m")
NORMALS = Task("normals", "normals", 3)
POINTS = Task("keypoints", "heatmaps", 2)
FACE = Task("landmarks", "landmarks", 10)


def scores(task, *batches):
    each = meter(task)
    for output, target in batches:
        each.add(output, target)
    found = each.scores()
    assert list(found) == list(METRICS[task.form])
    return found


def test_segmentation_by_hand():
    target = torch.tensor([[[0, 0], [1, -1]], [[1, 2], [-1, -1]]])
    answer = torch.tensor([[[0, 1], [1, 2]], [[1, 1], [0, 0]]])
    logits = torch.nn.functional.one_hot(answer, 3).movedim(-1, 1).float() * 2
    # Labelled: (0→0), (0→1), (1→1), (1→1), (2→1).
    found = scores(SEGMENTATION, (logits[:1], target[:1]), (logits[1:], target[1:]))
    assert found["pixel_accuracy"] == pytest.approx(3 / 5)
    assert found["miou"] == pytest.approx((1 / 2 + 2 / 4 + 0 / 1) / 3)
    assert found["iou_error"] == pytest.approx(100 * (1 - found["miou"]))
    right, wrong = -math.log(math.e**2 / (math.e**2 + 2)), -math.log(1 / (math.e**2 + 2))
    assert float(task_loss(logits, target, SEGMENTATION)) == pytest.approx((3 * right + 2 * wrong) / 5)


def test_a_class_that_neither_occurs_nor_is_answered_does_not_count():
    target = torch.tensor([[[0, 1]]])
    logits = torch.tensor([[[[5.0, 0.0]], [[0.0, 5.0]], [[-5.0, -5.0]]]])
    assert scores(SEGMENTATION, (logits, target))["miou"] == 1.0


def test_depth_by_hand():
    target = torch.tensor([[[[2.0, 0.0], [4.0, 1.0]]]])
    output = torch.tensor([[[[3.0, 9.0], [4.0, 3.0]]]])
    found = scores(DEPTH, (output, target))
    assert found["rmse"] == pytest.approx(math.sqrt((1 + 0 + 4) / 3))
    assert found["abs_error"] == pytest.approx(1.0)
    assert found["rel_error"] == pytest.approx((0.5 + 0 + 2) / 3)
    assert float(task_loss(output, target, DEPTH)) == pytest.approx(5 / 3)
    assert known(target, DEPTH)


def test_normals_by_hand():
    angles = [0.0, 20.0, 25.0, 90.0]
    truth = torch.zeros(1, 3, 1, 5)
    truth[0, 2, 0, :4] = -1.0  # the fifth is not known
    answers = torch.tensor([[math.sin(math.radians(a)), 0.0, -math.cos(math.radians(a))] for a in [*angles, 45.0]])
    output = 7.0 * answers.T[None, :, None, :]  # its length does not matter
    found = scores(NORMALS, (output, truth))
    assert found["angle_mean"] == pytest.approx(33.75, abs=0.05)
    assert found["angle_median"] == pytest.approx(20.0, abs=0.02)
    assert (found["within_11"], found["within_22"], found["within_30"]) == (0.25, 0.5, 0.75)
    cosines = np.cos(np.radians(angles))
    assert found["cosine_error"] == pytest.approx(np.mean(1 - np.abs(cosines)), abs=1e-6)
    assert float(task_loss(output, truth, NORMALS)) == pytest.approx(np.mean(1 - cosines), abs=1e-6)


def test_the_opposite_normal_is_wrong_in_degrees_and_right_for_the_papers_error():
    truth = torch.tensor([0.0, 0.0, -1.0]).view(1, 3, 1, 1)
    found = scores(NORMALS, (-truth, truth))
    assert found["angle_mean"] == pytest.approx(180, abs=0.05)
    assert found["cosine_error"] == pytest.approx(0, abs=1e-6)


def test_bells_stand_on_their_points():
    points = torch.tensor([[[0.25, 0.75], [math.nan, math.nan]]])
    maps = bells(points, 40, 80)
    assert maps.shape == (1, 2, 40, 80)
    assert not maps[0, 1].any()
    for x, y in ((19.5, 29.5), (25, 28), (0, 0)):
        distance = ((x + 0.5) / 80 - 0.25) ** 2 + ((y + 0.5) / 40 - 0.75) ** 2
        if x == int(x):
            assert float(maps[0, 0, y, x]) == pytest.approx(math.exp(-distance / (2 * BELL**2)), abs=1e-6)


def test_points_by_hand():
    target = torch.tensor([[[0.25, 0.5], [math.nan, math.nan]]])
    maps = torch.zeros(1, 2, 4, 8)
    maps[0, 0, 1, 3] = 1.0  # its centre is at (3.5/8, 1.5/4)
    found = scores(POINTS, (maps, target))
    gap = math.hypot(3.5 / 8 - 0.25, 1.5 / 4 - 0.5)
    assert found["point_error"] == pytest.approx(100 * gap / math.sqrt(2))
    expected = float((maps - bells(target, 4, 8)).square().mean())
    assert float(task_loss(maps, target, POINTS)) == pytest.approx(expected)


def test_landmarks_by_hand():
    truth = torch.tensor([[0.3, 0.4, 0.7, 0.4, 0.5, 0.5, 0.4, 0.7, 0.6, 0.7]]).repeat(2, 1)  # eyes 0.4 apart
    output = truth.clone()
    output[0, 4] += 0.1  # one point of five: 0.02 on average, 5 %
    output[1] += 0.04 / math.sqrt(2)  # all points by 0.04: 10 %
    output[1, 0] += 0.01
    found = scores(FACE, (output, truth))
    assert found["landmark_error"] == pytest.approx((5 + 10.4) / 2, abs=0.05)
    assert found["failure"] == 50.0
    assert float(task_loss(output, truth, FACE)) == pytest.approx(float((output - truth).square().mean()))


@pytest.mark.parametrize("task", [SEGMENTATION, DEPTH, NORMALS])
def test_a_map_without_a_valid_pixel_costs_nothing_and_has_a_gradient(task):
    nothing = {"segmentation": torch.full((1, 2, 2), -1), "depth": torch.zeros(1, 1, 2, 2)}
    target = nothing.get(task.form, torch.zeros(1, 3, 2, 2))
    output = torch.randn(1, task.outputs, 2, 2, requires_grad=True)
    loss = task_loss(output, target, task)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert output.grad is not None
    assert bool((output.grad == 0).all())
    assert not known(target, task)
    first = next(iter(scores(task, (output.detach(), target)).values()))
    assert math.isnan(first)


@pytest.mark.slow
@given(st.integers(1, 7), st.integers(0, 2**31 - 1))
def test_losses_and_metrics_do_not_depend_on_how_the_set_is_cut(chunk, seed):
    random = torch.Generator().manual_seed(seed)
    size, tasks = 7, (SEGMENTATION, DEPTH, NORMALS, POINTS)
    outputs = [torch.randn(size, task.outputs, 3, 4, generator=random) for task in tasks]
    normals = torch.nn.functional.normalize(torch.randn(size, 3, 3, 4, generator=random), dim=1)
    targets = (
        torch.randint(-1, 3, (size, 3, 4), generator=random),
        torch.randn(size, 1, 3, 4, generator=random).clamp(min=0),
        normals * (torch.rand(size, 1, 3, 4, generator=random) > 0.3),
        torch.rand(size, 2, 2, generator=random),
    )
    whole = [task_loss(o, t, task).item() for o, t, task in zip(outputs, targets, tasks, strict=True)]
    # The width of the inputs makes `evaluate` cut the set into parts of `chunk` examples.
    inputs = torch.zeros(size, 2**21 // chunk)
    place = [0]

    def predict(part):
        rows = slice(place[0], place[0] + len(part))
        place[0] += len(part)
        assert len(part) <= chunk
        return [output[rows] for output in outputs]

    losses, metrics = evaluate(predict, Batch(inputs, targets), tasks)
    assert losses == pytest.approx(whole, rel=1e-5)
    for task, output, target, found in zip(tasks, outputs, targets, metrics, strict=True):
        assert found == pytest.approx(scores(task, (output, target)), rel=1e-9, nan_ok=True)


def test_constant_answers_are_the_best_constants():
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(-1, 3, (5, 4, 4), generator=random)
    depth = torch.rand(5, 1, 4, 4, generator=random).add(1) * (torch.rand(5, 1, 4, 4, generator=random) > 0.2)
    normals = torch.nn.functional.normalize(torch.randn(5, 3, 4, 4, generator=random) + 1, dim=1)
    points = torch.rand(5, 2, 2, generator=random)
    tasks = (SEGMENTATION, DEPTH, NORMALS, POINTS)
    found = constant_losses(Batch(torch.zeros(5, 1), (labels, depth, normals, points)), tasks)
    share = torch.bincount(labels[labels >= 0], minlength=3).float()
    logits = share.log().view(1, 3, 1, 1).expand(5, 3, 4, 4)
    assert found[0] == pytest.approx(float(task_loss(logits, labels, SEGMENTATION)), rel=1e-5)
    mean = depth[depth > 0].mean()
    assert found[1] == pytest.approx(float(task_loss(mean.expand(5, 1, 4, 4), depth, DEPTH)), rel=1e-5)
    towards = normals.mean((0, 2, 3)).view(1, 3, 1, 1).expand(5, 3, 4, 4)
    assert found[2] == pytest.approx(float(task_loss(towards, normals, NORMALS)), rel=1e-5)
    maps = bells(points, 32, 32)
    assert found[3] == pytest.approx(float(task_loss(maps.mean(0).expand(5, 2, 32, 32), points, POINTS)), rel=1e-5)


def test_where_nothing_is_known_no_constant_is_best():
    nothing = Batch(torch.zeros(2, 1), (torch.zeros(2, 1, 4, 4),))
    assert [str(loss) for loss in constant_losses(nothing, (DEPTH,))] == ["nan"]
