"""A task whose first loss is near 0: warned of once, and what it costs a small physics-informed network."""

import pytest
import torch

from gradnorm import Balancer, GradNorm
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.methods.static import StaticWeights


def take(balancer, *losses, times=1):
    shared = torch.nn.Parameter(torch.ones(1))
    for _ in range(times):
        attached = [None if loss is None else loss * shared.sum() for loss in losses]
        balancer.backward(attached, shared=shared)


def test_a_ratio_that_stays_over_10_is_warned_of_once_with_its_remedy():
    balancer = GradNorm(["data", "residual"])
    take(balancer, 1.0, 1e-6)
    take(balancer, 1.0, 0.01, times=49)
    with pytest.warns(UserWarning, match="'residual' began with a loss near 0.* 10,000 times") as told:
        take(balancer, 1.0, 0.01)
    (warning,) = told
    assert "Pass the usual size of each loss as initial_losses, for example initial_losses=[1, 1]." in str(
        warning.message
    )
    assert warning.filename == __file__
    take(balancer, 1.0, 0.1, times=60)


@pytest.mark.parametrize(
    "balancer",
    [
        pytest.param(lambda: GradNorm(2, initial_losses=[1, 1]), id="initial losses"),
        pytest.param(lambda: GradNorm(2, alpha=0), id="ratios have no part"),
        pytest.param(lambda: Balancer(2, GradNormMethod(hold=(2,))), id="held"),
        pytest.param(lambda: Balancer(2, GradNormMethod(), warns=False), id="not asked for"),
        pytest.param(lambda: Balancer(2, StaticWeights(weights=(1, 1)), watch_norms=True), id="no targets"),
    ],
)
def test_nothing_is_said_where_the_ratio_does_no_harm(balancer):
    made = balancer()
    take(made, 1.0, 1e-6)
    take(made, 1.0, 0.01, times=60)


def test_a_moment_of_unrest_is_not_warned_of():
    balancer = GradNorm(2)
    for _ in range(3):
        take(balancer, 1.0, 1e-6)
        take(balancer, 1.0, 0.01, times=49)


def test_a_state_that_was_loaded_is_watched_too():
    saved = GradNorm(2)
    take(saved, 1.0, 1e-6)
    balancer = GradNorm(2)
    balancer.load_state_dict(saved.state_dict())
    with pytest.warns(UserWarning, match="began with a loss near 0"):
        take(balancer, 1.0, 0.01, times=50)


def test_a_task_that_joins_late_is_watched_too():
    balancer = GradNorm(2)
    take(balancer, 1.0, None)
    take(balancer, None, 1e-6)
    take(balancer, None, 0.01, times=49)
    take(balancer, 1.0, None)
    with pytest.warns(UserWarning, match="'task 2' began with a loss near 0"):
        take(balancer, None, 0.01)


def solved(balancer):
    """Return the relative error of a small network that learns u' = −2u on [0, 1], with u(0) = 1.

    The new network answers with nearly 0, which solves the equation itself: the residual starts at about 3e-8.
    """
    torch.manual_seed(0)
    hidden, last = torch.nn.Sequential(torch.nn.Linear(1, 20), torch.nn.Tanh()), torch.nn.Linear(20, 1)
    torch.nn.init.normal_(last.weight, std=1e-4)
    torch.nn.init.zeros_(last.bias)
    x = torch.linspace(0, 1, 21).reshape(-1, 1).requires_grad_()
    optimizer = torch.optim.Adam([*hidden.parameters(), *last.parameters()], lr=0.01)
    for _ in range(300):
        u = last(hidden(x))
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        optimizer.zero_grad()
        balancer.backward([(u[0] - 1).square().sum(), (slope + 2 * u).square().mean()], shared=last)
        optimizer.step()
    with torch.no_grad():
        truth = (-2 * x).exp()
        return float((last(hidden(x)) - truth).norm() / truth.norm())


@pytest.mark.slow
def test_a_residual_that_starts_near_0_is_warned_of_and_initial_losses_are_the_remedy():
    with pytest.warns(UserWarning, match="'residual' began with a loss near 0"):
        error = solved(GradNorm(["start", "residual"]))
    # The balancer of the remedy must not warn, or the test fails.
    remedied = solved(GradNorm(["start", "residual"], initial_losses=[1, 1]))
    assert remedied < 0.03
    assert error > 3 * remedied
