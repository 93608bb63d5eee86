"""Gradient surgery: TorchJD called directly, and what the papers' solutions must satisfy."""

import math

import numpy as np
import pytest
import torch
import torchjd.aggregation as torchjd
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import root

from gradnorm.common.randomness import stream
from gradnorm.config.spec import methods
from gradnorm.methods.base import Signal
from gradnorm.methods.fairgrad import fair_weights
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


def follow(name, steps, **options):
    """Return the weights of each step. steps: J of each, shape [T, P]; a row of NaN is an absent task's."""
    method, weights = methods()[name](**options), []
    state = method.start(torch.ones(len(steps[0]), dtype=torch.float64), ["regression"] * len(steps[0]))
    for t, J in enumerate(steps, 1):
        losses = torch.ones(len(J), dtype=torch.float64).where(~J[:, 0].isnan(), J[:, 0])
        balance, state = method.balance(state, Signal(losses, gramian=J @ J.T, step=t, seed=4))
        weights.append(balance.weights)
    return weights, state


def noisy(tasks, steps=8, noise=1.5):
    return [jacobian(tasks, 50) + noise * jacobian(tasks, seed) for seed in range(steps)]


@pytest.mark.parametrize("scales", [None, [1.0, 1.0, 30.0]])
@pytest.mark.parametrize("seed", range(4))
def test_config_s_direction_is_torchjd_s(seed, scales):
    J = jacobian(seed=seed, scales=scales)
    d = weigh("config", J) @ J
    torch.testing.assert_close(d, torchjd.ConFIG()(J), rtol=1e-5, atol=1e-6)
    # One cosine with all gradients, and the length is that of the projections together.
    torch.testing.assert_close(J @ d / J.norm(dim=1), (J @ d / J.norm(dim=1)).mean().expand(3))
    assert d.norm().item() == pytest.approx((J @ d / d.norm()).sum().item())


def test_config_of_gradients_that_cancel_stands_still():
    J = torch.tensor([[1.0, 0.0], [-3.0, 0.0]], dtype=torch.float64)
    assert weigh("config", J).tolist() == [0, 0]
    # Where they depend on each other, it goes on: u₁ + u₂ = −u₃ leaves no direction, u₁ = u₂ does.
    alike = torch.tensor([[1.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(weigh("config", alike) @ alike, torch.tensor([3.0, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("tasks", [2, 3])
def test_m_config_is_config_for_mean_cosines_and_norms(tasks):
    steps = noisy(tasks)
    weights, _ = follow("m-config", steps, smoothing=0.8)
    C = n = total = 0
    for J, w in zip(steps, weights, strict=True):
        norms = J.norm(dim=1)
        U = J / norms[:, None]
        C, n, total = 0.8 * C + 0.2 * U @ U.T, 0.8 * n + 0.2 * norms, 0.8 * total + 0.2
        x = torch.linalg.solve(C / total, torch.ones(tasks, dtype=torch.float64))
        torch.testing.assert_close(w, (n / total).sum() / x.sum() * x / (n / total))
    plain = [weigh("config", J) for J in steps]
    torch.testing.assert_close(weights[0], plain[0])
    assert not torch.allclose(weights[-1], plain[-1])
    torch.testing.assert_close(torch.stack(follow("m-config", steps, smoothing=0)[0]), torch.stack(plain))


def test_gradvac_of_two_tasks_is_torchjd_s_step_by_step():
    # With two tasks the random order does not matter.
    direct, steps = torchjd.GradVac(beta=0.3, eps=0), noisy(2, steps=12)
    for J, w in zip(steps, follow("gradvac", steps, smoothing=0.7)[0], strict=True):
        torch.testing.assert_close(w @ J, direct(J))


@pytest.mark.parametrize("tasks", [2, 3])
def test_gradvac_by_a_naive_program_on_the_gradients(tasks):
    steps, means = noisy(tasks, steps=12), np.zeros((tasks, tasks))
    for t, (J, w) in enumerate(zip(steps, follow("gradvac", steps, smoothing=0.7)[0], strict=True), 1):
        random, total = stream(4, "surgery", t), 0
        g = J.numpy()
        for i in range(tasks):
            turned = g[i].copy()
            for j in random.permutation(tasks):
                if j == i:
                    continue
                size, other = np.linalg.norm(turned), np.linalg.norm(g[j])
                phi, wanted = turned @ g[j] / size / other, means[i, j]
                if phi < wanted:
                    part = wanted * np.sqrt(1 - phi**2) - phi * np.sqrt(1 - wanted**2)
                    turned += size * part / (other * np.sqrt(1 - wanted**2)) * g[j]
                    assert turned @ g[j] / np.linalg.norm(turned) / other == pytest.approx(wanted)
                means[i, j] = 0.7 * wanted + 0.3 * phi
            total = total + turned
        np.testing.assert_allclose((w @ J).numpy(), total, rtol=1e-9, atol=1e-12)
    assert (np.abs(means) > 0.01).any()


@pytest.mark.parametrize("name", ["gradvac", "m-config"])
def test_what_is_remembered_of_absent_pairs_stays(name):
    steps = noisy(3, steps=4)
    _, before = follow(name, steps[:3])
    steps[3][1] = math.nan
    weights, after = follow(name, steps)
    assert bool(weights[3].isfinite().all())
    for key, row in after.memory.items():
        kept = row == before.memory[key]
        assert kept.tolist() == [True] * 3 if key.endswith("_1") else kept[1]
        assert not torch.equal(row, before.memory[key]) or key.endswith("_1")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000), st.floats(0.5, 5), st.lists(st.floats(-3, 3), min_size=6, max_size=6))
def test_fair_weights_satisfy_their_equation(tasks, seed, alpha, powers):
    J = jacobian(tasks, seed, [10.0**power for power in powers[:tasks]])
    w = fair_weights(J @ J.T, alpha)
    assert bool((w > 0).all())
    # Eq. 4: Gw = w^(−1/α). The unit diagonal of the cosines is raised by 1e-6.
    G = J @ J.T + 1e-6 * J.square().sum(1).diag()
    torch.testing.assert_close((G @ w) * w ** (1 / alpha), torch.ones(tasks, dtype=torch.float64), rtol=1e-5, atol=0)


@pytest.mark.parametrize("tasks", [2, 3])
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_fairgrad_solves_the_paper_s_equation(tasks, alpha):
    J = jacobian(tasks, seed=tasks)
    G = (J @ J.T).numpy()
    # In log w, the unknowns of scipy's root finder.
    found = root(lambda u: np.log(np.maximum(G @ np.exp(u), 1e-12)) + u / alpha, np.full(tasks, -1.0), tol=1e-12)
    assert found.success
    w = weigh("fairgrad", J, fairness=alpha)
    np.testing.assert_allclose(w.numpy(), np.exp(found.x), rtol=1e-4)
    torch.testing.assert_close(w @ J, torchjd.FairGrad(alpha=alpha)(J), rtol=1e-2, atol=1e-3)
    if alpha == 1:
        torch.testing.assert_close(w, weigh("nash-mtl", J))


def test_fairgrad_of_tiny_gradients_is_bounded():
    J = jacobian(3, scales=[1e-30, 1e-32, 1e-31])
    w = weigh("fairgrad", J)
    assert float(w.max()) == pytest.approx(1e30)
    whole = fair_weights(J @ J.T, 2.0)
    torch.testing.assert_close(w / w.max(), whole / whole.max())
