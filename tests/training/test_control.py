"""Control as a state machine, and across threads."""

from __future__ import annotations

import time
from threading import Thread

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gradnorm.training.control import Control


class ControlMachine(RuleBasedStateMachine):
    """Control does what three variables and a dictionary would do."""

    def __init__(self):
        super().__init__()
        self.control = Control()
        self.paused = self.stopping = False
        self.allowed = 0
        self.changes = {}

    @rule()
    def pause(self):
        self.control.pause()
        self.paused = True

    @rule()
    def resume(self):
        self.control.resume()
        self.paused, self.allowed = False, 0

    @rule()
    def step(self):
        self.control.step()
        self.paused, self.allowed = True, self.allowed + 1

    @rule()
    def stop(self):
        self.control.stop()
        self.stopping = True

    @rule(alpha=st.floats(0, 5), rate=st.none() | st.floats(0.1, 1))
    def retune(self, alpha, rate):
        given = {"alpha": alpha} if rate is None else {"alpha": alpha, "weight_learning_rate": rate}
        self.control.retune(**given)
        self.changes.update(given)

    @rule()
    def take_changes(self):
        assert self.control.take_changes() == self.changes
        self.changes = {}

    @rule()
    def wait(self):
        free = self.stopping or not self.paused or self.allowed > 0
        assert self.control.wait(0) is free

    @rule()
    def use_single_step(self):
        assert self.control.use_single_step() is (self.allowed > 0)
        self.allowed = max(0, self.allowed - 1)

    @invariant()
    def what_it_says_is_what_was_asked(self):
        assert self.control.paused is self.paused
        assert self.control.stopping is self.stopping
        assert self.control.must_wait() is (self.paused and not self.stopping and not self.allowed)


TestControlMachine = ControlMachine.TestCase
TestControlMachine.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.mark.parametrize("wake", ["resume", "step", "stop"])
def test_whoever_waits_is_woken(wake):
    control = Control()
    control.pause()
    answers = []
    thread = Thread(target=lambda: answers.append(control.wait(60)))
    thread.start()
    time.sleep(0.05)
    assert answers == []
    getattr(control, wake)()
    thread.join(30)
    assert answers == [True]


def test_a_wait_times_out_while_held():
    control = Control()
    control.pause()
    assert control.wait(0.01) is False


def test_retuning_and_pausing_do_not_wake():
    control = Control()
    control.pause()
    control.retune(alpha=1.0)
    control.pause()
    assert control.wait(0) is False
    assert control.take_changes() == {"alpha": 1.0}


def test_single_steps_are_counted_across_threads():
    control = Control()
    askers = [Thread(target=lambda: [control.step() for _ in range(250)]) for _ in range(4)]
    for thread in askers:
        thread.start()
    for thread in askers:
        thread.join()
    taken = 0
    while control.wait(0):
        assert control.use_single_step()
        taken += 1
    assert taken == 1000
    assert control.paused


def test_no_change_is_lost_between_threads():
    control = Control()
    seen = []

    def take():
        while len(seen) < 500:
            seen.extend(control.take_changes())

    taker = Thread(target=take)
    taker.start()
    for i in range(500):
        control.retune(**{f"h{i}": i})
    taker.join(30)
    assert sorted(seen) == sorted(f"h{i}" for i in range(500))
