"""Bounds of weights, and what is said of options that do not fit."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradnorm import Balancer, GradNorm
from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.methods.base import Signal, bounded
from gradnorm.methods.gradnorm import GradNormMethod
from tests.naive_options import water

WEIGHTS = st.lists(st.floats(1e-8, 1e2), min_size=1, max_size=6)


def summing_to_tasks(weights):
    w = torch.tensor(weights, dtype=torch.float64)
    return w * (len(w) / w.sum())


@given(weights=WEIGHTS, least=st.floats(0, 1), most=st.floats(1, 8))
def test_the_sum_and_the_order_are_kept_and_all_lie_within(weights, least, most):
    w = summing_to_tasks(weights)
    found = bounded(w, Signal(torch.ones_like(w)), least, most)
    assert float(found.sum()) == pytest.approx(len(w), rel=1e-9)
    assert bool(((found >= least - 1e-12) & (found <= most + 1e-12)).all())
    order = w.argsort()
    assert bool((found[order].diff() >= 0).all())
    # Between the bounds all weights have changed by one factor.
    free = (found > least * (1 + 1e-6)) & (found < most * (1 - 1e-6))
    factors = (found / w)[free]
    if len(factors):
        torch.testing.assert_close(factors, factors[:1].expand_as(factors), rtol=1e-9, atol=0)


@given(weights=WEIGHTS, least=st.floats(0.01, 0.99), most=st.floats(1.01, 5))
def test_they_are_those_of_trying_who_is_at_which_bound(weights, least, most):
    w = summing_to_tasks(weights)
    found = bounded(w, Signal(torch.ones_like(w)), least, most)
    expected = water(dict(enumerate(w.tolist())), least, most)
    assert found.tolist() == pytest.approx(list(expected.values()), rel=1e-9)


def test_weights_within_the_bounds_stay_to_the_last_digits():
    w = torch.tensor([0.5, 1.5], dtype=torch.float64)
    torch.testing.assert_close(bounded(w, Signal(w), 0.25, 1.75), w, rtol=1e-12, atol=0)
    assert bounded(w, Signal(w), 0.0, 2.0) is w


def test_each_run_of_a_group_has_its_own_bounds():
    w = summing_to_tasks([0.1, 1.0, 5.0]).expand(2, -1)
    least, most = torch.tensor([[0.5], [0.0]]).double(), torch.tensor([[3.0], [1.2]]).double()
    found = bounded(w, Signal(torch.ones_like(w)), least, most)
    for i in range(2):
        alone = bounded(w[i], Signal(torch.ones_like(w[i])), float(least[i]), float(most[i]))
        torch.testing.assert_close(found[i], alone)


def test_an_absent_task_keeps_its_weight_and_a_bound_gives_way_to_the_sum():
    w = torch.tensor([0.1, 0.3, 2.6], dtype=torch.float64)
    losses = torch.tensor([1.0, 1.0, float("nan")])
    torch.testing.assert_close(bounded(w, Signal(losses), 0.15, 64.0), torch.tensor([0.15, 0.25, 2.6]).double())
    # Two tasks that share 0.4 cannot have 0.3 each.
    torch.testing.assert_close(bounded(w, Signal(losses), 0.3, 64.0), torch.tensor([0.2, 0.2, 2.6]).double())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"priorities": (1, 2, 3)}, "priorities should have one value for each of the 2 tasks. Found 3"),
        ({"priorities": (1, 0)}, r"priorities should be in \[1e-6, 1e6\]. Found 0"),
        ({"priorities": (1, -2)}, r"priorities should be in \[1e-6, 1e6\]. Found -2"),
        ({"priorities": (1, float("inf"))}, "priorities should be"),
        ({"priorities": "high"}, "priorities"),
        ({"least": 1.5}, r"least should be in \[0, 1\]"),
        ({"least": -0.1}, r"least should be in \[0, 1\]"),
        ({"most": 0.5}, r"most should be in \[1, 64\]"),
        ({"every": 0}, r"every should be a whole number in \[1, 10000\]"),
        ({"half_life": 0.0}, "half_life should be"),
        ({"heads": "none"}, "heads should be"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_is_out_of_range_is_refused_in_a_sentence(options, said):
    for make in (lambda: GradNorm(2, **options), lambda: RunSpec.parse({"dataset": "toy", "tasks": 2, **options})):
        with pytest.raises((ValueError, SpecError), match=said):
            make()


def test_a_balancer_that_refuses_a_change_is_as_it_was():
    balancer = Balancer(2, GradNormMethod(priorities=(1, 3)))
    with pytest.raises(ValueError, match="one value for each of the 2 tasks"):
        balancer.retune(priorities=(1, 2, 3))
    assert balancer.method.priorities == (1, 3)
