"""What came of a run, in one JSON object."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from gradnorm.records import Evaluation, Outcome, Record, StepRecord
from gradnorm.spec import RunSpec


class Summary:
    """What `train --json` says of a run, gathered as it goes."""

    def __init__(self, spec: RunSpec, run: str) -> None:
        self.spec, self.run = spec, run
        self.outcome = Outcome("failed", 0, "Ended without an outcome.")
        self.evaluation: Evaluation | None = None
        self.steps = 0
        self._last: StepRecord | None = None
        # E_t[w_i(t)] over all of the run's records, for whoever holds them to fill in.
        self.mean_weights: list[float] | None = None
        self._started = self._first = time.perf_counter()
        self._seconds = 0.0

    def take(self, item: Record) -> None:
        """Note one record."""
        self._seconds = time.perf_counter() - self._first
        if isinstance(item, Outcome):
            self.outcome = item
        elif isinstance(item, Evaluation):
            self.evaluation = item
            if item.step == 0:
                self._first = time.perf_counter()
        elif isinstance(item, StepRecord):
            self._last, self.steps = item, item.step

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
        }


def leaders(labels: Sequence[str], results: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return who is best at what: the sum, each task's loss ratio and each task's metric, on the test set.

    labels: the contenders' names.  results: their `Summary.result`; those without an evaluation are left out.
    """
    tests = {label: result["test"] for label, result in zip(labels, results, strict=True) if result["test"]}
    if not tests:
        return {}
    found = {"task_normalized_loss": min(tests, key=lambda label: tests[label]["task_normalized_loss"])}
    for i, task in enumerate(results[0]["tasks"]):
        found[f"loss_ratio.{task}"] = min(tests, key=lambda label: tests[label]["loss_ratios"][i])
        for metric in next(iter(tests.values()))["metrics"][i]:
            found[f"{metric}.{task}"] = max(tests, key=lambda label: tests[label]["metrics"][i][metric])
    return found
