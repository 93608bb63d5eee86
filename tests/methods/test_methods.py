"""Every discovered method keeps the contract; uncertainty weighting against its paper's equations by hand."""

import math

import pytest
import torch

import gradnorm.balancer.measuring as measuring_module
from gradnorm import Balancer
from gradnorm.common.discovery import discover
from gradnorm.config.spec import methods
from gradnorm.gradients import general
from gradnorm.methods.adam import adam_memory, adam_step
from gradnorm.methods.base import Needs, Signal, State
from gradnorm.methods.surgery import GramianMethod
from gradnorm.methods.uncertainty import UncertaintyWeighting

METHODS = list(methods().values())
by_name = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
KINDS = ("regression", "classification", "regression")


# Whose weights hang on the numbers of the tasks: draws go by number, and so does the choice of a single task.
BY_NUMBER = {"rlw", "single", "pcgrad", "gradvac"}


def signals(steps=6):
    random = torch.Generator().manual_seed(0)
    for step in range(1, steps + 1):
        losses = torch.rand(3, generator=random, dtype=torch.float64) * torch.tensor([1.0, 10.0, 100.0]) + 0.1
        J = torch.randn(3, 7, generator=random, dtype=torch.float64) * losses[:, None]
        yield Signal(losses, J.norm(dim=1), J @ J.T, step)


def permuted(signal, order):
    return Signal(signal.losses[order], signal.norms[order], signal.gramian[order][:, order], signal.step)


def run(method, order=(0, 1, 2)):
    order = list(order)
    state = method.start(torch.ones(3, dtype=torch.float64), [KINDS[i] for i in order])
    balances = []
    for signal in signals():
        balance, state = method.balance(state, permuted(signal, order))
        balances.append(balance)
    return balances, state


@by_name
def test_weights_are_finite_and_what_is_promised(method):
    for balance in run(method())[0]:
        assert bool(balance.weights.isfinite().all())
        if method.positive:
            assert bool((balance.weights > 0).all())
        if method.sums_to_tasks:
            assert balance.weights.sum().item() == pytest.approx(3)


def test_promises_are_made():
    # At least these: a new method is one file, with no list to add it to.
    assert {"equal", "static", "rlw", "dwa", "gradnorm"} <= {m.name for m in METHODS if m.sums_to_tasks}
    assert not any(m.positive for m in METHODS if issubclass(m, GramianMethod) or m.name == "single")


@pytest.mark.parametrize("method", [m for m in METHODS if m.name not in BY_NUMBER], ids=lambda m: m.name)
def test_permuting_tasks_permutes_weights(method):
    order = [2, 0, 1]
    torch.testing.assert_close(run(method(), order)[1].weights, run(method())[1].weights[order], rtol=1e-5, atol=1e-7)


@by_name
def test_a_method_is_pure(method):
    m = method()
    first, second = run(m)[1], run(m)[1]
    assert torch.equal(first.weights, second.weights)
    state = m.start(torch.ones(3, dtype=torch.float64), KINDS)
    before = {k: v.clone() for k, v in state.memory.items()}
    m.balance(state, next(signals()))
    assert all(torch.equal(before[k].nan_to_num(), v.nan_to_num()) for k, v in state.memory.items())
    assert state.weights.tolist() == m.start(torch.ones(3, dtype=torch.float64), KINDS).weights.tolist()


@by_name
def test_what_a_method_needs_suffices_and_is_needed(method):
    m = method()
    state = m.start(torch.ones(3, dtype=torch.float64), KINDS)
    full = next(signals())
    signals_by_need = {
        Needs.LOSSES: Signal(full.losses),
        Needs.NORMS: Signal(full.losses, norms=full.norms),
        Needs.GRAMIAN: Signal(full.losses, gramian=full.gramian),
    }
    assert m.balance(state, signals_by_need.pop(m.needs))[0].weights.isfinite().all()
    for less in signals_by_need.values():
        if m.needs is not Needs.LOSSES:
            with pytest.raises(AssertionError, match="needs"):
                m.balance(state, less)


@by_name
def test_a_method_that_is_ahead_uses_the_weights_of_the_step_before(method):
    m = method()
    state = m.start(torch.ones(3, dtype=torch.float64), KINDS)
    for signal in signals():
        balance, after = m.balance(state, signal)
        assert not m.ahead or torch.equal(balance.weights, state.weights)
        state = after


