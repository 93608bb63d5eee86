"""What runs are compared by: the numbers of an evaluation, each with a name and a direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradnorm.common.texts import later
from gradnorm.datasets.forms.registry import error_metrics, forms
from gradnorm.runs.records import Evaluation

TOTAL = "test_task_normalized_loss"
_WORDS = {
    TOTAL: later("task-normalised test loss"),
    "test_losses": later("test loss"),
    "test_loss_ratios": later("test loss ratio"),
    "gradient_norms": later("gradient norm"),
    "loss_ratios": later("loss ratio"),
    "losses": later("loss"),
    "relative_rates": later("relative rate"),
    "targets": later("target norm"),
    "weights": later("weight"),
}


@dataclass(frozen=True)
class Measure:
    """A number that runs have at many steps, named as in the exported tables.

    quantity: "test_metric", "test_losses" and so on, or a recorded quantity such as "weights".
    task, metric: what it is of; "" where it is of all tasks, or no metric.
    """

    quantity: str
    task: str = ""
    metric: str = ""

    @property
    def key(self) -> str:
        """Its column in an exported table: "test_metric.price.r2"."""
        return ".".join(part for part in (self.quantity, self.task, self.metric) if part)

    @property
    def title(self) -> str:
        """Its name for people: "price: r2", "weight of price"."""
        if self.metric:
            return f"{self.task}: {self.metric}"
        words = _WORDS.get(self.quantity, self.quantity.replace("_", " "))
        return f"{words} of {self.task}" if self.task else words

    @property
    def tested(self) -> bool:
        """Whether it is of the test set, and not recorded at every training step."""
        return self.quantity.startswith("test_")

    @property
    def less_is_better(self) -> bool | None:
        """Whether less of it is better; None where nobody knows, as of a script's own metric or a weight."""
        return less_is_better(self.metric) if self.metric else (True if self.tested else None)


def less_is_better(metric: str) -> bool | None:
    """Return whether less of a test metric is better; None for one that no form of target declares."""
    if metric in error_metrics():
        return True
    return False if any(metric in form.metrics for form in forms().values()) else None


def tested(tasks: Sequence[str], evaluation: Evaluation) -> dict[Measure, float]:
    """Return all numbers of an evaluation. tasks: the names of its T tasks."""
    found = {Measure(TOTAL): evaluation.task_normalized_loss}
    for i, task in enumerate(tasks):
        found |= {Measure("test_metric", task, name): value for name, value in evaluation.metrics[i].items()}
    for i, task in enumerate(tasks):
        found[Measure("test_losses", task)] = evaluation.losses[i]
        found[Measure("test_loss_ratios", task)] = evaluation.loss_ratios[i]
    return found


def metrics_of(values: Mapping[Measure, float], task: str) -> dict[str, float]:
    """Return a task's test metrics among measured values, by name."""
    return {m.metric: value for m, value in values.items() if m.metric and m.task == task}
