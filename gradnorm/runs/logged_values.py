"""What a training loop may hand to a `Recorder`, read as plain numbers and made into records.

Each fault is told with what to do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from gradnorm.runs.records import Evaluation, Snapshot, StepRecord

if TYPE_CHECKING:
    from gradnorm.methods.base import Balance


def titles(title: object, tasks: object) -> tuple[str, ...]:
    """Return the tasks' names. Raises ValueError for a title or names that are none, or the same name twice."""
    if not isinstance(title, str) or not title.strip():
        raise ValueError(f"title should be a text. Found {title!r}. Pass what the run is to be called.")
    names = () if isinstance(tasks, str) or not isinstance(tasks, Sequence) else tuple(cast("Sequence[object]", tasks))
    good = [name for name in names if isinstance(name, str) and name.strip()]
    if not good or len(good) < len(names) or len(set(good)) < len(good):
        raise ValueError(f"tasks should be different names. Found {tasks!r}. Pass tasks=balancer.names.")
    return tuple(good)


def measured(balance: Balance) -> dict[str, Any]:
    """Return a balance's numbers by name, without those that were not measured; one transfer from the device.

    Raises ValueError for anything that is no `Balance`.
    """
    numbers = getattr(balance, "numbers", None)
    if numbers is None:
        raise ValueError(
            f"log should get what GradNorm.backward returned. Found a {type(balance).__name__}. "
            "Pass plain numbers by name, as in log(losses=…, weights=…)."
        )
    return {name: value for name, value in numbers().items() if value is not None}


def task_numbers(name: str, logged: Any, tasks: Sequence[str]) -> list[float | None]:
    """Return a number for each task, None for one that is absent.

    logged: a vector of shape [T] of whatever library, a sequence of numbers or scalars, or a mapping from names.
    Raises ValueError.
    """
    if isinstance(logged, Mapping):
        mapping = cast("Mapping[str, Any]", logged)
        unknown = [key for key in mapping if key not in tasks]
        if unknown:
            raise ValueError(f"{name} should be of the tasks {list(tasks)}. Found {unknown[0]!r}. Use their names.")
        listed: list[Any] = [mapping.get(task) for task in tasks]
    else:
        tolist = getattr(logged, "tolist", None)
        listed = _listed(logged if tolist is None else tolist())
    if len(listed) != len(tasks):
        raise ValueError(
            f"{name} should have {len(tasks)} numbers, one for each of {list(tasks)}. Found {len(listed)}. "
            "Give None for a task that is absent."
        )
    return [None if value is None else _number(name, value) for value in listed]


def task_vector(name: str, logged: Any, tasks: Sequence[str]) -> tuple[float, ...]:
    """Return `task_numbers` with NaN for what is absent."""
    return tuple(math.nan if value is None else value for value in task_numbers(name, logged, tasks))


def task_metrics(logged: Any, tasks: Sequence[str]) -> tuple[dict[str, float], ...]:
    """Return each task's metrics by name; empty for a task without. Raises ValueError."""
    if isinstance(logged, Mapping):
        mapping = cast("Mapping[str, Any]", logged)
        unknown = [key for key in mapping if key not in tasks]
        listed = [mapping.get(task, {}) for task in tasks]
    else:
        listed, unknown = _listed(logged) or [{} for _ in tasks], []
    if unknown or len(listed) != len(tasks) or not all(isinstance(each, Mapping) for each in listed):
        raise ValueError(
            f"metrics should be {len(tasks)} mappings from names to numbers, one for each of {list(tasks)}. "
            f'Found {logged!r}. Pass metrics=[{{"rmse": 0.5}}, …], and {{}} for a task without.'
        )
    return tuple({str(key): _number(f"metric {key}", value) for key, value in each.items()} for each in listed)


def device_of(losses: Any) -> str:
    """Return the device of the first tensor of what was logged; "" if it is none."""
    first = cast("Sequence[Any]", losses)[0] if isinstance(losses, list | tuple) and losses else losses
    device = getattr(first, "device", None)
    # An array's is a text, and says nothing of what the network is trained on.
    return "" if device is None or isinstance(device, str) else str(device)


