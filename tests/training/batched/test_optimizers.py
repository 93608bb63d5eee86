"""The optimizers of many runs at once against torch's own, run by run, in double precision."""

import pytest
import torch

from gradnorm.datasets.base import Task
from gradnorm.models.mlp import MLP
from gradnorm.training.batched.optimizers import batched_optimizer, steps_of
from gradnorm.training.batched.stack import Stack

TASKS = (Task("a", "regression", 2), Task("b", "regression", 1))
KINDS = {
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9),
    "adam": lambda model: torch.optim.Adam(model.parameters(), lr=1.0),
}


def models():
    return [MLP(3, TASKS, width=4, depth=2, seed=seed).double() for seed in range(3)]


def gradients(step, run, parameters):
    random = torch.Generator().manual_seed(100 * step + run)
    return [torch.randn(p.shape, generator=random, dtype=torch.float64) for p in parameters]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rates", [(0.1, 0.1, 0.1), (0.1, 0.01, 1.0)])
def test_steps_are_torch_s(kind, rates):
    alone, together = models(), models()
    plain = [KINDS[kind](model) for model in alone]
    # The first steps are torch's in both, so that a state is taken over; the others are compared.
    faces = [KINDS[kind](model) for model in together]
    for step in range(3):
        for run in range(3):
            for model, optimizer in ((alone[run], plain[run]), (together[run], faces[run])):
                step_by_torch(model, optimizer, gradients(step, run, list(model.parameters())), rates[run])
    stack = Stack(together, 1)
    flat = batched_optimizer(kind, stack, [face.state_dict()["state"] for face in faces])
    for step in range(3, 9):
        for run in range(3):
            found = gradients(step, run, list(alone[run].parameters()))
            step_by_torch(alone[run], plain[run], found, rates[run])
            for view, gradient in zip(stack.layout.of_run(stack.gradients, run), found, strict=True):
                view.mul_(flat.decay).add_(gradient)
        flat.step(rates)
    for run in range(3):
        torch.testing.assert_close(list(together[run].parameters()), list(alone[run].parameters()))
        one, other = flat.state_of(run), plain[run].state_dict()["state"]
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].keys() == other[key].keys()
            for name in one[key]:
                torch.testing.assert_close(one[key][name], other[key][name])
    assert steps_of(flat.state_of(0)) == (9 if kind == "adam" else 0)


def step_by_torch(model, optimizer, found, rate):
    optimizer.param_groups[0]["lr"] = rate
    for parameter, gradient in zip(model.parameters(), found, strict=True):
        parameter.grad = gradient.clone()
    optimizer.step()
