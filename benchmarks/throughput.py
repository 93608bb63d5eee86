"""Steps a second of a whole run on one thread, against the rate of its matrix products alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch

from benchmarks.environment import environment
from benchmarks.rounds import medians, one_thread, ratio, timed
from gradnorm.config.spec import RunSpec, preset
from gradnorm.runs.records import StepRecord
from gradnorm.training.engine import train


def run(rounds: int = 15) -> dict[str, Any]:
    """Return the share of the products' rate that a run of `toy-2` reaches, and with one core for all it does."""
    spec = preset("toy-2", {"device": "cpu", "steps": 10_000_000, "threads": 1})
    with one_thread():
        results, details = _measured(spec, rounds)
        with _one_core():
            pinned, _ = _measured(spec, rounds)
    results["share_on_one_core"] = pinned["share"]
    results["steps_per_second_on_one_core"] = pinned["steps_per_second"]
    return {"benchmark": "throughput", "environment": environment(), "results": results, "details": details}


def _measured(spec: RunSpec, rounds: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Return steps a second and their share of the products' rate, of a run with its evaluations and checkpoints."""
    records = train(spec)
    products, operations = step_products(spec)
    with_targets, _ = step_products(spec, targets=True)
    things = {"step": lambda: _next_step(records), "products": products, "products, the targets' too": with_targets}
    times = timed(things, rounds)
    records.close()  # pyright: ignore[reportAttributeAccessIssue]
    milliseconds = medians(times)
    results = {
        "share": round(ratio(times, "products", "step"), 3),
        "share_with_the_targets_product": round(ratio(times, "products, the targets' too", "step"), 3),
        "steps_per_second": round(1e3 / milliseconds["step"]),
        "products_per_second": round(1e3 / milliseconds["products"]),
    }
    rate = operations / milliseconds["products"] / 1e6
    return results, {"milliseconds": milliseconds, "operations": operations, "GFLOP/s of the products": round(rate, 1)}


def _next_step(records: Iterator[Any]) -> None:
    """Take records until a step is done."""
    while not isinstance(next(records), StepRecord):
        pass


def step_products(spec: RunSpec, *, targets: bool = False) -> tuple[Callable[[], None], int]:
    """Return what does a toy step's matrix products and nothing else, and their operations (2 a multiplication).

    Forward, backward, each task's own gradient at W.
    targets: the product that makes the batch's targets, too.
    """
    batch, width, tasks = spec.batch_size, spec.width, len(spec.dataset.task_names)
    outputs, inputs = 100, 250
    sizes = [inputs, *[width] * spec.depth]
    # (rows, inner, columns) of each product.
    shapes = [(batch, a, b) for a, b in pairwise(sizes)]
    shapes += [(b, batch, a) for a, b in pairwise(sizes[:-1])]
    shapes += [(batch, width, width) for _ in range(spec.depth - 1)]
    shapes += [(batch, width, tasks * outputs), (tasks * outputs, batch, width)]
    shapes += [(batch, outputs, width), (width, batch, width)] * tasks
    shapes += [(batch, inputs, tasks * outputs)] * targets
    each = [(torch.randn(m, k), torch.randn(k, n), torch.empty(m, n)) for m, k, n in shapes]

    def products() -> None:
        for a, b, c in each:
            torch.mm(a, b, out=c)

    return products, sum(2 * m * k * n for m, k, n in shapes)


@contextmanager
def _one_core() -> Generator[None]:
    """Keep this thread, and those that it starts, on one core."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
