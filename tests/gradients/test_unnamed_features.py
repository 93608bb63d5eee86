"""Without `features=` the graph tells where heads meet: results are those of separate passes, for less."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from gradnorm import GradNorm
from gradnorm.gradients.one_pass import OnePass

EXACT = {"rtol": 1e-9, "atol": 1e-12}


class Net(nn.Module):
    """trunk → W → ReLU → one head a task."""

    def __init__(self, tasks=3):
        super().__init__()
        torch.manual_seed(0)
        self.trunk, self.W = nn.Sequential(nn.Linear(5, 6), nn.Tanh()), nn.Linear(6, 7)
        self.heads = nn.ModuleList(nn.Linear(7, 2) for _ in range(tasks))
        self.double()

    def losses(self, x):
        hidden = self.W(self.trunk(x)).relu()
        return [(3.0**i * head(hidden)).square().mean() for i, head in enumerate(self.heads)]


def joined(losses):
    return torch.stack(losses)


def around_the_features(net, x):
    """The last head reads the trunk, too."""
    hidden = net.trunk(x)
    top = net.W(hidden).relu()
    return [head(top).square().mean() for head in net.heads[:2]] + [
        (net.heads[2](top).sum(1) + hidden.sum(1)).square().mean()
    ]


def two_tasks_share_more(net, x):
    top = net.W(net.trunk(x)).relu()
    between = top.exp()
    return [
        net.heads[0](between).square().mean(),
        net.heads[1](between).sum().square(),
        net.heads[2](top).mean().square(),
    ]


def in_a_checkpoint(net, x):
    top = checkpoint(lambda x: net.W(net.trunk(x)), x, use_reentrant=False).relu()
    return [(head(top) - i).square().mean() for i, head in enumerate(net.heads)]


def each_head_its_own_relu(net, x):
    z = net.W(net.trunk(x))
    return [(head(z.relu()) - i).square().mean() for i, head in enumerate(net.heads)]


def W_once_a_task(net, x):
    return [head(net.W(net.trunk(x)[:, :] * (i + 1))).square().mean() for i, head in enumerate(net.heads)]


def one_is_absent(net, x):
    return [net.losses(x)[0], None, net.losses(x)[2]]


def one_alone(net, x):
    return [None, net.losses(x)[1], None]


def taken(losses_of, monkeypatch, *, one_pass, form=list, **options):
    """Take three steps; return (norms, weights, gradients) of the last, and how often the one pass was planned."""
    net, found = Net(), []
    real = OnePass.plan

    def plan(*arguments):
        cut = real(*arguments) if one_pass else None
        found.append(cut is not None)
        return cut

    monkeypatch.setattr(OnePass, "plan", staticmethod(plan))
    balancer = GradNorm(3, alpha=1.0, **options)
    for step in range(3):
        torch.manual_seed(step)
        net.zero_grad()
        balance = balancer.backward(form(losses_of(net, torch.randn(4, 5, dtype=torch.float64))), shared=net.W)
    monkeypatch.setattr(OnePass, "plan", real)
    return (balance.gradient_norms, balancer.weights, [p.grad for p in net.parameters()]), found


@pytest.mark.parametrize("form", [list, joined])
@pytest.mark.parametrize("heads", ["weighted", "own"])
@pytest.mark.parametrize("losses_of", [Net.losses, each_head_its_own_relu, in_a_checkpoint])
def test_heads_that_meet_are_found_and_measured_in_one_pass(losses_of, heads, form, monkeypatch):
    ours, found = taken(losses_of, monkeypatch, one_pass=True, form=form, heads=heads)
    general, _ = taken(losses_of, monkeypatch, one_pass=False, form=form, heads=heads)
    assert found == [True] * 3
    torch.testing.assert_close(ours, general, **EXACT)


@pytest.mark.parametrize(
    "losses_of", [around_the_features, two_tasks_share_more, W_once_a_task, one_is_absent, one_alone]
)
def test_where_no_meeting_is_found_results_are_those_of_separate_passes(losses_of, monkeypatch):
    ours, found = taken(losses_of, monkeypatch, one_pass=True)
    general, _ = taken(losses_of, monkeypatch, one_pass=False)
    assert not any(found)
    torch.testing.assert_close(ours, general, equal_nan=True, **EXACT)


def test_a_step_calls_autograd_once(monkeypatch):
    net, calls = Net(), []
    monkeypatch.setattr(torch.autograd, "grad", lambda *a, **k: pytest.fail("another pass"))
    real = torch.autograd.backward
    monkeypatch.setattr(torch.autograd, "backward", lambda *a, **k: (calls.append(1), real(*a, **k)))
    GradNorm(3).backward(net.losses(torch.randn(4, 5).double()), shared=net.W)
    assert calls == [1]


def test_recording_may_be_off_around_the_call():
    nets = Net(), Net()
    x = torch.randn(4, 5, dtype=torch.float64)
    first, second = (net.losses(x) for net in nets)
    GradNorm(3).backward(first, shared=nets[0].W)
    with torch.no_grad():
        GradNorm(3).backward(second, shared=nets[1].W)
    torch.testing.assert_close(*([p.grad for p in net.parameters()] for net in nets), **EXACT)


def test_a_balance_keeps_its_losses_when_the_caller_writes_over_his():
    net = Net()
    losses = joined(net.losses(torch.randn(4, 5, dtype=torch.float64)))
    balance = GradNorm(3).backward(losses, shared=net.W)
    before = balance.losses.clone()
    with torch.no_grad():
        losses.zero_()
    assert torch.equal(balance.losses, before)


def test_ratios_between_two_measurements_are_those_of_every_step():
    balances = []
    for every in (1, 3):
        net = Net()
        balancer = GradNorm(3, every=every, update="log", learning_rate=1e-9, heads="weighted")
        for step in range(2):
            torch.manual_seed(step)
            balance = balancer.backward(net.losses(torch.randn(4, 5, dtype=torch.float64)), shared=net.W)
        balances.append(balance)
    measured, idle = balances
    assert idle.gradient_norms is None
    assert idle.targets is None
    torch.testing.assert_close(idle.loss_ratios, measured.loss_ratios)
    torch.testing.assert_close(idle.relative_rates, measured.relative_rates)
    assert idle.numbers()["loss_ratios"] == pytest.approx(measured.numbers()["loss_ratios"])
    assert torch.equal(copy.deepcopy(idle).relative_rates, idle.relative_rates)


# The tests' own process checks every shape, which takes longer than a step.
MEASURE = """
import json, sys
from benchmarks import overhead, rounds
rounds.BLOCK_SECONDS = 0.02
steps = overhead.steps(int(sys.argv[1]))
with rounds.one_thread():
    times = rounds.timed({name: steps[name] for name in (overhead.LOOP, *overhead.LIBRARY)}, 21)
print(json.dumps({name: rounds.ratio(times, name, overhead.LOOP) for name in overhead.LIBRARY}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("tasks", "most", "most_between"), [(2, 2.6, 1.6), (40, 2.0, 1.4)])
def test_the_library_costs_less_than_another_plain_step_or_so(tasks, most, most_between):
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tasks)], capture_output=True, text=True, check=True, timeout=100
    )
    ratios = json.loads(done.stdout)
    between = ratios.pop("library, every=10")
    # By separate passes losses in one tensor took 13 plain steps with forty tasks.
    assert max(ratios.values()) < most
    assert between < most_between
