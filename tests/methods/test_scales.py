"""Every method at any scale: gradient norms 10⁸ apart, losses from 1e-30 to 1e25, up to 64 tasks."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradnorm import Balancer, GradNorm
from gradnorm.config.spec import methods, preset
from gradnorm.methods.base import MIN_WEIGHT, Needs, Signal, renormalize
from gradnorm.methods.cagrad import ConflictAverse
from gradnorm.methods.dwa import DynamicWeightAverage
from gradnorm.methods.gradnorm import GradNormMethod
from gradnorm.methods.rlw import RandomWeights
from gradnorm.methods.upgrad import UnconflictingProjection
from gradnorm.training.engine import train

METHODS = list(methods().values())
SURGERY = [method for method in METHODS if method.needs is Needs.GRAMIAN]
by_name = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def gradients(tasks, seed, spread=0.0, size=0.0, dimensions=9):
    """Return J, whose rows' norms are up to 10^spread apart and about 10^size."""
    random = torch.Generator().manual_seed(seed)
    J = torch.randn(tasks, dimensions, generator=random, dtype=torch.float64)
    powers = size + spread * (torch.rand(tasks, 1, generator=random, dtype=torch.float64) - 0.5)
    return J * 10**powers


def quick(method):
    """Return the options by which a method that waits begins at once."""
    return {name: 1 for name in ("period", "warmup") if name in method.model_fields}


def weigh(method, J, step=1):
    state = method.start(torch.ones(len(J), dtype=torch.float64), ["regression"] * len(J))
    signal = Signal(torch.ones(len(J), dtype=torch.float64), gramian=J @ J.T, step=step)
    return method.balance(state, signal)[0].weights


@by_name
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 64), st.integers(0, 10_000), st.sampled_from([torch.float32, torch.float64]))
def test_weights_are_finite_and_what_is_promised_at_any_scale(method, tasks, seed, dtype):
    random = torch.Generator().manual_seed(seed)
    m = method(**quick(method))
    state = m.start(torch.ones(tasks, dtype=dtype), (["regression", "classification"] * 32)[:tasks])
    for step in range(1, 5):
        losses = 10 ** (torch.rand(tasks, generator=random, dtype=torch.float64) * 55 - 30)
        J = gradients(tasks, seed + step, spread=8.0, size=-4 + 8 * float(torch.rand((), generator=random)))
        signal = Signal(losses.to(dtype), J.norm(dim=1).to(dtype), J @ J.T, step, complete=True)
        balance, state = m.balance(state, signal)
        for weights in (balance.weights, state.weights):
            assert bool(weights.isfinite().all())
            assert not method.positive or bool((weights > 0).all())
            assert not method.sums_to_tasks or weights.sum().item() == pytest.approx(tasks, rel=1e-4)


@by_name
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e25])
def test_a_step_leaves_finite_gradients_in_any_precision(method, dtype, size):
    if size != 1 and torch.finfo(dtype).max < 1e5 and dtype is torch.float16:
        size = 1e3 if size > 1 else 1e-4
    trunk, heads = torch.nn.Linear(3, 4).to(dtype), [torch.nn.Linear(4, 1).to(dtype) for _ in range(2)]
    features = trunk(torch.ones(5, 3, dtype=dtype))
    losses = [
        head(features).float().square().mean() * size * factor for head, factor in zip(heads, (1, 10), strict=True)
    ]
    balance = Balancer(2, method()).backward(losses, shared=trunk, features=features, trunk=trunk.parameters())
    assert bool(balance.weights.isfinite().all())
    # GLS and FAMO divide by the loss, so their weights are as far from 1 as the losses are.
    assert all(bool(p.grad.isfinite().all()) for p in trunk.parameters() if p.grad is not None)


@pytest.mark.parametrize("method", SURGERY, ids=lambda method: method.name)
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(0, 10_000), st.floats(0, 8), st.sampled_from([1e-30, 1e-3, 1e25]))
def test_a_common_scale_changes_no_direction(method, tasks, seed, spread, scale):
    J = gradients(tasks, seed, spread)
    one, other = weigh(method(), J), weigh(method(), J * scale)
    factor = scale if method.name == "nash-mtl" else 1.0  # whose gains w·Gw are 1
    if method.name == "fairgrad":  # whose weights grow with a power of the gradients, up to 1e30
        factor = float(one.max() / other.max())
    # Aligned-MTL divides by the least eigenvalue, which rounding reaches first.
    close = 1e-2 if method.name == "aligned-mtl" else 1e-5
    torch.testing.assert_close(other * factor, one, rtol=close, atol=close / 100 * float(one.abs().max()))


@pytest.mark.parametrize("method", SURGERY, ids=lambda method: method.name)
def test_a_task_without_a_gradient_takes_no_part(method):
    J = gradients(3, seed=5)
    with_none = torch.cat([J[:1], torch.zeros(1, 9, dtype=torch.float64), J[1:2]])
    m = method()
    expected = weigh(m, J[:2], step=2)
    torch.testing.assert_close(weigh(m, with_none, step=2), torch.stack([expected[0], J.new_zeros(()), expected[1]]))
    assert weigh(m, J * 0).tolist() == [0, 0, 0]


