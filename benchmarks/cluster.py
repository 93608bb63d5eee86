"""How many records a second one server takes in from the workers of a cluster, through real files into a real store."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.environment import environment
from gradnorm.config.spec import preset
from gradnorm.lab.cluster.worker import SEAL_SECONDS
from gradnorm.runs.records import width
from gradnorm.runs.segments import Piece, Segment
from gradnorm.runs.store import RunStore

TASKS, TEAM, LEASES = 2, 32, 8
# What each team seals in half a second, at a hundred steps a second, and for how long.
STEPS, SEGMENTS = 50, 60


def run() -> dict[str, Any]:
    """Return how many segments and records are taken in a second, and how many runs at once that carries."""
    with tempfile.TemporaryDirectory() as folder:
        store = RunStore(Path(folder) / "home")
        spec = preset("toy-2")
        leases: list[list[Path]] = []
        for index in range(LEASES):
            runs = store.create_race([(spec.title, spec.flat())] * TEAM, spec.dataset.task_names, queued=False)
            leases.append(list(_sealed(Path(folder), f"lease {index}", store.leases.begin(f"lease {index}"), runs)))
        started = time.perf_counter()
        with ThreadPoolExecutor(LEASES) as server:  # a thread a lease, as the Lab has
            list(server.map(partial(_take, store), leases))
        seconds = time.perf_counter() - started
        steps = sum(info.steps for info in store.runs())
        store.close()
    assert steps == LEASES * SEGMENTS * TEAM * STEPS
    segments = LEASES * SEGMENTS / seconds
    results = {
        "segments_per_second": round(segments, 1),
        "records_per_second": round(steps / seconds),
        "runs_at_once": round(segments * SEAL_SECONDS * TEAM),
    }
    details = {"leases": LEASES, "runs of a lease": TEAM, "steps of a run in a segment": STEPS, "tasks": TASKS}
    return {"benchmark": "cluster", "environment": environment(), "results": results, "details": details}


def _take(store: RunStore, paths: list[Path]) -> None:
    for path in paths:
        store.leases.take(Segment.read(path))


def _sealed(folder: Path, lease: str, attempt: int, runs: list[str]) -> Iterator[Path]:
    """Write the segments of a lease, and yield where each is."""
    chance = np.random.default_rng(1)
    for number in range(1, SEGMENTS + 1):
        first = (number - 1) * STEPS + 1
        rows = chance.random((STEPS, width(TASKS)), np.float32)
        rows[:, 0] = range(first, first + STEPS)
        pieces = [Piece(run, first, rows.astype("<f4").tobytes(), steps=STEPS, seconds=SEAL_SECONDS) for run in runs]
        path = folder / f"{lease} {number:06d}"
        Segment(lease, attempt, number, pieces).write(path)
        yield path
