"""Norms of a problem's terms at the activation in which they meet, against plain computations in double precision."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from gradnorm.config.spec import RunSpec, SpecError, datasets
from gradnorm.datasets.problems.base import Derivatives, Problem
from gradnorm.datasets.problems.equation import Equation
from gradnorm.gradients.one_pass import OnePass
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.models.build import build
from gradnorm.models.hidden import last_hidden, outputs_of
from gradnorm.runs.records import StepRecord
from gradnorm.training.engine import train
from gradnorm.training.problem_stepper import ProblemStepper
from gradnorm.training.run import Run

PROBLEMS = {name: kind for name, kind in datasets().items() if issubclass(kind, Problem) and not kind.by_path}
EQUATIONS = [name for name, kind in PROBLEMS.items() if issubclass(kind, Equation)]


def tiny(**changes):
    plain = {"width": 8, "depth": 2, "batch_size": 16, "steps": 3, "eval_every": 3, "device": "cpu", "method": "equal"}
    return RunSpec.parse({**plain, "measured_at": "activation", **changes})


class Naive:
    """A field whose last hidden layer returns leaves: its values, and its derivatives by autograd."""

    def __init__(self, field):
        self.field, self.leaves = field.double(), []

    def below(self, points):
        *lower, last = self.field.hidden
        for layer in lower:
            points = torch.tanh(points @ layer.weight.T + layer.bias)
        return points @ last.weight.T + last.bias

    def leaf(self, values):
        self.leaves.append(values.detach().requires_grad_())
        return self.leaves[-1]

    def __call__(self, points):
        return self.field.head(self.leaf(self.below(points.double())).tanh())

    def derivatives(self, points, second=()):
        x = points.double().clone().requires_grad_()
        below, axes = self.below(x), range(x.shape[1])

        def slope(values, a):
            grads = [torch.autograd.grad(unit.sum(), x, create_graph=True)[0] for unit in values.T]
            return torch.stack([grad[:, a] for grad in grads], -1)

        z, head = self.leaf(below), self.field.head
        first = [self.leaf(slope(below, a)) for a in axes]
        curved = [self.leaf(slope(slope(below, a), a)) for a in second] if len(self.field.hidden) > 1 else None
        # Of one affine layer alone.
        curved = [self.leaf(z * 0) for _ in second] if curved is None else curved
        h = z.tanh()
        s = 1 - h**2
        bent = [s * zz - 2 * h * s * first[a] ** 2 for a, zz in zip(second, curved, strict=True)]
        return Derivatives(
            head(h),
            torch.stack([s * along_a @ head.weight.T for along_a in first]),
            torch.stack([own @ head.weight.T for own in bent]) if bent else h.new_zeros(0, len(h), 1),
        )


def norms_at(losses, leaves):
    for loss in losses:
        grads = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
        yield torch.cat([g.flatten() for g in grads if g is not None]).norm().item()


def first_norms(spec):
    return next(i for i in train(spec) if isinstance(i, StepRecord)).gradient_norms


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("name", EQUATIONS)
def test_norms_of_a_field_are_those_of_its_last_layer_s_values_and_derivatives(name, depth):
    spec = tiny(dataset=name, depth=depth)
    naive, points = Naive(build(spec, None)), spec.dataset.load(0).batch(1, 16).inputs
    losses = spec.dataset.losses(naive, points)
    assert first_norms(spec) == pytest.approx(list(norms_at(losses, naive.leaves)), rel=1e-4)


def test_norms_of_the_autoencoder_are_those_of_its_code():
    spec = tiny(dataset="autoencoder")
    model, points = build(spec, None), spec.dataset.load(0).batch(1, 16).inputs
    code = model.encoded(points).detach().double().requires_grad_()
    decoder = model.decoder.double()
    losses = spec.dataset.losses(SimpleNamespace(encoded=lambda _: code, decoded=lambda z: decoder(z).float()), points)
    assert first_norms(spec) == pytest.approx(list(norms_at(losses, [code])), rel=1e-4)


class TwoHeads(Problem):
    """Two terms that meet in one tensor."""

    name = "two heads"
    terms = ("one", "two")

    def points(self, random, size):
        return torch.from_numpy(random.normal(size=(size, 3)).astype("float32"))

    def losses(self, model, points):
        z = model.last_shared_layer(points)
        return [head(z).square().mean() for head in model.heads]

    def network(self, seed):
        torch.manual_seed(seed)
        model = nn.Module()
        model.last_shared_layer, model.heads = nn.Linear(3, 4), nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 2)])
        return model


def test_terms_that_meet_in_one_tensor_take_one_backward_pass(monkeypatch):
    planned, plan = [], OnePass.plan

    def noted(*arguments):
        planned.append(plan(*arguments))
        return planned[-1]

    monkeypatch.setattr(OnePass, "plan", noted)
    spec = RunSpec(dataset=TwoHeads(measured_at="activation"), method=GradNormMethod(), steps=1, batch_size=8)
    model, points = spec.dataset.network(0).double(), spec.dataset.load(0).batch(1, 8).inputs
    z = model.last_shared_layer(points.double())
    expected = list(norms_at([head(z).square().mean() for head in model.heads], [z]))
    assert first_norms(spec) == pytest.approx(expected, rel=1e-5)
    assert [cut is not None for cut in planned] == [True]


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_what_is_measured_leaves_the_gradients_as_they_are(name):
    ends = []
    for measured_at in ("activation", "all"):
        weights = range(1, 1 + len(PROBLEMS[name].terms))
        run = Run.build(tiny(dataset=name, measured_at=measured_at, method="static", weights=[*weights]))
        stepper = ProblemStepper(run, run.spec.dataset)
        for _ in range(3):
            assert all(isinstance(result, StepRecord) for result in stepper.step())
        stepper.close()
        ends.append(run.model.state_dict())
    for key, value in ends[0].items():
        torch.testing.assert_close(value, ends[1][key], rtol=1e-5, atol=1e-6)


def test_gradient_surgery_is_refused_in_a_sentence():
    with pytest.raises(SpecError, match=r"measured_at should be last or all for PCGrad.*Found 'activation'"):
        tiny(dataset="helmholtz", method="pcgrad")


def test_a_layer_that_is_never_called_is_told():
    run = Run.build(tiny(dataset="helmholtz"))
    run.model.last = nn.Linear(1, 1)
    type(run.model).last_shared_layer, kept = property(lambda model: model.last), type(run.model).last_shared_layer
    try:
        stepper = ProblemStepper(run, run.spec.dataset)
        (error,) = stepper.step()
        stepper.close()
    finally:
        type(run.model).last_shared_layer = kept
    assert isinstance(error, ValueError)
    assert "should be called as a module" in str(error)


def test_outputs_are_kept_only_in_the_block_and_with_their_graph():
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.Tanh(), nn.Linear(2, 1))
    assert last_hidden(model) is layer
    with outputs_of(layer) as outputs:
        model(torch.ones(1, 2))
        with torch.no_grad():
            model(torch.ones(1, 2))
        layer(torch.ones(3, 2))
    layer(torch.ones(1, 2))
    assert [tuple(output.shape) for output in outputs] == [(1, 2), (3, 2)]
    assert not layer._forward_hooks
