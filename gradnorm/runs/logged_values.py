"""What a training loop may hand to a `Recorder`, read as plain numbers: each fault is told with what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

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
