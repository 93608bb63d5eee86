"""Gradient surgery: TorchJD called directly, and what the papers' solutions must satisfy."""

import pytest
import torch
import torchjd.aggregation as torchjd
from hypothesis import given, settings
from hypothesis import strategies as st

from gradnorm.config.spec import methods
from gradnorm.methods.base import Signal
from gradnorm.methods.nash_mtl import nash_weights
from gradnorm.methods.surgery import GramianMethod
from gradnorm.methods.upgrad import dual_cone_projections


def jacobian(tasks=3, seed=0, scales=None):
    random = torch.Generator().manual_seed(seed)
    J = torch.randn(tasks, 9, generator=random, dtype=torch.float64)
    return J if scales is None else J * torch.tensor(scales, dtype=torch.float64)[:, None]


def weigh(name, J, **options):
    method = methods()[name](**options)
    assert isinstance(method, GramianMethod)
    state = method.start(torch.ones(len(J), dtype=torch.float64), ["regression"] * len(J))
    balance, _ = method.balance(state, Signal(torch.ones(len(J), dtype=torch.float64), gramian=J @ J.T))
    return balance.weights


@pytest.mark.parametrize(
    ("name", "options", "direct"),
    [
        ("mgda", {}, torchjd.MGDA(epsilon=1e-12, max_iters=10_000)),
        ("cagrad", {}, torchjd.CAGrad(c=0.5)),
        ("cagrad", {"c": 0.2}, torchjd.CAGrad(c=0.2)),
        ("imtl-g", {}, torchjd.IMTLG()),
        ("aligned-mtl", {}, torchjd.AlignedMTL()),
    ],
)
@pytest.mark.parametrize("scales", [None, [1.0, 1.0, 30.0]])
def test_the_direction_is_torchjd_s(name, options, direct, scales):
    J = jacobian(scales=scales)
    # TorchJD's Frank–Wolfe and its cone program stop a little before the optimum.
    close = 5e-3 if name in {"mgda", "cagrad"} else 1e-5
    torch.testing.assert_close(weigh(name, J, **options) @ J, direct(J), rtol=close, atol=close / 10)


def test_two_conflicting_gradients_are_projected_off_each_other():
    # With two tasks PCGrad's order does not matter: g₁ − (g₁·g₂/‖g₂‖²) g₂ + g₂ − (g₁·g₂/‖g₁‖²) g₁.
    J = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(weigh("pcgrad", J), torch.tensor([2.0, 1.5], dtype=torch.float64))
    torch.testing.assert_close(weigh("pcgrad", J) @ J, torchjd.PCGrad()(J))


def test_pcgrad_draws_the_same_at_the_same_step_and_leaves_the_generator_alone():
    J = jacobian(5)
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = weigh("pcgrad", J)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, weigh("pcgrad", J))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000), st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_the_nash_bargain_satisfies_its_equation(tasks, seed, powers):
    J = jacobian(tasks, seed, [10.0**power for power in powers[:tasks]])
    w = nash_weights(J @ J.T)
    assert bool((w > 0).all())
    # Claim 3.1: Gw = 1/w, elementwise; so every task gains, and Jᵀw has norm √n.
    torch.testing.assert_close(w * (J @ J.T @ w), torch.ones(tasks, dtype=torch.float64), rtol=1e-3, atol=1e-3)


def test_the_nash_bargain_of_opposed_gradients_is_finite():
    J = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    w = nash_weights(J @ J.T)
    assert bool(w.isfinite().all())
    assert (w @ J).norm() < 1e-3 * w.max()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000))
def test_projections_solve_their_quadratic_program(tasks, seed):
    J = jacobian(tasks, seed)
    J = J / J.norm(dim=1, keepdim=True)
    C, e = J @ J.T, torch.eye(tasks, dtype=torch.float64)
    v = dual_cone_projections(C)
    # Karush, Kuhn and Tucker: v ≥ e, no gain is negative, and where v > e the gain is 0.
    gains = v @ C
    assert bool((v >= e).all())
    assert bool((gains >= -1e-10).all())
    assert bool(((v - e) * gains <= 1e-10).all())


def test_upgrad_conflicts_with_no_task():
    J = torch.tensor([[1.0, 0.0, 0.2], [-2.0, 0.5, 0.0], [0.3, -1.0, 0.1]], dtype=torch.float64)
    assert bool((J @ (weigh("upgrad", J) @ J) >= -1e-4).all())
    assert not bool((J @ J.mean(0) >= 0).all())