cases = given(st.integers(1, 16), st.integers(0, 10_000), st.floats(0, 8))


@settings(max_examples=60, deadline=None)
@cases
def test_upgrad_harms_no_task(tasks, seed, spread):
    J = gradients(tasks, seed, spread)
    w = weigh(UnconflictingProjection(), J)
    gains = J @ (w @ J) / J.norm(dim=1)
    assert bool((gains >= -1e-10 * float((w.abs()[:, None] * J).abs().sum())).all())


@settings(max_examples=60, deadline=None)
@cases
def test_mgda_finds_the_least_norm(tasks, seed, spread):
    J = gradients(tasks, seed, spread)
    w = weigh(methods()["mgda"](), J)
    assert bool((w >= 0).all())
    assert float(w.sum()) == pytest.approx(1)
    # It is the least if no task's gradient shortens it: g_i·g ≥ ‖g‖² for each i.
    g = w @ J
    assert bool((J @ g >= g @ g - 1e-9 * J.norm(dim=1) * J.norm(dim=1).min()).all())


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 10), st.integers(0, 10_000), st.floats(0, 8), st.floats(0.05, 1))
def test_cagrad_does_for_the_worst_task_what_the_ball_allows(tasks, seed, spread, c):
    J = gradients(tasks, seed, spread)
    w = weigh(ConflictAverse(c=c), J)
    g0, d = J.mean(0), w @ J
    assert float((d - g0).norm()) <= c * float(g0.norm()) * (1 + 1e-6)
    # Weak duality: no direction in the ball does better than this, for any weights of the simplex.
    moved = w - 1 / tasks
    dual = moved.clamp(min=0) / moved.clamp(min=0).sum()
    bound = (dual @ J) @ g0 + c * g0.norm() * (dual @ J).norm()
    # The solver's gap is 1e-12, and a direction's error the root of it.
    assert float((J @ d).min()) >= float(bound - 1e-2 * bound.abs() - 1e-4 * J.norm(dim=1).min() * g0.norm())


def test_pcgrad_draws_by_the_seed_of_the_run():
    J = gradients(6, seed=1)
    m = methods()["pcgrad"]()
    state = m.start(torch.ones(6, dtype=torch.float64), ["regression"] * 6)
    drawn = [
        m.balance(state, Signal(torch.ones(6, dtype=torch.float64), gramian=J @ J.T, seed=seed))[0].weights
        for seed in (1, 1, 2)
    ]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_random_weights_differ_from_seed_to_seed_alone_and_together():
    m = RandomWeights()
    state = m.start(torch.ones(3), ["regression"] * 3)
    alone = [m.balance(state, Signal(torch.ones(3), step=4, seed=seed))[0].weights for seed in (1, 2)]
    assert not torch.equal(*alone)
    both = type(state)(torch.ones(2, 3), state.initial_losses.expand(2, 3), {})
    together = m.balance(both, Signal(torch.ones(2, 3), step=4, seed=(1, 2)))[0].weights
    assert torch.equal(together, torch.stack(alone))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("gls", "shares"),
        ("si", "shares"),
        ("stch", "shares"),
        ("famo", "shares"),
        ("dwa", "weights"),
        ("relobralo", "weights"),
        ("excess-mtl", "weights"),
        ("db-mtl", "shares"),
        ("codec", "proportions"),
        ("nash-mtl", "shares"),
        ("imtl-g", "proportions"),
        ("config", "proportions"),
        ("m-config", "proportions"),
    ],
)
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_what_does_not_depend_on_a_task_s_scale(name, what, scale):
    """shares: w_i·L_i. proportions: w_i·L_i but for a common factor."""
    m = methods()[name](**quick(methods()[name]))
    scales = torch.tensor([1.0, scale, 1.0], dtype=torch.float64)
    used = []
    for factors in (torch.ones_like(scales), scales):
        state = m.start(torch.ones_like(scales), ["regression"] * 3)
        for step in range(1, 5):
            J = gradients(3, seed=step) * factors[:, None]
            losses = torch.tensor([1.0 / step, 2.0, 0.1 * step], dtype=torch.float64) * factors
            balance, state = m.balance(state, Signal(losses, J.norm(dim=1), J @ J.T, step))
        used.append(balance.weights if what == "weights" else balance.weights * factors)
    if what == "proportions" or name in {"gls", "famo"}:
        used = [weights / weights.sum() for weights in used]
    torch.testing.assert_close(used[1], used[0], rtol=1e-6, atol=1e-9)


def harmed(spec, monkeypatch, method):
    """Return for each step of a run what `method` weighed: the Gramian and the weights."""
    weighed, real = [], method.weigh
    monkeypatch.setattr(method, "weigh", lambda *a: (weighed.append((a[1], w := real(*a))), w)[1])
    for _ in train(spec):
        pass
    return weighed


