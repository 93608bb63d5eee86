"""What came of a run, in one JSON object."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from gradnorm.common.texts import filled
from gradnorm.comparison.delta_m import DeltaM, gain
from gradnorm.comparison.loading import LOST
from gradnorm.config.spec import RunSpec
from gradnorm.datasets.forms.registry import error_metrics
from gradnorm.runs.records import Evaluation, Outcome, Record, StepRecord
from gradnorm.runs.troubles import Trouble

# A first loss of more times a constant answer's than this makes any network look good.
FLATTERS = 3


class Summary:
    """What `train --json` says of a run, gathered as it goes."""

    def __init__(self, spec: RunSpec, run: str) -> None:
        self.spec, self.run = spec, run
        self.outcome = Outcome("failed", 0, filled("Ended without an outcome."))
        self._evaluation: Evaluation | None = None
        self.steps = 0
        self._last: StepRecord | None = None
        # E_t[w_i(t)] over all of the run's records, for whoever holds them to fill in.
        self.mean_weights: list[float] | None = None
        # What `gradnorm.runs.troubles` finds in them, for the same to fill in.
        self.troubles: Sequence[Trouble] = ()
        self._started = self._first = time.perf_counter()
        self._seconds = 0.0

    def take(self, item: Record) -> None:
        """Note one record."""
        self._seconds = time.perf_counter() - self._first
        if isinstance(item, Outcome):
            self.outcome = item
        elif isinstance(item, Evaluation):
            self._evaluation = item
            if item.step == 0:
                self._first = time.perf_counter()
        elif isinstance(item, StepRecord):
            self._last, self.steps = item, item.step

    @property
    def evaluation(self) -> Evaluation | None:
        """The newest evaluation: what came of the run. None for a run that broke off, of which nothing came."""
        return None if self.outcome.kind in LOST else self._evaluation

    def result(self) -> dict[str, Any]:
        """Return the JSON object of `train`."""
        last, test = self._last, self.evaluation
        return {
            "run": self.run,
            "outcome": self.outcome.kind,
            "message": self.outcome.message,
            "spec": self.spec.flat(),
            "tasks": list(self.spec.dataset.task_names),
            "steps": self.steps,
            "seconds": self._seconds,
            "steps_per_second": self.steps / self._seconds if self._seconds > 0 else None,
            "weights": last.weights if last else None,
            "mean_weights": self.mean_weights,
            "gradient_norms": last.gradient_norms if last else None,
            "targets": last.targets if last else None,
            "test": test.to_dict() if test else None,
            "troubles": [trouble.sentence for trouble in self.troubles],
        }


def sentences(names: Sequence[str], test: Evaluation) -> list[str]:
    """Return what an evaluation says of each task beside a constant answer, and what flatters the sum of the ratios.

    names: of the T tasks.
    """
    lines: list[str] = []
    flattered: list[str] = []
    for i, name in enumerate(names):
        known = test.constant_metrics[i] if test.constant_metrics else {}
        scores = [
            f"{metric} {value:.4g}" + (f" (a constant answer: {known[metric]:.4g})" if metric in known else "")
            for metric, value in test.metrics[i].items()
        ]
        constant = test.constant_losses[i] if test.constant_losses else 0.0
        if constant > 0:
            scores.append(f"test loss {test.losses[i] / constant:.4g} × a constant answer's")
            first = test.losses[i] / test.loss_ratios[i] if test.loss_ratios[i] > 0 else 0.0
            if first > FLATTERS * constant:
                flattered.append(f"{name} (L(0) is {first / constant:.3g} × a constant answer's)")
        if not test.constant_losses:
            scores.append(f"test loss {test.loss_ratios[i]:.4g} × the first")
        lines.append(f"{name}: {', '.join(scores)}")
    if flattered:
        lines.append(
            f"L/L(0) flatters {', '.join(flattered)}: the first answers were far off, as for targets that are not "
            "centred. Compare with the constant answer instead."
        )
    return lines


def leaders(labels: Sequence[str], results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return who is best at what: the sum, each task's loss ratio and each task's metric, on the test set.

    labels: the contenders' names.  results: their `Summary.result`; those without a test are left out.
    """
    tests = {label: result["test"] for label, result in zip(labels, results, strict=True) if result["test"]}
    if not tests:
        return {}
    best_at = {"task_normalized_loss": min(tests, key=lambda label: tests[label]["task_normalized_loss"])}
    for i, task in enumerate(results[0]["tasks"]):
        best_at[f"loss_ratio.{task}"] = min(tests, key=lambda label: tests[label]["loss_ratios"][i])
        for metric in next(iter(tests.values()))["metrics"][i]:
            best = min if metric in error_metrics() else max
            best_at[f"{metric}.{task}"] = best(tests, key=lambda label: tests[label]["metrics"][i][metric])
    return best_at


def delta_m(results: Sequence[Mapping[str, Any]]) -> list[DeltaM]:
    """Return Δm for each contender: how much better its test metrics are than those of single-task runs, in per cent.

    The baseline is the run that was trained for that task alone with the same seed; see `gain`. There is no Δm of the
    single-task runs themselves, nor in a race without any. Where a run is missing, a sentence takes its place.
    results: their `Summary.result`.
    """
    alone = {
        (result["spec"]["seed"], result["spec"]["task"] - 1): result["test"]
        for result in results
        if result["spec"]["method"] == "single" and result["test"]
    }
    if not alone:
        return [DeltaM() for _ in results]
    return [DeltaM() if result["spec"]["method"] == "single" else _delta_m(result, alone) for result in results]


def _delta_m(result: Mapping[str, Any], alone: Mapping[tuple[int, int], Mapping[str, Any]]) -> DeltaM:
    tasks, seed = result["tasks"], result["spec"]["seed"]
    if not result["test"]:
        return DeltaM(why="Δm needs a test at the end of the run. Found none.")
    for i, task in enumerate(tasks):
        if (seed, i) not in alone:
            return DeltaM(why=f"Δm needs a run of each task alone with seed {seed}. Found none of {task}.")
    return gain(tasks, result["test"]["metrics"], [alone[seed, i]["metrics"][i] for i in range(len(tasks))])