class LoggedRun:
    """Makes records of what a loop logs. Ratios and rates that it does not give are taken from its losses.

    before: the last step of the run that it goes on from: what its ratios are to, this run's are to as well.
    unsound: the tasks whose newest loss is not finite: since which step, and the loss.
    """

    def __init__(self, tasks: Sequence[str], before: Snapshot | None = None) -> None:
        self.unsound: dict[str, tuple[int, float]] = {}
        self._tasks = tasks
        self._initial = [math.nan] * len(tasks)
        if before is not None and before.info.tasks == tuple(tasks) and len(before.rows):
            ratios = before.vector("loss_ratios")[-1].tolist()
            losses = before.vector("losses")[-1].tolist()
            self._initial = [loss / ratio if ratio else math.nan for loss, ratio in zip(losses, ratios, strict=True)]
        self._initial_test = [math.nan] * len(tasks)

    def step(
        self, step: int, vectors: Mapping[str, tuple[float, ...]], imbalance: Any, alpha: float | None
    ) -> StepRecord:
        """Return the record of a step. vectors: the fields of StepRecord that were logged."""
        nothing = (math.nan,) * len(self._tasks)
        losses = vectors.get("losses", nothing)
        own = _ratios(losses, self._initial)
        ratios = vectors.get("loss_ratios", own)
        return StepRecord(
            step=step,
            losses=losses,
            weights=vectors.get("weights", nothing),
            loss_ratios=ratios,
            relative_rates=vectors.get("relative_rates") or _rates(ratios),
            gradient_norms=vectors.get("gradient_norms"),
            targets=vectors.get("targets"),
            imbalance=None if imbalance is None else float(imbalance),
            alpha=None if alpha is None else float(alpha),
        )

    def evaluation(
        self, step: int, losses: tuple[float, ...], scores: tuple[dict[str, float], ...], constant: tuple[float, ...]
    ) -> Evaluation:
        """Return the record of an evaluation."""
        ratios = _ratios(losses, self._initial_test)
        there = [ratio for ratio in ratios if not math.isnan(ratio)]
        return Evaluation(step, losses, ratios, sum(there) if there else math.nan, scores, constant)

    def note(self, step: int, losses: Sequence[float | None]) -> None:
        """Keep in mind whose loss is not finite; one that recovers, as under a loss scale, is forgotten."""
        for task, loss in zip(self._tasks, losses, strict=True):
            if loss is not None and math.isfinite(loss):
                self.unsound.pop(task, None)
            elif loss is not None:
                self.unsound.setdefault(task, (step, loss))


def _listed(values: Any) -> list[Any]:
    """Return a sequence as a list, and a single value as a list of one."""
    if isinstance(values, Sequence) and not isinstance(values, str):
        return list(cast("Sequence[Any]", values))
    return [values]


def _number(name: str, value: Any) -> float:
    item = getattr(value, "item", None)
    try:
        return float(value if item is None else item())
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} should be numbers. Found {value!r}. Pass each as a number or a scalar.") from None


def _ratios(losses: Sequence[float], initial: list[float]) -> tuple[float, ...]:
    """Return L_i(t)/L_i(0), NaN for a task without either; keeps each task's first loss above 0 in `initial`."""
    for i, loss in enumerate(losses):
        if math.isnan(initial[i]) and math.isfinite(loss) and loss > 0:
            initial[i] = loss
    return tuple(loss / first for loss, first in zip(losses, initial, strict=True))


def _rates(ratios: Sequence[float]) -> tuple[float, ...]:
    """Return r_i(t): each ratio over the mean of those that are there."""
    there = [ratio for ratio in ratios if not math.isnan(ratio)]
    mean = sum(there) / len(there) if there else math.nan
    return tuple(ratio / mean if mean else math.nan for ratio in ratios)
