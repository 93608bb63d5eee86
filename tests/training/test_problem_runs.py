"""Runs of problems: they learn, go on bit for bit, and are tested at fixed points."""

import pytest
import torch

from gradnorm.config.spec import RunSpec, methods
from gradnorm.datasets.problems.base import Problem
from gradnorm.models.build import build
from gradnorm.runs.records import Checkpoint, Evaluation, Outcome, StepRecord
from gradnorm.training.engine import train
from gradnorm.training.predict import PredictionError, Showcase
from tests.training.test_resume import same_state

TINY = {
    "dataset": "helmholtz",
    "width": 8,
    "depth": 2,
    "batch_size": 16,
    "steps": 20,
    "eval_every": 10,
    "checkpoint_every": 10,
    "device": "cpu",
}


def tiny(**changes):
    return RunSpec.parse({**TINY, **changes})


@pytest.mark.parametrize(
    ("dataset", "method"), [("helmholtz", "gradnorm"), ("allen_cahn", "uncertainty"), ("autoencoder", "equal")]
)
@pytest.mark.parametrize("measured_at", ["last", "activation", "all"])
def test_a_run_goes_on_bit_for_bit(dataset, method, measured_at):
    spec = tiny(dataset=dataset, method=method, measured_at=measured_at)
    whole = list(train(spec))
    at = next(i for i, item in enumerate(whole) if isinstance(item, Checkpoint))
    rest, expected = list(train(spec, start=whole[at])), whole[at + 1 :]
    plain = (StepRecord, Evaluation, Outcome)
    assert [r for r in rest if isinstance(r, plain)] == [r for r in expected if isinstance(r, plain)]
    assert same_state(*([r for r in items if isinstance(r, Checkpoint)][-1] for items in (rest, expected)))


@pytest.mark.parametrize("method", list(methods()))
def test_every_method_trains_a_problem(method):
    items = list(train(tiny(method=method, steps=3)))
    assert items[-1].kind == "finished"
    assert [item.step for item in items if isinstance(item, StepRecord)] == [1, 2, 3]


def test_an_evaluation_is_of_fixed_points_and_the_whole_solution():
    spec = tiny(method="equal")
    items = [item for item in train(spec) if isinstance(item, Evaluation)]
    problem = spec.dataset
    assert isinstance(problem, Problem)
    model = build(spec, None)
    with torch.no_grad():
        error = problem.error(model)
    losses = [loss.item() for loss in problem.losses(model, problem.test_points())]
    assert items[0].losses == pytest.approx(losses, rel=1e-6)
    assert items[0].metrics == ({"relative_l2": error}, {"relative_l2": error})
    assert items[0].task_normalized_loss == 2
    assert items[-1].losses[0] < items[0].losses[0]


def test_norms_are_of_the_last_hidden_layer_or_of_all_parameters():
    spec = tiny(method="equal", steps=1)
    model, points = build(spec, None), spec.dataset.load(0).batch(1, 16).inputs
    found = {}
    for measured_at in ("last", "all"):
        record = next(i for i in train(tiny(method="equal", steps=1, measured_at=measured_at)) if i.step == 1)
        assert isinstance(record, StepRecord)
        found[measured_at] = record.gradient_norms
    parameters = {"last": list(model.hidden[-1].parameters()), "all": list(model.parameters())}
    for measured_at, own in parameters.items():
        for loss, norm in zip(spec.dataset.losses(model, points), found[measured_at], strict=True):
            grads = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
            expected = torch.cat([g.flatten() for g in grads if g is not None]).norm()
            assert norm == pytest.approx(expected.item(), rel=1e-5)


def test_a_network_learns_what_it_is_told_to():
    # An ordinary step of training with equal weights, by hand.
    spec = tiny(method="equal", steps=5, checkpoint_every=5)
    model, source = build(spec, None), spec.dataset.load(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=spec.learning_rate)
    for step in range(1, 6):
        optimizer.zero_grad()
        sum(spec.dataset.losses(model, source.batch(step, 16).inputs)).backward()
        optimizer.step()
    (end,) = [item for item in train(spec) if isinstance(item, Checkpoint)]
    trained = Showcase.of(spec.dataset, 0).network(spec, end)
    for own, other in zip(model.parameters(), trained.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-6)


def test_what_is_seen_of_a_checkpoint():
    spec = tiny(steps=10, eval_every=10)
    items = list(train(spec))
    (end,) = [item for item in items if isinstance(item, Checkpoint)]
    shown = Showcase.of(spec.dataset, 0)
    assert len(shown) == 1
    assert shown.picture(0) is None
    (field,) = shown.answers(shown.network(spec, end), 0)
    assert (field.view, field.truth.shape, field.axes) == (
        "field",
        (128, 128),
        "y to the right from −1 to 1, x upwards from −1 to 1",
    )
    last = [item for item in items if isinstance(item, Evaluation)][-1]
    assert field.metrics["relative_l2"] == pytest.approx(last.metrics[0]["relative_l2"])


def test_a_problem_without_pictures_has_nothing_to_look_at():
    with pytest.raises(PredictionError, match="something to look at"):
        Showcase.of(RunSpec.parse({"dataset": "problem"}).dataset, 0)
