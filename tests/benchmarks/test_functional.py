"""The two steps that are compared are the same step."""

import pytest

from benchmarks import functional, rounds


@pytest.mark.parametrize("tasks", [2, 10])
def test_both_steps_leave_the_same_losses(tasks):
    written_out, by_functions = functional.written_out(tasks, runs=3), functional.by_functions(tasks, runs=3)
    for _ in range(10):
        expected, losses = written_out(), by_functions()
        for own, other in zip(losses, expected, strict=True):
            assert own == pytest.approx(other, rel=1e-5)


def test_the_figures_are_named_by_toy_and_number_of_runs(monkeypatch):
    monkeypatch.setattr(rounds, "BLOCK_SECONDS", 0.002)
    monkeypatch.setattr(functional, "RUNS", (1, 2))
    result = functional.run(rounds=1)
    assert list(result["results"]) == ["toy-2, 1 run", "toy-2, 2 runs", "toy-10, 1 run", "toy-10, 2 runs"]
    assert result["benchmark"] == "functional"