@by_name
def test_a_balancer_measures_what_is_needed_and_nothing_more(method, monkeypatch):
    measured = []

    def counted(name, real):
        return lambda *a, **k: (measured.append(name), real(*a, **k))[1]

    for owner, name in ((general, "gradient_norms"), (measuring_module, "Jacobian")):
        monkeypatch.setattr(owner, name, counted(name, getattr(owner, name)))
    u = torch.nn.Parameter(torch.ones(2))
    Balancer(3, method()).backward([(u * (i + 1)).square().sum() for i in range(3)], shared=u, trunk=[u])
    expected = {Needs.LOSSES: [], Needs.NORMS: ["gradient_norms"], Needs.GRAMIAN: ["Jacobian"]}
    assert measured == expected[method.needs]


@by_name
def test_a_state_survives_a_save_and_load_bit_for_bit(method, tmp_path):
    def step(balancer, t):
        u = torch.nn.Parameter(torch.tensor([1.0, 0.5 + t / 10]))
        losses = [(u * (i + 1) - t).square().sum() + 0.1 for i in range(3)]
        return balancer.backward(losses, shared=u, trunk=[u]).weights

    one = Balancer(3, method(), kinds=KINDS)
    for t in range(4):
        step(one, t)
    torch.save(one.state_dict(), tmp_path / "state")
    other = Balancer(3, method(), kinds=KINDS)
    other.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for t in range(4, 8):
        assert torch.equal(step(one, t), step(other, t))


@by_name
def test_trunk_and_heads_get_the_gradients_of_the_paper(method):
    """Surgery weighs the shared parameters alone; all other methods weigh the losses, heads included."""
    torch.manual_seed(0)
    x = torch.randn(8, 4, dtype=torch.float64)
    trunk, W = torch.nn.Linear(4, 5).double(), torch.nn.Linear(5, 6).double()
    heads = [torch.nn.Linear(6, 2).double() for _ in range(3)]

    def losses():
        z = W(trunk(x).tanh()).relu()
        return [head(z).square().mean() * 10.0**i for i, head in enumerate(heads)]

    shared = [*trunk.parameters(), *W.parameters()]
    own = [torch.autograd.grad(losses()[i], shared) for i in range(3)]
    at_heads = [torch.autograd.grad(losses()[i], list(head.parameters())) for i, head in enumerate(heads)]
    w = Balancer(3, method()).backward(losses(), shared=W, trunk=shared).weights
    for k, parameter in enumerate(shared):
        torch.testing.assert_close(parameter.grad, sum(w[i] * own[i][k] for i in range(3)))
    for i, head in enumerate(heads):
        factor = 1 if method().heads == "own" else w[i]
        for parameter, grad in zip(head.parameters(), at_heads[i], strict=True):
            torch.testing.assert_close(parameter.grad, factor * grad)


@by_name
def test_an_absent_task_keeps_its_weight(method):
    m = method()
    state = run(m)[1]
    signal = next(signals())
    losses, norms, gramian = signal.losses.clone(), signal.norms.clone(), signal.gramian.clone()
    losses[1] = norms[1] = gramian[1] = gramian[:, 1] = math.nan
    balance, after = m.balance(state, Signal(losses, norms, gramian, 7))
    if m.name != "rlw":  # which draws for all tasks
        assert after.weights[1] == state.weights[1]
    assert bool(after.weights.isfinite().all())
    assert bool(balance.weights.isfinite().all())
    assert all(bool(v.isfinite().all()) for k, v in after.memory.items() if k != "before")


@by_name
def test_a_method_declares_itself(method):
    assert method.name
    assert method.title
    assert method.summary.endswith(".")
    for name, field in method.model_fields.items():
        assert field.title, name
        assert field.description, name
    assert method.citation.startswith("@")
    assert method.citation.count("{") == method.citation.count("}")
    assert "year={" in method.citation


def test_uncertainty_weighting_by_hand():
    m = UncertaintyWeighting(weight_learning_rate=0.1)
    state = m.start(torch.ones(2, dtype=torch.float64), ["regression", "classification"])
    # s = 0: a regression weighs exp(−0)/2 (Eq. 7), a classification exp(−0) (Eq. 10).
    assert state.weights.tolist() == [0.5, 1.0]
    losses = torch.tensor([4.0, 0.25], dtype=torch.float64)
    balance, state = m.balance(state, Signal(losses))
    assert balance.weights.tolist() == [0.5, 1.0]
    # ∂/∂s: ½ − ½·4 < 0 and ½ − ¼ > 0; Adam's first step is its learning rate, against the slope.
    s = torch.tensor([0.1, -0.1], dtype=torch.float64)
    torch.testing.assert_close(state.memory["log_variance"], s, rtol=1e-6, atol=1e-6)
    expected = torch.tensor([0.5 * math.exp(-0.1), math.exp(0.1)], dtype=torch.float64)
    torch.testing.assert_close(state.weights, expected, rtol=1e-6, atol=1e-6)


