"""Batches made ahead are the batches asked for, each made once, in blocks that do not hang on where a run begins."""

import threading

import pytest

from gradnorm.training.prefetcher import MOST_BYTES, Prefetcher, block_of
from gradnorm.training.prefetcher import MOST_STEPS as BLOCK


def made_by(log):
    def make(first, count):
        log.append((first, count, threading.current_thread() is threading.main_thread()))
        return [10 * step for step in range(first, first + count)]

    return make


def test_each_step_gets_its_own_made_once_and_mostly_by_the_other_thread():
    log = []
    ahead = Prefetcher(made_by(log), 3 * BLOCK + 2)
    assert [ahead.take(step) for step in range(1, 3 * BLOCK + 3)] == [10 * step for step in range(1, 3 * BLOCK + 3)]
    ahead.close()
    assert log == [(1 + BLOCK * i, BLOCK, i == 0) for i in range(4)]


def test_a_start_in_the_middle_takes_the_same_blocks():
    log = []
    ahead = Prefetcher(made_by(log), 5 * BLOCK)
    assert ahead.take(2 * BLOCK + 3) == 10 * (2 * BLOCK + 3)
    assert ahead.take(2) == 20
    assert ahead.take(BLOCK + 1) == 10 * (BLOCK + 1)
    ahead.close()
    assert {first % BLOCK for first, _, _ in log} == {1}


def test_what_the_maker_raises_comes_out_where_it_is_due():
    def make(first, count):
        if first > BLOCK:
            raise OSError("disk gone")
        return list(range(first, first + count))

    ahead = Prefetcher(make, 3 * BLOCK)
    assert [ahead.take(step) for step in range(1, BLOCK + 1)] == list(range(1, BLOCK + 1))
    with pytest.raises(OSError, match="disk gone"):
        ahead.take(BLOCK + 1)
    ahead.close()


def test_large_batches_are_made_one_at_a_time():
    assert [block_of(size) for size in (1, MOST_BYTES // 8, MOST_BYTES // 3, 2 * MOST_BYTES)] == [8, 8, 3, 1]
