"""Batches made ahead are the batches asked for, each made once."""

import threading

import pytest

from gradnorm.training.ahead import BLOCK, Ahead


def test_each_step_gets_its_own_made_once_and_mostly_by_the_other_thread():
    made = []

    def make(step):
        made.append((step, threading.current_thread() is threading.main_thread()))
        return step * 10

    last = 3 * BLOCK + 2
    ahead = Ahead(make, last)
    assert [ahead.take(step) for step in range(1, last + 1)] == [10 * step for step in range(1, last + 1)]
    assert [ahead.take(last)] == [10 * last]
    ahead.close()
    assert sorted(step for step, _ in made) == list(range(1, last + 1))
    assert [step for step, here in made if here] == [1]


def test_a_start_in_the_middle_and_a_jump():
    ahead = Ahead(lambda step: step, 100)
    assert [ahead.take(step) for step in (40, 41, 42, 7, 8, 99, 100)] == [40, 41, 42, 7, 8, 99, 100]
    ahead.close()


def test_what_the_maker_raises_comes_out_where_it_is_due():
    def make(step):
        if step == 3:
            raise OSError("disk gone")
        return step

    ahead = Ahead(make, 5)
    assert ahead.take(1) == 1
    with pytest.raises(OSError, match="disk gone"):
        ahead.take(2)
    ahead.close()