def test_uncertainty_weighting_settles_where_its_objective_is_least():
    m = UncertaintyWeighting(weight_learning_rate=0.05)
    state = m.start(torch.ones(2, dtype=torch.float64), ["regression", "classification"])
    losses = torch.tensor([9.0, 0.2], dtype=torch.float64)
    for _ in range(600):
        _, state = m.balance(state, Signal(losses))
    # ½e^{−s}L + s/2 is least at s = log L, e^{−s}L + s/2 at s = log 2L: both weights are 1/(2L).
    torch.testing.assert_close(state.weights, 1 / (2 * losses), rtol=0.05, atol=0)


def test_adam_is_torch_s():
    slopes = torch.randn(20, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    w = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.Adam([w], lr=0.025)
    ours, memory = torch.ones(3, dtype=torch.float64), adam_memory(torch.ones(3, dtype=torch.float64))
    for slope in slopes:
        w.grad = slope.clone()
        optimizer.step()
        step, memory = adam_step(memory, slope, 0.025)
        ours = ours + step
        torch.testing.assert_close(ours, w.detach(), rtol=1e-12, atol=1e-12)


def test_discovery_finds_files_and_raises_for_broken_ones(tmp_path, monkeypatch):
    package = tmp_path / "plugins"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    (package / "one.py").write_text("from decimal import Decimal\nclass Mine(Decimal):\n    name = 'mine'\n")
    from decimal import Decimal

    discover.cache_clear()
    assert list(discover(Decimal, "plugins")) == ["mine"]
    (package / "two.py").write_text("raise RuntimeError('broken')\n")
    discover.cache_clear()
    with pytest.raises(RuntimeError, match="broken"):
        discover(Decimal, "plugins")
    (package / "two.py").write_text("from decimal import Decimal\nclass Other(Decimal):\n    name = 'mine'\n")
    import sys

    sys.modules.pop("plugins.two", None)
    discover.cache_clear()
    with pytest.raises(ValueError, match="unique"):
        discover(Decimal, "plugins")
    discover.cache_clear()


def test_a_balancer_runs_every_method_on_a_network():
    for method in METHODS:
        u = torch.nn.Parameter(torch.ones(2))
        balancer = Balancer(3, method())
        for _ in range(3):
            balancer.backward([(u * (i + 1)).square().sum() for i in range(3)], shared=u, trunk=[u])
        assert u.grad is not None


ALONG_AN_AXIS = [m for m in METHODS if m.needs is not Needs.GRAMIAN]


@pytest.mark.parametrize("method", ALONG_AN_AXIS, ids=lambda method: method.name)
@pytest.mark.parametrize("complete", [True, False])
def test_several_runs_in_one_call_are_each_what_they_are_alone(method, complete):
    """States of shape [n, T]; numbers that multiply may differ from run to run."""
    floats = {name for name, value in method() if isinstance(value, float)}
    short = {name: 5 for name in ("period", "warmup") if name in method.model_fields}
    each = [method(**{name: getattr(method(), name) * factor for name in floats}, **short) for factor in (0.5, 1.0)]
    columns = {name: torch.tensor([[getattr(m, name)] for m in each], dtype=torch.float64) for name in floats}
    together = method(**short).model_copy(update=columns)
    states = [m.start(torch.ones(3, dtype=torch.float64), KINDS) for m in each]
    state = stacked(states)
    for t, signal in enumerate(signals(steps=16)):
        second = permuted(signal, [1, 2, 0])
        if not complete and t % 3 == 1:
            second.losses[1] = second.norms[1] = float("nan")
        both = Signal(
            torch.stack([signal.losses, second.losses]),
            torch.stack([signal.norms, second.norms]),
            step=t + 1,
            complete=complete,
        )
        balance, state = together.balance(state, both)
        for run, own in enumerate((signal, second)):
            alone, states[run] = each[run].balance(states[run], Signal(own.losses, own.norms, step=t + 1))
            for name in ("weights", "loss_ratios", "relative_rates", "gradient_norms", "targets", "imbalance"):
                computed, expected = getattr(balance, name), getattr(alone, name)
                assert (computed is None) == (expected is None)
                if computed is not None:
                    torch.testing.assert_close(computed[run], expected, rtol=1e-9, atol=1e-12, equal_nan=True)
    torch.testing.assert_close(state.weights, stacked(states).weights, rtol=1e-9, atol=1e-12)


def stacked(states):
    memory = {name: torch.stack([s.memory[name] for s in states]) for name in states[0].memory}
    return State(torch.stack([s.weights for s in states]), torch.stack([s.initial_losses for s in states]), memory)
