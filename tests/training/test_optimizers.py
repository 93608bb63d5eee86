"""Our optimizers against torch's classes, bit for bit."""

import subprocess
import sys
from copy import deepcopy

import pytest
import torch

from gradnorm.training.optimizers import optimizer

THEIRS = {"sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), "adam": lambda p: torch.optim.Adam(p, lr=0.1)}


def parameters():
    random = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=random, requires_grad=True) for shape in ((3, 2), (4,), (2,))]


def descend(moved, step, optimizer, rate=0.1):
    """Give all but the last parameter a gradient, which the last gets from the third step on."""
    optimizer.param_groups[0]["lr"] = rate
    optimizer.zero_grad()
    for i, p in enumerate(moved if step > 2 else moved[:-1]):
        ((p - i) ** 2 * step).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kind", THEIRS)
def test_the_steps_are_torch_s(kind):
    ours, theirs = parameters(), parameters()
    pair = [(ours, optimizer(kind, ours, 0.1)), (theirs, THEIRS[kind](theirs))]
    for step in range(1, 9):
        for moved, o in pair:
            descend(moved, step, o, rate=0.1 / step)
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)), step


@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("give", ["ours", "theirs"])
@pytest.mark.parametrize("take", ["ours", "theirs"])
def test_a_state_goes_on_bit_for_bit_in_either(kind, give, take):
    makes = {"ours": lambda p: optimizer(kind, p, 0.1), "theirs": THEIRS[kind]}
    first = parameters()
    giver = makes[give](first)
    for step in range(1, 5):
        descend(first, step, giver)
    second = [p.detach().clone().requires_grad_() for p in first]
    taker = makes[take](second)
    state = deepcopy(giver.state_dict())  # torch's classes take over the tensors themselves
    if give != take:
        # Torch's classes have settings that ours leave at their defaults.
        state["param_groups"] = [{**taker.state_dict()["param_groups"][0], "params": [0, 1, 2]}]
    taker.load_state_dict(state)
    for step in range(5, 8):
        descend(first, step, giver)
        descend(second, step, taker)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_loaded_state_is_a_copy():
    moved = parameters()
    giver, taker = optimizer("adam", moved, 0.1), optimizer("adam", moved, 0.1)
    descend(moved, 1, giver)
    taker.load_state_dict(giver.state_dict())
    before = taker.state_dict()["state"][0]["exp_avg"].clone()
    descend(moved, 2, giver)
    assert torch.equal(taker.state_dict()["state"][0]["exp_avg"], before)


def test_gradients_may_be_set_to_zero():
    moved = parameters()
    o = optimizer("sgd", moved, 0.1)
    moved[0].sum().backward()
    o.zero_grad(set_to_none=False)
    assert moved[0].grad is not None
    assert not moved[0].grad.any()


def test_a_run_starts_without_torch_s_compiler():
    code = """
import sys
from itertools import islice
from gradnorm.spec import preset
from gradnorm.training.engine import train
print(len(list(islice(train(preset("toy-2")), 3))), "torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "False"]
