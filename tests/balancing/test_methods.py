"""Every discovered method keeps the contract; uncertainty weighting against its paper's equations by hand."""

import math

import pytest
import torch

from gradnorm import Balancer
from gradnorm.balancing.adam import adam_memory, adam_step
from gradnorm.balancing.base import Needs, Signal
from gradnorm.balancing.uncertainty import UncertaintyWeighting
from gradnorm.discovery import discover
from gradnorm.spec import methods

METHODS = list(methods().values())
KINDS = ("regression", "classification", "regression")


def signals(steps=6):
    random = torch.Generator().manual_seed(0)
    for _ in range(steps):
        losses = torch.rand(3, generator=random, dtype=torch.float64) * torch.tensor([1.0, 10.0, 100.0]) + 0.1
        yield Signal(losses, losses * torch.rand(3, generator=random, dtype=torch.float64))


def run(method, order=(0, 1, 2)):
    order = list(order)
    state = method.start(torch.ones(3, dtype=torch.float64), [KINDS[i] for i in order])
    balances = []
    for signal in signals():
        balance, state = method.balance(state, Signal(signal.losses[order], signal.norms[order]))
        balances.append(balance)
    return balances, state


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_finite_and_positive(method):
    for balance in run(method())[0]:
        assert bool((balance.weights > 0).all())
        assert bool(balance.weights.isfinite().all())


@pytest.mark.parametrize("method", METHODS)
def test_permuting_tasks_permutes_weights(method):
    order = [2, 0, 1]
    torch.testing.assert_close(run(method(), order)[1].weights, run(method())[1].weights[order])


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_pure(method):
    m = method()
    first, second = run(m)[1], run(m)[1]
    assert torch.equal(first.weights, second.weights)
    state = m.start(torch.ones(3, dtype=torch.float64), KINDS)
    before = {k: v.clone() for k, v in state.memory.items()}
    m.balance(state, next(signals()))
    assert all(torch.equal(before[k], v) for k, v in state.memory.items())
    assert state.weights.tolist() == m.start(torch.ones(3, dtype=torch.float64), KINDS).weights.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_losses_alone_suffice_unless_norms_are_needed(method):
    m = method()
    state = m.start(torch.ones(3, dtype=torch.float64), KINDS)
    signal = Signal(next(signals()).losses)
    if m.needs is Needs.NORMS:
        with pytest.raises(AssertionError, match="norms"):
            m.balance(state, signal)
    else:
        assert m.balance(state, signal)[0].gradient_norms is None


@pytest.mark.parametrize("method", METHODS)
def test_an_absent_task_keeps_its_weight(method):
    m = method()
    state = run(m)[1]
    signal = next(signals())
    losses, norms = signal.losses.clone(), signal.norms.clone()
    losses[1] = norms[1] = math.nan
    _, after = m.balance(state, Signal(losses, norms))
    assert after.weights[1] == state.weights[1]
    assert bool(after.weights.isfinite().all())
    assert all(bool(v.isfinite().all()) for v in after.memory.values())


@pytest.mark.parametrize("method", METHODS)
def test_a_method_declares_itself(method):
    assert method.name
    assert method.title
    assert method.summary.endswith(".")
    for name, field in method.model_fields.items():
        assert field.title, name
        assert field.description, name
    if method.name != "equal":
        assert method.citation.startswith("@")


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
    assert list(discover("plugins", Decimal)) == ["mine"]
    (package / "two.py").write_text("raise RuntimeError('broken')\n")
    discover.cache_clear()
    with pytest.raises(RuntimeError, match="broken"):
        discover("plugins", Decimal)
    (package / "two.py").write_text("from decimal import Decimal\nclass Other(Decimal):\n    name = 'mine'\n")
    import sys

    sys.modules.pop("plugins.two", None)
    discover.cache_clear()
    with pytest.raises(ValueError, match="unique"):
        discover("plugins", Decimal)
    discover.cache_clear()


def test_a_balancer_runs_every_method_on_a_network():
    for method in METHODS:
        u = torch.nn.Parameter(torch.ones(2))
        balancer = Balancer(3, method())
        for _ in range(3):
            balancer.backward([(u * (i + 1)).square().sum() for i in range(3)], shared=u)
        assert u.grad is not None
