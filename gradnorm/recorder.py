"""From an engine's iterator to the store, in blocks small enough to be watched live."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator

from gradnorm.records import Evaluation, Outcome, Record, StepRecord
from gradnorm.store import RunStore
from gradnorm.training.control import Control

# A block is written when it is this old or this long: old enough to cost the worker little, young enough
# that a viewer sees a step within a few frames.
BLOCK_SECONDS = 0.045
BLOCK_STEPS = 64
BEAT_SECONDS = 10.0


def record(store: RunStore, run: str, records: Iterator[Record], control: Control) -> Generator[Record]:
    """Write each record of a run and hand it on; pause where `control` says so.

    The outcome is written when it comes. If the consumer stops pulling, or `records` raises, what came
    until then is written first.
    """
    steps: list[StepRecord] = []
    evaluations: list[Evaluation] = []
    since = time.monotonic()

    def flush() -> None:
        nonlocal since
        now = time.monotonic()
        if steps or evaluations:
            store.append(run, steps, evaluations, now - since)
            steps.clear()
            evaluations.clear()
        since = now

    try:
        while True:
            if control.must_wait():
                flush()
                _hold(store, run, control)
                since = time.monotonic()
            single = control.use_single_step()
            item = next(records, None)
            if item is None:
                return
            if single and not isinstance(item, StepRecord):
                control.give_back_step()  # a single step is one training step, whatever comes before it
            if isinstance(item, StepRecord):
                steps.append(item)
            elif isinstance(item, Evaluation):
                evaluations.append(item)
            else:
                flush()
                store.end(run, item)
            if len(steps) >= BLOCK_STEPS or time.monotonic() - since >= BLOCK_SECONDS:
                flush()
            yield item
    finally:
        flush()


def _hold(store: RunStore, run: str, control: Control) -> None:
    """Wait out a pause; the catalogue says "paused" meanwhile."""
    store.set_paused(run, True)
    try:
        while not control.wait(BEAT_SECONDS):
            store.beat([run])
    finally:
        if not control.paused or control.stopping:
            store.set_paused(run, False)


def failed(step: int, error: BaseException) -> Outcome:
    """Return the outcome of a run that an unexpected error ended."""
    return Outcome("failed", step, f"{type(error).__name__}: {error}")
