"""Spread and the sign-flip test against values by hand, against all sign choices written out, and against scipy."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import permutation_test

from gradnorm.comparison.statistics import MOST_PAIRS, paired, sign_flip, spread

numbers = st.floats(-1e6, 1e6).map(lambda x: round(x, 3))


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1.0], 1.0),  # both signs are as far from 0
        ([1.0, 1.0], 0.5),  # ++ and −−, of four
        ([1.0, 2.0, 3.0], 0.25),
        ([1.0, -1.0], 1.0),
        ([0.0, 0.0, 0.0], 1.0),
        ([5.0, -1.0, 2.0], 0.5),  # sums of at least 6: 8, 6 and their negatives, of eight
        ([0.1] * 5, 0.0625),
        ([-0.1] * 5, 0.0625),
    ],
)
def test_sign_flips_by_hand(differences, p):
    assert sign_flip(differences) == p


@given(st.lists(numbers, min_size=1, max_size=9))
def test_sign_flips_are_counted_as_if_all_were_written_out(differences):
    found = abs(sum(differences)) - 1e-9 * sum(map(abs, differences))
    signs = np.array(list(product((-1, 1), repeat=len(differences))))
    sums = (signs * np.abs(differences)).sum(axis=1)
    assert sign_flip(differences) == (abs(sums) >= found).mean()


@given(st.lists(numbers, min_size=1, max_size=12), st.floats(0.001, 1000))
def test_p_is_a_share_that_neither_sides_nor_units_change(differences, unit):
    p = sign_flip(differences)
    assert min(1, 2 / 2 ** len(differences)) <= p <= 1
    assert sign_flip([-each for each in differences]) == p
    assert sign_flip([unit * each for each in differences]) == pytest.approx(p)
    assert sign_flip(differences[::-1]) == p


def test_sign_flips_agree_with_scipy():
    differences = np.random.default_rng(3).normal(0.4, 1, 11)
    theirs = permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(list(differences)) == pytest.approx(theirs.pvalue)


def test_as_many_pairs_as_runs_can_make_are_counted_exactly():
    assert sign_flip([1.0] * 32) == 2 / 2**32
    assert sign_flip([1.0] * MOST_PAIRS) == 2 / 2**MOST_PAIRS
    for count in (0, MOST_PAIRS + 1):
        with pytest.raises(ValueError, match=f"1 to {MOST_PAIRS} differences. Found {count}"):
            sign_flip([1.0] * count)


def test_spread_by_hand():
    found = spread([1.0, 2.0, 6.0])
    assert (found.mean, found.low, found.high, found.n) == (3.0, 1.0, 6.0, 3)
    assert found.sd == pytest.approx(7**0.5)  # (4 + 1 + 9)/2
    assert spread([2.0]).sd is None
    assert spread([]) is None
    assert spread([1.0, float("nan")]) is None


def test_pairs_are_of_seeds_that_both_have():
    found = paired({0: 3.0, 1: 5.0, 7: 100.0}, {1: 4.0, 0: 1.0, 2: -9.0})
    assert (found.difference, found.pairs, found.p) == (1.5, 2, 0.5)
    assert paired({0: 1.0}, {1: 1.0}) is None
