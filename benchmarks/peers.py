"""A step of GradNorm against other public implementations: the same network, the same batches, one thread.

All competitors take turns in one process, round after round, so that a machine whose speed swings swings for all.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from benchmarks.competitors import INSTALL, OURS, PEERS, Build, Step, packages, toy
from benchmarks.environment import environment
from benchmarks.rounds import fastest, one_thread, ratio
from gradnorm.config.spec import PRESETS
from gradnorm.datasets.base import Batch
from gradnorm.datasets.builtin.toy import sample_sigmas

ROUNDS = 15
# How long a competitor's turn is, and in how few steps.
TURN_SECONDS, TURN_STEPS = 0.1, 3
BATCHES = 20


def sizes() -> dict[str, tuple[float, ...]]:
    """Return the σ of each network that is measured."""
    presets = {name: tuple(PRESETS[name]["sigmas"]) for name in ("toy-2", "toy-10")}
    return {**presets, "toy-40": sample_sigmas(40, 10.0, 0)}


def run(rounds: int = ROUNDS, batches: int = BATCHES) -> dict[str, Any]:
    """Measure, and return {"benchmark", "environment", "packages", "missing", "results"}."""
    found = packages()
    builds = {**OURS, **{name: build for name, (package, build) in PEERS.items() if not package or found[package]}}
    with one_thread():
        results = {name: _measure(sigmas, builds, rounds, batches) for name, sigmas in sizes().items()}
    return {
        "benchmark": "peers",
        "environment": environment(),
        "packages": {package: known for package, known in found.items() if known},
        "missing": {package: INSTALL for package, known in found.items() if not known},
        "results": results,
    }


def _measure(sigmas: Sequence[float], builds: Mapping[str, Build], rounds: int, batches: int) -> dict[str, Any]:
    spec = toy(len(sigmas), sigmas)
    source = spec.dataset.load(spec.seed)
    prepared = [source.batch(t, spec.batch_size) for t in range(1, batches + 1)]
    steps = {name: build(spec) for name, build in builds.items()}
    turns = {name: _warmed(name, step, prepared) for name, step in steps.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order = list(steps)
    for i in range(rounds):
        # Whoever comes next finds the cache as another left it: the order goes round.
        for name in order[i % len(order) :] + order[: i % len(order)]:
            seconds[name].append(_turn(steps[name], prepared, turns[name]))
    return _compared(seconds)


def _warmed(name: str, step: Step, batches: Sequence[Batch]) -> int:
    """Take the first steps, which load what is loaded once; return how many steps make a turn."""
    for batch in batches[:3]:
        losses = [loss.item() if isinstance(loss, torch.Tensor) else loss for loss in step(batch)]
        if not all(map(math.isfinite, losses)):
            raise RuntimeError(f"The losses of {name!r} should be finite. Found {losses}. Lower the learning rate.")
    return max(TURN_STEPS, round(TURN_SECONDS / _turn(step, batches, 3)))


def _turn(step: Step, batches: Sequence[Batch], steps: int) -> float:
    """Return the seconds that a step takes, as the mean of some."""
    start = time.perf_counter()
    for i in range(steps):
        step(batches[i % len(batches)])
    return (time.perf_counter() - start) / steps


def _compared(seconds: Mapping[str, list[float]]) -> dict[str, Any]:
    """Return medians, and how often faster our engine is than the fastest of the others."""
    others = [name for name in seconds if name not in OURS]
    best = fastest(seconds, others)
    return {
        "fastest_peer": best,
        "ratio": round(ratio(seconds, best, "engine"), 2),
        "library_ratio": round(ratio(seconds, best, "library"), 2),
        "ratios": {name: round(ratio(seconds, name, "engine"), 2) for name in others},
        "milliseconds": {name: round(1000 * statistics.median(rounds), 3) for name, rounds in seconds.items()},
    }
