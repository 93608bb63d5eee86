"""The methods that look at losses alone, against numbers derived by hand from their papers' equations."""

import math

import pytest
import torch

from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.methods.base import Signal
from gradnorm.methods.dwa import DynamicWeightAverage
from gradnorm.methods.equal import EqualWeights
from gradnorm.methods.famo import FastAdaptive
from gradnorm.methods.gls import GeometricLoss
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.methods.imtl_l import ImpartialLosses
from gradnorm.methods.rlw import RandomWeights
from gradnorm.methods.single import SingleTask
from gradnorm.methods.static import StaticWeights


def vector(*values):
    return torch.tensor(values, dtype=torch.float64)


def begin(method, tasks=2):
    return method.start(torch.ones(tasks, dtype=torch.float64), ["regression"] * tasks)


def follow(method, *losses):
    """Return the weights used at each step."""
    state, used = begin(method, len(losses[0])), []
    for step, values in enumerate(losses, 1):
        balance, state = method.balance(state, Signal(vector(*values), step=step))
        used.append(balance.weights.tolist())
    return used, state


def close(*values):
    return pytest.approx(list(values), rel=1e-6)


def test_equal_weights_are_one():
    assert follow(EqualWeights(), (3, 5), (1, 7))[0] == [[1, 1], [1, 1]]


def test_static_weights_are_scaled_to_the_number_of_tasks():
    assert follow(StaticWeights(weights="1;3"), (3, 5), (1, 7))[0] == [[0.5, 1.5], [0.5, 1.5]]
    assert follow(StaticWeights(), (3, 5))[0] == [[1, 1]]


@pytest.mark.parametrize("changes", [{"weights": "1,2,3"}, {"weights": "1,0"}, {"weights": "1,x"}, {"weights": "1,-2"}])
def test_static_weights_that_do_not_fit_are_refused(changes):
    with pytest.raises(SpecError, match="weights should"):
        RunSpec.parse({"tasks": 2, "method": "static", **changes})


def test_a_single_task_is_weighed_alone():
    assert follow(SingleTask(task=2), (3, 5))[0] == [[0, 1]]
    with pytest.raises(SpecError, match=r"task should be in \[1, 2\]. Found 3"):
        RunSpec.parse({"tasks": 2, "method": "single", "task": 3})


@pytest.mark.slow
def test_random_weights_are_a_softmax_of_normals():
    state, method, drawn = begin(RandomWeights(), 3), RandomWeights(), []
    for step in range(1, 4001):
        balance, state = method.balance(state, Signal(vector(1, 1, 1), step=step))
        drawn.append(balance.weights)
    w = torch.stack(drawn)
    torch.testing.assert_close(w.sum(1), torch.full((4000,), 3.0, dtype=torch.float64))
    # log w_i − log w_j = z_i − z_j ~ N(0, 2).
    gap = w[:, 0].log() - w[:, 1].log()
    assert gap.mean().item() == pytest.approx(0, abs=0.1)
    assert gap.var().item() == pytest.approx(2, rel=0.1)
    assert follow(RandomWeights(draw=1), (1, 1))[0] != follow(RandomWeights(draw=2), (1, 1))[0]


def test_dynamic_weight_average():
    # Periods of two steps with mean losses (4, 4), then (2, 4): λ = (½, 1), softmax of λ/2 over two tasks.
    used, _ = follow(DynamicWeightAverage(period=2), (3, 5), (5, 3), (1, 4), (3, 4), (9, 9), (9, 9))
    assert used[:4] == [[1, 1]] * 4
    a, b = math.exp(0.25), math.exp(0.5)
    assert used[4] == used[5] == close(2 * a / (a + b), 2 * b / (a + b))


def test_geometric_loss():
    # ∂/∂L_i of √(L₁ L₂) = √(L₁ L₂)/(2 L_i): √(2·8) = 4.
    assert follow(GeometricLoss(), (2, 8))[0] == [close(1.0, 0.25)]


def test_impartial_losses():
    # ∂/∂s = e⁰·L − 1 = (3, −½); Adam's first step is its learning rate, against the slope.
    used, _ = follow(ImpartialLosses(weight_learning_rate=0.1), (4, 0.5), (4, 0.5))
    assert used == [[1, 1], close(math.exp(-0.1), math.exp(0.1))]
    used, _ = follow(ImpartialLosses(weight_learning_rate=0.05), *[(4, 0.5)] * 600)
    assert used[-1] == pytest.approx([1 / 4, 2], rel=0.05)


def test_famo():
    # z = (½, ½): c = 1/(½/2 + ½/8) = 3.2, w = c·z/L.
    used, _ = follow(FastAdaptive(decay=0), (2, 8))
    assert used == [close(0.8, 0.2)]
    # The first loss halves and the second stays: δ = (log 2, 0), slope = z(δ − Σ zδ) = (¼ log 2, −¼ log 2), so
    # Adam's first step is (−0.1, +0.1): the task that fell less gets more.
    used, state = follow(FastAdaptive(decay=0, weight_learning_rate=0.1), (2, 8), (1, 8))
    torch.testing.assert_close(state.memory["logit"], vector(-0.1, 0.1))
    a, b = math.exp(-0.1) / 1, math.exp(0.1) / 8
    assert used[1] == close(a / (a + b), b / (a + b))


def test_a_held_task_keeps_its_weight_and_the_others_balance_without_it():
    signal = Signal(vector(2, 4, 9), vector(1, 3, 50))
    free, held = GradNormMethod(alpha=1), GradNormMethod(alpha=1, hold="3")
    two = free.balance(begin(free, 2), Signal(vector(2, 4), vector(1, 3)))
    balance, after = held.balance(begin(held, 3), signal)
    assert after.weights[2] == 1
    torch.testing.assert_close(after.weights[:2], two[1].weights)
    torch.testing.assert_close(balance.targets[:2], two[0].targets)
    assert balance.targets[2].isnan()
    with pytest.raises(SpecError, match=r"hold should have numbers of tasks, in \[1, 2\]"):
        RunSpec.parse({"tasks": 2, "hold": "3"})
