"""Runs whose test metrics are written out, in a real store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gradnorm.comparison.loading import ComparedRun, load
from gradnorm.runs.records import Evaluation, Event, Outcome, StepRecord
from gradnorm.runs.store import RunStore

TASKS = ("depth", "classes")
SPEC: dict[str, Any] = {"dataset": "toy", "method": "gradnorm", "alpha": 0.5, "seed": 0, "batch_size": 10}


def evaluated(step: int, rmse: float, miou: float, total: float) -> Evaluation:
    """Return an evaluation of which the metrics and the sum of loss ratios are given."""
    return Evaluation(step, (rmse, 1 - miou), (total / 2, total / 2), total, ({"rmse": rmse}, {"miou": miou}))


def trained(step: int, weight: float) -> StepRecord:
    """Return a record of a step with weights w, 2 − w."""
    two = (1.0, 1.0)
    return StepRecord(step=step, losses=two, weights=(weight, 2 - weight), loss_ratios=two, relative_rates=two)


def make(
    store: RunStore,
    rmse: Sequence[float],
    miou: Sequence[float] = (),
    *,
    kind: str = "finished",
    changes: Sequence[Event] = (),
    tasks: Sequence[str] = TASKS,
    apart: int = 10,
    seconds: float = 5.0,
    title: str = "made",
    **spec: Any,
) -> str:
    """Put a run into the store, tested at step 0 and after each `apart` steps, and return its id.

    rmse, miou: of the two tasks at each test.  kind: of the run's outcome.  spec: what differs from `SPEC`.
    """
    own = {**SPEC, **spec}
    if own["method"] != "gradnorm":
        del own["alpha"]
    run = store.create(title, own, tasks, queued=False)
    pairs = zip(rmse, miou or [0.5] * len(rmse), strict=True)
    tests = [evaluated(i * apart, error, hits, error) for i, (error, hits) in enumerate(pairs)]
    last = max(1, (len(rmse) - 1) * apart)
    store.append(run, [trained(t, t / last) for t in range(1, last + 1)], tests, seconds, changes)
    store.end(run, Outcome(kind, last, "Done."))
    return run


def loaded(store: RunStore, *runs: str) -> tuple[ComparedRun, ...]:
    """Return runs as they are compared, of which nothing may be wrong."""
    found = load(store, runs)
    assert not found.faults
    return found.runs
