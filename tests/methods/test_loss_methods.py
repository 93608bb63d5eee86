"""The methods that look at losses alone, against numbers derived by hand from their papers' equations."""

import math

import numpy as np
import pytest
import torch

from gradnorm import Balancer
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.methods.base import Signal
from gradnorm.methods.dwa import DynamicWeightAverage
from gradnorm.methods.equal import EqualWeights
from gradnorm.methods.famo import FastAdaptive
from gradnorm.methods.gls import GeometricLoss
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.methods.imtl_l import ImpartialLosses
from gradnorm.methods.relobralo import RelativeLosses
from gradnorm.methods.rlw import RandomWeights
from gradnorm.methods.si import ScaleInvariant
from gradnorm.methods.single import SingleTask
from gradnorm.methods.softadapt import SoftAdapt
from gradnorm.methods.static import StaticWeights
from gradnorm.methods.stch import SmoothTchebycheff


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


def test_scale_invariant_weights():
    assert follow(ScaleInvariant(), (2, 8, 0.5), (1, 4, 0.25))[0] == [close(1 / 2, 1 / 8, 2), close(1, 1 / 4, 4)]


@pytest.mark.parametrize("smoothness", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("losses", [[(3, 7), (2, 8), (1, 8), (0.5, 6)], [(3, 7, 1), (2, 8, 1), (1, 8, 2), (0.5, 6, 3)]])
def test_smooth_tchebycheff_is_the_gradient_of_its_objective(losses, smoothness):
    used, _ = follow(SmoothTchebycheff(warmup=2, smoothness=smoothness), *losses)
    assert used[:2] == [close(*(1 / loss for loss in step)) for step in losses[:2]]
    # The last fifth of two steps is the second.
    reference = vector(*losses[1])
    for values, weights in zip(losses[2:], used[2:], strict=True):
        L = vector(*values).requires_grad_()
        objective = len(L) * smoothness * ((L / reference).log() / smoothness).exp().sum().log()
        assert weights == pytest.approx(torch.autograd.grad(objective, L)[0].tolist(), rel=1e-6)


def test_the_reference_of_smooth_tchebycheff_is_the_mean_of_the_last_fifth_of_the_warm_up():
    steps = [(9.0, 9.0)] * 8 + [(1.0, 4.0), (3.0, 6.0), (2.0, 10.0)]
    used, _ = follow(SmoothTchebycheff(warmup=10), *steps)
    # z = (2, 5): ratios (1, 2), p = (⅓, ⅔), w = 2·p/L.
    assert used[10] == close(1 / 3, 2 / 15)
    absent = [(9.0, 9.0)] * 8 + [(1.0, math.nan), (3.0, math.nan), (2.0, 10.0)]
    used, _ = follow(SmoothTchebycheff(warmup=10), *absent)
    assert used[10] == close(1 / 2, 1 / 10)  # a task that was absent counts as being where it was


def test_smooth_tchebycheff_warms_up_in_a_fork_from_another_method():
    equal = Balancer(2, "equal", initial_losses=[1, 1])
    equal.place(equal.state, 1000)
    forked = Balancer(2, SmoothTchebycheff(warmup=2))
    forked.inherit(equal.state_dict())
    shared = torch.nn.Parameter(torch.ones(1))
    used = [forked.backward([(f * shared).sum() for f in step], shared=shared).weights.tolist()
            for step in ((9, 9), (2, 8), (1, 8))]  # fmt: skip
    assert used == [close(1 / 9, 1 / 9), close(1 / 2, 1 / 8), close(2 / 3, 1 / 6)]


def test_softadapt():
    steps = (4, 4, 1), (3, 4, 3)  # s = (−1, 0, 2)
    e = [math.exp(0.5 * s) for s in (-1, 0, 2)]
    used, _ = follow(SoftAdapt(sharpness=0.5), *steps)
    assert used == [[1, 1, 1], close(*(3 * x / sum(e) for x in e))]
    n = [math.exp(0.5 * s / 3) for s in (-1, 0, 2)]  # Σ|s| = 3
    assert follow(SoftAdapt(sharpness=0.5, variant="normalized"), *steps)[0][1] == close(*(3 * x / sum(n) for x in n))
    m = [x * mean for x, mean in zip(e, (3.5, 4, 2), strict=True)]
    used, _ = follow(SoftAdapt(sharpness=0.5, variant="loss-weighted"), *steps)
    assert used[0] == close(3 * 4 / 9, 3 * 4 / 9, 3 * 1 / 9)
    assert used[1] == close(*(3 * x / sum(m) for x in m))


def naive_relobralo(steps, temperature, smoothing, keeps):
    """Return the weights of each step; keeps: whether ρ is 1, for each of them."""

    def balanced(now, then):
        e = np.exp(np.array(now) / (temperature * np.array(then)))
        return len(now) * e / e.sum()

    weights = [np.ones(len(steps[0])), balanced(steps[1], steps[0])]
    for t in range(2, len(steps)):
        past = weights[-1] if keeps[t] else balanced(steps[t], steps[0])
        weights.append(smoothing * past + (1 - smoothing) * balanced(steps[t], steps[t - 1]))
    return weights


@pytest.mark.parametrize("steps", [[(4, 4), (2, 4), (1, 5), (1, 3)], [(4, 4, 1), (2, 4, 2), (1, 5, 1.5), (1, 3, 1)]])
@pytest.mark.parametrize("lookback", [0.0, 1.0])
def test_relative_losses(steps, lookback):
    used, _ = follow(RelativeLosses(temperature=0.5, smoothing=0.7, lookback=lookback), *steps)
    np.testing.assert_allclose(used, naive_relobralo(steps, 0.5, 0.7, [lookback == 1] * 4), rtol=1e-6)


def test_relative_losses_look_back_now_and_then_by_the_seed():
    random = np.random.default_rng(0)
    steps = [tuple(random.uniform(1, 2, 3)) for _ in range(60)]
    method = RelativeLosses(temperature=1, smoothing=0.9, lookback=0.7)
    used, keeps = follow(method, *steps)[0], [True, True]
    for t in range(2, 60):
        both = [naive_relobralo(steps[: t + 1], 1, 0.9, [*keeps, keep])[t] for keep in (False, True)]
        keeps.append(bool(np.abs(used[t] - both[1]).max() < np.abs(used[t] - both[0]).max()))
        np.testing.assert_allclose(used[t], both[keeps[t]], rtol=1e-6)
    assert 30 <= sum(keeps) <= 52
    assert used == follow(method, *steps)[0]
    # Two runs in one call draw by their own seeds.
    alone = [by_seed(method, steps, seed) for seed in (1, 2)]
    together = by_seed(method, steps, (1, 2))
    np.testing.assert_allclose(together, np.stack(alone, 1), rtol=1e-6)
    assert not np.allclose(alone[0], alone[1])


def by_seed(method, steps, seed):
    shape = (3,) if isinstance(seed, int) else (len(seed), 3)
    state, used = method.start(torch.ones(shape, dtype=torch.float64), ["regression"] * 3), []
    for t, losses in enumerate(steps, 1):
        balance, state = method.balance(state, Signal(vector(*losses).expand(shape), step=t, seed=seed))
        used.append(balance.weights.numpy())
    return np.array(used)
