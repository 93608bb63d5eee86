"""What every form of target keeps, found or yet to be written."""

import json
import subprocess
import sys
from string import Formatter
from typing import get_args

import numpy as np
import pytest
import torch

from gradnorm.datasets.base import Batch, Task
from gradnorm.datasets.forms.base import AnswerView, Form
from gradnorm.datasets.forms.registry import error_metrics, form_named, forms
from gradnorm.metrics import constant_losses, evaluate, known, task_loss
from gradnorm.training.batched.criterion import Criterion

SIZE, MAPS = 6, (5, 7)
NAMES = sorted(forms())


def task_of(form):
    return Task("task", form.name, form.outputs or 4)


def targets_of(form, random):
    """Random targets of a form: classes, or numbers in [0, 1]; those of normals have length 1."""
    task = task_of(form)
    shape = form.target_shape(task.outputs, SIZE, MAPS)
    if form.integer:
        return torch.randint(0, task.outputs, shape, generator=random)
    numbers = torch.rand(shape, generator=random)
    return torch.nn.functional.normalize(numbers, dim=1) if form.name == "normals" else numbers


def outputs_of(form, random):
    """Random outputs of a network: a vector for each example, or maps where the form learns those."""
    task = task_of(form)
    shape = form.target_shape(task.outputs, SIZE, MAPS)
    maps = MAPS if shape[-2:] == MAPS or form.name == "heatmaps" else ()
    return torch.randn(SIZE, task.outputs, *maps, generator=random)


@pytest.fixture(params=NAMES)
def form(request):
    return form_named(request.param)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(1)


def test_the_forms_of_the_built_in_data_sets_are_found():
    built_in = {"classification", "depth", "heatmaps", "landmarks", "normals", "regression", "segmentation"}
    assert built_in <= set(NAMES)


def test_a_form_declares_what_the_pages_show(form):
    assert isinstance(form, Form)
    assert form.kind in ("regression", "classification")
    assert form.view in get_args(AnswerView)
    assert form.metrics
    assert all(isinstance(more, bool) for more in form.metrics.values())
    fields = [name for _, name, _, _ in Formatter().parse(form.headline) if name is not None]
    assert fields == [""]
    assert {name for name, more in form.metrics.items() if not more} <= error_metrics()
    assert not {name for name, more in form.metrics.items() if more} & error_metrics()


def test_the_loss_is_a_finite_scalar_with_a_gradient_at_every_output_that_counts(form, random):
    output, target = outputs_of(form, random).requires_grad_(), targets_of(form, random)
    loss = task_loss(output, target, task_of(form))
    assert loss.shape == ()
    assert loss.item() > 0
    loss.backward()
    assert torch.isfinite(output.grad).all()
    assert (output.grad.flatten(1) != 0).any(1).all()
    assert known(target, task_of(form))


def test_losses_and_metrics_are_pooled(form, random):
    """The loss of a set is the mean of its parts' losses weighted by their counts; a meter does not see the cuts."""
    task, output, target = task_of(form), outputs_of(form, random), targets_of(form, random)
    whole, parts = form.meter(task), form.meter(task)
    whole.add(output, target)
    pieces = [slice(0, 1), slice(1, 3), slice(3, SIZE)]
    for piece in pieces:
        parts.add(output[piece], target[piece])
    assert list(whole.scores()) == list(form.metrics)
    assert parts.scores() == pytest.approx(whole.scores(), rel=1e-9)
    counts = [form.count(target[piece]) for piece in pieces]
    assert sum(counts) == form.count(target)
    losses = [float(form.loss(output[piece], target[piece])) for piece in pieces]
    assert np.average(losses, weights=counts) == pytest.approx(float(form.loss(output, target)), rel=1e-5)


def test_evaluation_gives_the_form_s_loss_and_metrics(form, random):
    task, output, target = task_of(form), outputs_of(form, random), targets_of(form, random)
    (loss,), (metrics,) = evaluate(lambda inputs: [output], Batch(torch.zeros(SIZE, 1), (target,)), [task])
    assert loss == pytest.approx(float(task_loss(output, target, task)), rel=1e-6)
    meter = form.meter(task)
    meter.add(output, target)
    assert metrics == meter.scores()


def test_equal_targets_are_answered_by_a_constant(form, random):
    """If all examples have one target, and all of its parts are equal, the best constant answer loses nothing."""
    target = targets_of(form, random)
    same = target[:1].expand_as(target).clone()
    if form.target_shape(1, 1, MAPS)[-2:] == MAPS:
        same = same[..., :1, :1].expand_as(target).clone()
    (loss,) = constant_losses(Batch(torch.zeros(SIZE, 1), (same,)), [task_of(form)])
    assert loss == pytest.approx(0, abs=1e-6)
    (varied,) = constant_losses(Batch(torch.zeros(SIZE, 1), (target,)), [task_of(form)])
    assert varied > 1e-4


def test_an_answer_is_two_arrays_of_one_example(form, random):
    truth, answer = form.answer(outputs_of(form, random)[:1], targets_of(form, random)[:1])
    assert isinstance(truth, np.ndarray)
    assert isinstance(answer, np.ndarray)
    assert answer.shape == ((4,) if form.view == "classification" else truth.shape)


def test_forms_that_train_together_have_the_loss_that_is_taken_together(form, random):
    task, output, target = task_of(form), outputs_of(form, random), targets_of(form, random)
    if not form.batched:
        assert output.dim() == 4
        return
    criterion = Criterion([task], SIZE, output)
    losses = criterion.losses(output[None], criterion.pack([target]))
    assert float(losses[0, 0]) == pytest.approx(float(task_loss(output, target, task)), rel=1e-6)


def test_a_task_of_no_form_is_refused():
    with pytest.raises(ValueError, match=r"should be one of .*depth.* Found 'smell'.*gradnorm/datasets/forms"):
        Task("nose", "smell", 1)


@pytest.mark.parametrize(
    ("name", "outputs", "should"), [("depth", 2, "1 for"), ("normals", 1, "3 for"), ("regression", 0, "1 or more")]
)
def test_a_task_whose_outputs_do_not_fit_its_form_is_refused(name, outputs, should):
    with pytest.raises(ValueError, match=f"outputs of task 'x' should be {should}.*Found {outputs}"):
        Task("x", name, outputs)


def test_declarations_come_without_torch():
    code = (
        "import json, sys\nfrom gradnorm.datasets.base import Task\n"
        "from gradnorm.datasets.forms.registry import forms\n"
        "kinds = {name: Task('x', name, form.outputs or 2).kind for name, form in forms().items()}\n"
        "print(json.dumps([sorted(kinds), 'torch' in sys.modules]))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert json.loads(answer.stdout) == [NAMES, False]
