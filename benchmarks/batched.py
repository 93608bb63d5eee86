"""N contenders of `toy-2` as one program on all cores, against the same one after another on one thread."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.environment import environment
from benchmarks.rounds import medians, ratio, timed
from gradnorm.config.spec import RunSpec, preset
from gradnorm.training.batched.threads import ThreadedGroup
from gradnorm.training.run import Run

SEEDS = 4


def run(contenders: int = 32, rounds: int = 9) -> dict[str, Any]:
    """Return how many times faster one program is, for α from 0 to 3 and four seeds; all make their own data."""
    specs = [
        preset("toy-2", {"device": "cpu", "steps": 1_000_000, "alpha": 3 * i / contenders, "seed": i % SEEDS})
        for i in range(contenders)
    ]
    together, alone = _teams(specs), _teams(specs[:1])

    def one_after_another() -> None:
        for _ in range(contenders):
            alone.step()

    times = timed({"one after another": one_after_another, "one program": together.step}, rounds)
    together.close()
    alone.close()
    results = {
        "contenders": contenders,
        "cores": os.cpu_count(),
        "ratio": round(ratio(times, "one after another", "one program"), 2),
    }
    details = {"milliseconds a step of all": medians(times)}
    return {"benchmark": "batched", "environment": environment(), "results": results, "details": details}


def _teams(specs: list[RunSpec]) -> ThreadedGroup:
    sources = {spec.seed: spec.dataset.load(spec.seed) for spec in specs}
    return ThreadedGroup([Run.build(spec, sources[spec.seed]) for spec in specs])