@pytest.mark.slow
def test_upgrad_harms_no_task_of_the_diamonds(monkeypatch):
    spec = preset("diamonds", {"method": "upgrad", "steps": 120, "checkpoint_every": 0})
    weighed = harmed(spec, monkeypatch, UnconflictingProjection)
    assert len(weighed) == 120
    for gramian, w in weighed:
        norms = gramian.diagonal().sqrt()
        assert bool((gramian @ w / norms >= -1e-9 * float(w @ norms)).all())


@pytest.mark.slow
def test_cagrad_trains_the_trunk_on_the_diamonds(monkeypatch):
    spec = preset("diamonds", {"method": "cagrad", "steps": 100, "checkpoint_every": 0})
    weighed = harmed(spec, monkeypatch, ConflictAverse)
    assert len(weighed) == 100
    assert all(bool((w >= 1 / len(w) - 1e-9).all()) for _, w in weighed)


@pytest.mark.parametrize("alpha", [0.5, 1.5, 3.0])
def test_gradnorm_moves_where_all_norms_lie_on_one_side_of_their_targets(alpha):
    """Two tasks whose gaps to the paper's targets have one sign: a common factor would be scaled away."""
    m = GradNormMethod(alpha=alpha, update="log")
    state = m.start(torch.ones(2, dtype=torch.float64), ["regression"] * 2)
    state = type(state)(state.weights, torch.ones(2, dtype=torch.float64), {})
    losses = torch.tensor([0.4, 1.6], dtype=torch.float64)
    powers = losses**alpha  # r = losses, since their mean is 1
    G = (powers / powers.mean()) * torch.tensor([1.05, 1.0], dtype=torch.float64)
    signs = (G - G.mean() * powers).sign()
    assert signs[0] == signs[1]
    balance, after = m.balance(state, Signal(losses, G, step=2))
    assert float(after.weights[0]) < 1 < float(after.weights[1])
    assert float(balance.targets.mean()) == pytest.approx(float(G.mean()))


@pytest.mark.parametrize("update", ["closed", "log", "adam", "sgd"])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_one_bad_gradient_moves_no_weight_and_is_forgotten(update, bad):
    m = GradNormMethod(update=update)
    state = m.start(torch.ones(3), ["regression"] * 3)
    signals = [Signal(torch.tensor([1.0, 2.0, 3.0]), torch.tensor(norms), step=step, complete=True)
               for step, norms in enumerate(([1.0, 2.0, 3.0], [1.0, bad, 3.0], [1.0, 2.0, 4.0]), 1)]  # fmt: skip
    weights = []
    for signal in signals:
        _, state = m.balance(state, signal)
        weights.append(state.weights)
    if update != "adam":  # which goes on by its momentum
        assert torch.equal(weights[1], weights[0])
    assert bool(weights[2].isfinite().all())
    assert not torch.equal(weights[2], weights[1])


def test_dynamic_weight_average_of_losses_that_were_zero():
    m = DynamicWeightAverage(period=1)
    state = m.start(torch.ones(2), ["regression"] * 2)
    for step, losses in enumerate(([1.0, 1.0], [0.0, 1.0], [0.0, 1.0], [0.5, 1.0]), 1):
        _, state = m.balance(state, Signal(torch.tensor(losses), step=step))
        assert bool((state.weights > 0).all())
        assert state.weights.sum().item() == pytest.approx(2)
        if step == 3:  # 0 and 0: neither loss has changed
            assert state.weights.tolist() == pytest.approx([1, 1])
    assert float(state.weights[0]) > 1.99


def test_weights_stay_positive_where_an_absent_task_has_all_of_them():
    old = torch.tensor([2 - 1e-8, 1e-8])
    weights = renormalize(torch.tensor([math.nan, 1e-8]), old, Signal(torch.tensor([math.nan, 1.0])))
    assert float(weights[1]) == pytest.approx(MIN_WEIGHT)
    assert weights[0] == old[0]


def test_accumulated_gradients_decide_once_an_optimizer_step():
    """Four micro-batches of one step: weights, norms and gradients are those of their mean."""
    torch.manual_seed(0)
    W, x = torch.nn.Linear(3, 4).double(), torch.randn(16, 3, dtype=torch.float64)
    heads = torch.nn.ModuleList(torch.nn.Linear(4, 1) for _ in range(2)).double()

    def losses(part):
        return [head(W(part)).square().mean() * factor for head, factor in zip(heads, (1, 9), strict=True)]

    # Parameters stay, so that the weights in closed form would stay, too.
    balancer, weights = GradNorm(2, update="log"), []
    for step in range(5):
        for micro, part in enumerate(x.chunk(4)):
            before = balancer.weights
            balance = balancer.backward(losses(part), shared=W, last=micro == 3)
            assert torch.equal(balancer.weights, before) == (micro < 3)
            weights.append(balance.weights)
        assert torch.equal(torch.stack(weights[-4:]), weights[-1].expand(4, 2))
        assert balancer.state_dict()["steps"] == step + 1
    each = [[loss.detach() for loss in losses(part)] for part in x.chunk(4)]
    torch.testing.assert_close(balance.losses, torch.stack([torch.stack(pair) for pair in each]).mean(0))
