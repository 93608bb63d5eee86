"""Many runs of small networks, trained a few at a time as one program, in several processes."""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain, zip_longest

from gradnorm.config.spec import RunSpec
from gradnorm.methods.single import SingleTask
from gradnorm.runs.records import Evaluation, Outcome, Record, StepRecord

# Of the weights' curve: one point in so many steps.
THINNING = 20
# Runs to a program. More gain little, and the rounding of a run must not depend on the number of processes.
TOGETHER = 8

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trial:
    """One run: its test loss at each evaluation, and w(t) every THINNING steps; loss is infinite if it diverged.

    losses: task-normalised; of a single task trained alone, its own Lᵢ(t)/Lᵢ(0).
    """

    method: str
    learning_rate: float
    seed: int
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    weight_steps: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    mean_weights: tuple[float, ...]

    @property
    def final(self) -> float:
        """The test loss after the last step; infinite if the run diverged."""
        return self.losses[-1]

    @property
    def mean(self) -> float:
        """The test loss averaged over the run, without step 0."""
        return statistics.fmean(self.losses[1:])


class Trainer:
    """Trains lists of runs, and tells how many of those that are expected are done.

    jobs: processes at a time, ≥ 1.  progress: told how many runs of how many are done.
    """

    def __init__(self, jobs: int, progress: Progress) -> None:
        # Threads of torch do not survive a fork.
        self._pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _one_core)
        self._progress, self._done, self._expected = progress, 0, 0

    def expect(self, runs: int) -> None:
        """Count so many runs more to what is to be done."""
        self._expected += runs

    def train(self, named: Sequence[tuple[str, RunSpec]]) -> list[Trial]:
        """Return the trials of runs in their order, each under the name that is given with its spec."""
        plain = [(name, spec.to_json()) for name, spec in named]
        futures: list[Future[list[Trial]]] = [
            self._pool.submit(_trials, plain[first : first + TOGETHER]) for first in range(0, len(plain), TOGETHER)
        ]
        for future in as_completed(futures):
            self._done += len(future.result())
            self._expected = max(self._expected, self._done)
            self._progress(self._done, self._expected)
        return list(chain.from_iterable(future.result() for future in futures))

    def close(self) -> None:
        """End the processes; what has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)


def _one_core() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def _trials(named: Sequence[tuple[str, str]]) -> list[Trial]:
    """Train some runs together in this process."""
    from gradnorm.training.together import train_together

    specs = [RunSpec.from_json(text) for _, text in named]
    kept = [_Kept() for _ in specs]
    for records in zip_longest(*train_together(specs)):
        for own, record in zip(kept, records, strict=True):
            own.take(record)
    return [own.trial(name, spec) for (name, _), spec, own in zip(named, specs, kept, strict=True)]


class _Kept:
    """What a trial needs of a run's records."""

    def __init__(self) -> None:
        self._evaluations: list[Evaluation] = []
        self._weights: list[tuple[float, ...]] = []
        self._outcome = ""

    def take(self, record: Record | None) -> None:
        if isinstance(record, StepRecord):
            self._weights.append(record.weights)
        elif isinstance(record, Evaluation):
            self._evaluations.append(record)
        elif isinstance(record, Outcome):
            self._outcome = record.kind

    def trial(self, name: str, spec: RunSpec) -> Trial:
        steps = [e.step for e in self._evaluations]
        losses = [_loss(e, spec) for e in self._evaluations]
        if self._outcome != "finished" or not math.isfinite(losses[-1]):
            steps.append(spec.steps)
            losses.append(math.inf)
        mean = [statistics.fmean(w) for w in zip(*self._weights, strict=True)]
        return Trial(
            method=name,
            learning_rate=spec.learning_rate,
            seed=spec.seed,
            steps=tuple(steps),
            losses=tuple(losses),
            weight_steps=tuple(range(1, len(self._weights) + 1, THINNING)),
            weights=tuple(self._weights[::THINNING]),
            mean_weights=tuple(mean),
        )


def _loss(evaluation: Evaluation, spec: RunSpec) -> float:
    if isinstance(spec.method, SingleTask):
        return evaluation.loss_ratios[spec.method.task - 1]
    return evaluation.task_normalized_loss
