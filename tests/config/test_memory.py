"""What a run takes of the memory, estimated before it is taken in."""

from __future__ import annotations

import pytest

from gradnorm.config import memory
from gradnorm.config.spec import RunSpec, SpecError, preset


def spec(**changes):
    return RunSpec.parse({"dataset": "toy", "tasks": 2, **changes})


def test_the_estimate_of_a_large_network_by_hand():
    large = spec(width=4096, depth=32, optimizer="adam", batch_size=100)
    parameters = 32 * 4096**2
    activations = 100 * 4096 * (2 * 32 + 2)
    assert memory.needed(large) == 4 * (parameters * 6 + activations)
    assert memory.needed(large, example=1000) - memory.needed(large) == 3 * 100 * 1000


def test_networks_for_pictures_are_counted_by_their_batches():
    rooms = preset("rooms", {"batch_size": 8})
    assert memory.needed(rooms) == 0
    assert memory.needed(rooms, example=10_000) == 3 * 8 * 10_000


def test_what_is_free_is_of_this_machine_and_its_container():
    assert 100e6 < memory.free() < 1e14


def test_a_limit_for_the_process_counts_what_it_holds(monkeypatch):
    there = memory.free()
    monkeypatch.setenv("GRADNORM_MEMORY", "1.5")
    assert 0 < memory.free() < min(1.5e9, there)
    monkeypatch.setenv("GRADNORM_MEMORY", "0.001")
    assert memory.free() == 0
    with pytest.raises(SpecError, match=r"and 0\.0 GB free"):
        memory.check([spec()])


@pytest.mark.parametrize("text", ["much", "-1", "0", "inf", "nan"])
def test_a_limit_that_is_none_is_told(monkeypatch, text):
    monkeypatch.setenv("GRADNORM_MEMORY", text)
    with pytest.raises(SpecError, match=f"GRADNORM_MEMORY should be gigabytes, above 0. Found '{text}'"):
        memory.check([spec()])


def test_a_network_that_does_not_fit_is_refused_with_the_numbers(monkeypatch):
    large = spec(width=4096, depth=32)
    monkeypatch.setattr(memory, "free", lambda: 8_000_000_000)
    with pytest.raises(SpecError, match=r"at least 10\.8 GB needed, and 8\.0 GB free. Choose a smaller width"):
        memory.check([large])
    memory.check([spec()] * 32)


def test_the_runs_of_a_race_are_counted_together(monkeypatch):
    middle = spec(width=2048, depth=8)
    monkeypatch.setattr(memory, "free", lambda: 2_000_000_000)
    memory.check([middle])
    with pytest.raises(SpecError, match="for 8 runs"):
        memory.check([middle] * 8)
