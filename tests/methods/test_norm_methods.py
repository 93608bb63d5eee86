"""The methods that look at gradient norms beside GradNorm, against naive programs and numbers derived by hand."""

import math

import numpy as np
import pytest
import torch

from gradnorm import Balancer
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.methods.base import Signal
from gradnorm.methods.codec import CodecBalancer
from gradnorm.methods.db_mtl import DualBalancing
from gradnorm.methods.excess_mtl import ExcessRisks
from gradnorm.methods.lr_annealing import LearningRateAnnealing
from gradnorm.methods.moving_mean import mean_memory, moving_mean

by_tasks = pytest.mark.parametrize("tasks", [2, 3])
METHODS = [LearningRateAnnealing, CodecBalancer, DualBalancing, ExcessRisks]
by_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def measured(tasks, steps=12):
    """Return losses and norms of some steps, shape [steps, tasks] each."""
    random = np.random.default_rng(tasks)
    scales = 10.0 ** np.arange(tasks)
    return random.uniform(0.5, 2, (steps, tasks)) * scales, random.uniform(0.2, 3, (steps, tasks)) * scales**2


def follow(method, losses, norms):
    """Return the weights decided at each step, and the last state."""
    state = method.start(torch.ones(len(losses[0]), dtype=torch.float64), ["regression"] * len(losses[0]))
    decided = []
    for step, (L, n) in enumerate(zip(losses, norms, strict=True), 1):
        _, state = method.balance(state, Signal(torch.tensor(L), torch.tensor(n), step=step))
        decided.append(state.weights.numpy())
    return np.array(decided), state


@by_tasks
def test_learning_rate_annealing(tasks):
    losses, norms = measured(tasks)
    w, expected = np.ones(tasks), []
    for n in norms:
        w = 0.7 * w + 0.3 * n.mean() / n
        expected.append(w)
    # Norms are raised by 1e-8 of their mean.
    np.testing.assert_allclose(follow(LearningRateAnnealing(smoothing=0.7), losses, norms)[0], expected, rtol=1e-3)


def test_learning_rate_annealing_makes_weighted_norms_equal():
    norms = np.tile([4.0, 1.0, 7.0], (400, 1))
    w = follow(LearningRateAnnealing(), norms, norms)[0][-1]
    np.testing.assert_allclose(w * norms[0], [4, 4, 4], rtol=1e-3)


@by_tasks
def test_the_codec_balancer_gives_each_task_its_fraction(tasks):
    losses, norms = measured(tasks)
    fractions = np.arange(1.0, tasks + 1)
    decided, _ = follow(CodecBalancer(weights=tuple(fractions), smoothing=0.8), losses, norms)
    for t, w in enumerate(decided):
        kept = 0.8 ** np.arange(t, -1, -1)
        mean = kept @ norms[: t + 1] / kept.sum()
        np.testing.assert_allclose(w, tasks * (fractions / mean) / (fractions / mean).sum(), rtol=1e-9)


def test_fractions_of_the_codec_balancer_are_checked():
    with pytest.raises(SpecError, match=r"weights should be in \[1e-8, 1e8\]. Found 0"):
        RunSpec.parse({"tasks": 2, "method": "codec", "weights": "1,0"})
    with pytest.raises(SpecError, match=r"weights should have one value for each of the 2 tasks. Found 3"):
        RunSpec.parse({"tasks": 2, "method": "codec", "weights": "1,2,3"})


@by_tasks
def test_dual_balancing(tasks):
    losses, norms = measured(tasks)
    decided, _ = follow(DualBalancing(smoothing=0.6), losses, norms)
    for t, w in enumerate(decided):
        kept = 0.6 ** np.arange(t, -1, -1)
        mean = kept @ (norms / losses)[: t + 1] / kept.sum()  # of ‖∇ log L‖
        np.testing.assert_allclose(w, mean.max() / mean / losses[t], rtol=1e-9)


def test_dual_balancing_brings_log_losses_to_the_largest_norm():
    u = torch.nn.Parameter(torch.tensor([0.5, 2.0], dtype=torch.float64))
    balancer = Balancer(3, DualBalancing())
    for _ in range(2):
        u.grad = None
        losses = [(u * k - 1).square().sum() + 0.1 for k in (1, 3, 10)]
        balance = balancer.backward(losses, shared=u)
    logs = [torch.autograd.grad(((u * k - 1).square().sum() + 0.1).log(), u)[0].norm() for k in (1, 3, 10)]
    torch.testing.assert_close(balance.gradient_norms, max(logs).expand(3))


@by_tasks
def test_excess_risks(tasks):
    losses, norms = measured(tasks)
    decided, _ = follow(ExcessRisks(weight_learning_rate=0.3), losses, norms)
    w = np.ones(tasks)
    for t, n in enumerate(norms):
        excess = n**2 / np.sqrt((norms[: t + 1] ** 2).sum(0))
        w = w * np.exp(0.3 * excess / norms[0])  # at the first step E = ‖g‖
        w = tasks * w / w.sum()
        np.testing.assert_allclose(decided[t], w, rtol=1e-9)


@by_method
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_one_bad_norm_leaves_weights_finite_and_is_forgotten(method, bad):
    losses, norms = measured(3, steps=6)
    norms[2, 1] = bad
    decided, state = follow(method(), losses, norms)
    assert np.isfinite(decided).all()
    assert (decided > 0).all()
    assert all(bool(value.isfinite().all()) for value in state.memory.values())
    assert not np.array_equal(decided[3], decided[2])


@by_method
@pytest.mark.parametrize("steps", [1, 3])
def test_tasks_without_a_gradient(method, steps):
    """All tasks from the start, then the second alone."""
    losses, norms = measured(3, steps=6)
    norms[:steps] = 0
    norms[steps:, 1] = 0
    decided, _ = follow(method(), losses, norms)
    assert np.isfinite(decided).all()
    assert (decided > 0).all()
    np.testing.assert_array_equal(decided[:steps], 1)


def test_a_moving_mean_counts_what_came():
    values = torch.tensor([[2.0, 5.0], [4.0, math.nan], [math.inf, 7.0]], dtype=torch.float64)
    memory = mean_memory("x", torch.zeros(2, dtype=torch.float64))
    for row in values:
        mean, memory = moving_mean(memory, "x", row, 0.5)
    # (4 + 2/2)/(3/2) and (7 + 5/2)/(3/2): what does not count does not age the rest.
    assert mean.tolist() == pytest.approx([10 / 3, 19 / 3])
