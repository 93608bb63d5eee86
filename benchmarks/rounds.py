"""Things to be compared, timed in turn in one process, so that the machine's moods meet them all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

import torch

# Of one thing in one round: long against a clock's grain and a scheduler's slice, short against a change of mood.
BLOCK_SECONDS = 0.25


def timed(things: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return, for each thing by name, the seconds that a call took in each round, on average over a block of calls.

    rounds: ≥ 1. Each thing is called for a while before the first.
    """
    calls = {name: _calls(thing) for name, thing in things.items()}
    found: dict[str, list[float]] = {name: [] for name in things}
    for _ in range(rounds):
        for name, thing in things.items():
            found[name].append(_block(thing, calls[name]) / calls[name])
    return found


@contextmanager
def one_thread() -> Generator[None]:
    """Let torch use one thread for the time being."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def ratio(times: Mapping[str, list[float]], over: str, under: str) -> float:
    """Return the median over the rounds of one thing's time over another's."""
    return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))


def medians(times: Mapping[str, list[float]]) -> dict[str, float]:
    """Return each thing's median in milliseconds, three digits."""
    return {name: float(f"{1e3 * statistics.median(found):.3g}") for name, found in times.items()}


def fastest(times: Mapping[str, list[float]], among: list[str]) -> str:
    """Return the name whose median is least."""
    return min(among, key=lambda name: statistics.median(times[name]))


def _calls(thing: Callable[[], object]) -> int:
    """Return how many calls fill a block, after as many to warm up."""
    _block(thing, 3)
    seconds = _block(thing, 5) / 5
    calls = max(1, round(BLOCK_SECONDS / seconds))
    _block(thing, calls)
    return calls


def _block(thing: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        thing()
    return time.perf_counter() - started
