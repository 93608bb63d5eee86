"""The search of `figure2`: small, the same for each method, and never ending at its edge by accident."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradnorm.config.spec import preset
from gradnorm.experiments.figure2 import FIRST_RATES, LEARNING_RATES, contestants, drawn_weights, next_rates


def search(losses):
    found = {}
    while wanted := next_rates(found):
        assert not set(wanted) & set(found)
        found |= {rate: losses[LEARNING_RATES.index(rate)] for rate in wanted}
    return found


def test_a_best_rate_inside_ends_the_search_at_once():
    assert search([abs(math.log(rate / 1e-3)) for rate in LEARNING_RATES]).keys() == set(FIRST_RATES)


def test_a_best_rate_at_the_edge_is_followed():
    found = search([abs(math.log(rate / 1e-5)) for rate in LEARNING_RATES])
    assert min(found, key=found.get) == 1e-5
    assert sorted(found) == [3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3]


@given(
    st.lists(st.one_of(st.floats(0, 10), st.just(math.inf)), min_size=len(LEARNING_RATES), max_size=len(LEARNING_RATES))
)
def test_the_best_of_a_search_has_neighbours(losses):
    found = search(losses)
    at = LEARNING_RATES.index(min(found, key=found.get))
    assert set(LEARNING_RATES[max(0, at - 1) : at + 2]) <= set(found)


def test_drawn_weights_sum_to_the_tasks_and_are_at_most_as_far_apart_as_the_losses():
    sigmas = (1.0, 10.0, 100.0)
    drawn = drawn_weights(sigmas, 20)
    assert list(drawn) == [f"fixed {i}" for i in range(1, 21)]
    for weights in drawn.values():
        assert sum(weights) == pytest.approx(3, rel=1e-5)
        assert 0 < max(weights) / min(weights) < 100**2
    assert drawn_weights(sigmas, 5) == dict([*drawn.items()][:5])


def test_contestants_are_what_their_names_say():
    base = preset("toy-2")
    specs = {c.name: c.spec(base, 1e-3, 1) for c in contestants(2, {"fixed 1": (0.5, 1.5)})}
    assert list(specs) == ["equal", "uncertainty", "fixed 1", "gradnorm-log", "gradnorm", "single 1", "single 2"]
    assert specs["gradnorm"].flat() == {**base.flat(), "learning_rate": 1e-3, "seed": 1}
    assert specs["gradnorm-log"].flat() == {**specs["gradnorm"].flat(), "update": "log", "heads": "weighted"}
    assert specs["fixed 1"].flat()["weights"] == [0.5, 1.5]
    assert {specs[name].flat()["heads"] for name in ("equal", "uncertainty", "fixed 1", "single 1")} == {"weighted"}
