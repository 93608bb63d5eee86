"""What came of a run, in one JSON object."""

from __future__ import annotations

import time
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
        self._weights = [0.0] * len(spec.dataset.task_names)
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
            self._weights = [a + b for a, b in zip(self._weights, item.weights, strict=True)]

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
            "mean_weights": [w / self.steps for w in self._weights] if self.steps else None,
            "gradient_norms": last.gradient_norms if last else None,
            "targets": last.targets if last else None,
            "test": test.to_dict() if test else None,
        }
