"""Records with numbers that tell step, vector and task apart, and helpers to wait and to start processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gradnorm.runs.records import Evaluation, Outcome, StepRecord

Value = TypeVar("Value")

ROOT = Path(__file__).parents[1]
SPEC: dict[str, Any] = {"dataset": "toy", "tasks": 2, "sigmas": [1.0, 100.0], "method": "gradnorm", "steps": 1000}
# Quick to train: steps of under a millisecond.
TINY: dict[str, Any] = {
    "dataset": "toy",
    "tasks": 2,
    "sigmas": (1.0, 2.0),
    "steps": 100,
    "eval_every": 50,
    "batch_size": 4,
    "width": 8,
    "depth": 1,
    "device": "cpu",
}


def step_record(step: int, tasks: int = 2, alpha: float | None = 0.5) -> StepRecord:
    """Return a record whose every number is a float32 and belongs to this step, vector and task alone."""

    def vector(kind: int) -> tuple[float, ...]:
        return tuple(float(np.float32(step + kind / 8 + i / 128)) for i in range(tasks))

    return StepRecord(
        step=step,
        losses=vector(1),
        weights=vector(2),
        loss_ratios=vector(3),
        relative_rates=vector(4),
        gradient_norms=vector(5),
        targets=vector(6),
        imbalance=float(np.float32(step / 4)),
        alpha=alpha,
    )


def step_records(first: int, last: int, tasks: int = 2) -> list[StepRecord]:
    """Return the records of steps first … last."""
    return [step_record(step, tasks) for step in range(first, last + 1)]


def evaluation(step: int, tasks: int = 2) -> Evaluation:
    """Return an evaluation whose numbers belong to this step."""
    values = tuple(step + i / 8 for i in range(tasks))
    return Evaluation(step, values, tuple(v / 2 for v in values), sum(values) / 2, tuple({"r2": v / 4} for v in values))


def rows_of(records: Sequence[StepRecord]) -> np.ndarray:
    """Return the records as the rows that a store should give back."""
    return np.array([record.row() for record in records], dtype=np.float32)


def finished(step: int) -> Outcome:
    """Return the outcome of a run that went well."""
    return Outcome("finished", step, "Done.")


def wait_for(ask: Callable[[], Value], timeout: float = 60.0) -> Value:
    """Return the first truthy answer; fail after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not (answer := ask()):
        assert time.monotonic() < end, f"nothing after {timeout} s; the last answer was {answer!r}"
        time.sleep(0.01)
    return answer


def start_python(home: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start `python …` with its own home; standard streams are pipes of text."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "GRADNORM_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=options.pop("stderr", subprocess.PIPE),
        text=True,
        **options,
    )


def trained_together(specs: Sequence[Any]) -> list[list[Any]]:
    """Return the records of each run; runs that can be are stepped as one program, which is much the quicker."""
    from gradnorm.training.together import train_together

    iterators = train_together(specs)
    records: list[list[Any]] = [[] for _ in specs]
    going = list(range(len(specs)))
    while going:
        for i in list(going):
            if (item := next(iterators[i], None)) is None:
                going.remove(i)
            else:
                records[i].append(item)
    return records


def going_on(store: Any, run: str, control: Any) -> Any:
    """Return the iterator of the records that one run of a store still lacks."""
    from gradnorm.lab.resume import records_of

    for _, item in records_of(store, [store.info(run)], {run: control}):
        if isinstance(item, Exception):
            raise item
        yield item
