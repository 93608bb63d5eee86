"""The search of `figure2`: small, the same for each method, and never ending at its edge by accident."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gradnorm.experiments.figure2 import FIRST_RATES, LEARNING_RATES, next_rates


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
