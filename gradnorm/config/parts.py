"""What the parts of a spec are made from: the known data sets and methods, flat values, and texts of a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from gradnorm.common.declarations import fault, names_as_text
from gradnorm.common.discovery import discover
from gradnorm.common.texts import filled
from gradnorm.datasets.base import Dataset
from gradnorm.datasets.problems.base import Problem
from gradnorm.methods.base import Method, Needs

Model = TypeVar("Model", bound=BaseModel)

# The options that every stored run has, whatever version has written it.
_FIRST_OPTIONS = frozenset((
    "seed", "steps", "batch_size", "optimizer", "learning_rate", "schedule", "initialization", "width", "depth",
    "eval_every", "watch_norms", "pace", "device", "threads",
))  # fmt: skip


class SpecError(ValueError):
    """A spec that cannot be run. The message says what should be, what was found and what to do.

    text: the message; with `key`, all but what to do, which is to set that option.
    key: the option that is wrong; "" if it is not one alone.
    """

    def __init__(self, text: str, key: str = "") -> None:
        super().__init__(f"{text} Set it with --{key.replace('_', '-')}." if key else text)
        self.fault, self.key = text, key


def methods() -> Mapping[str, type[Method]]:
    """Return every weighting method by name, those of other packages too (entry points "gradnorm.methods").

    Raises PluginError, a ValueError, if another package's method cannot be used.
    """
    return discover(Method, "gradnorm.methods", group="gradnorm.methods")  # pyright: ignore[reportArgumentType]


def datasets() -> Mapping[str, type[Dataset]]:
    """Return every data set by name, those of other packages too (entry points "gradnorm.datasets").

    Raises PluginError, a ValueError, if another package's data set cannot be used.
    """
    rooms = ("gradnorm.datasets.builtin", "gradnorm.datasets.by_path", "gradnorm.datasets.problems")
    return discover(Dataset, *rooms, group="gradnorm.datasets")  # pyright: ignore[reportArgumentType]


def code_refusal(spec: Mapping[str, Any]) -> str:
    """Return why pages may not start a run; empty if they may. spec: values by key, as in `RunSpec.flat`."""
    dataset = datasets().get(str(spec.get("dataset")))
    if dataset is None or dataset.from_pages:
        return ""
    return (
        f"A run that a page starts should execute no file of a user's. Found data set {dataset.name!r}, which does. "
        f"Use the command line: gradnorm train --dataset {dataset.name}:FILE, or gradnorm resume RUN."
    )


def chosen(what: str, name: Any, known: Mapping[str, type[Any]]) -> type[Any]:
    """Return the data set or method of a name. what: "dataset" or "method". Raises SpecError if there is none."""
    if not isinstance(name, str) or name not in known:
        should = filled("one of {names}", names=", ".join(known))
        told = filled("{key} should be {should}. Found {found}.", key=what, should=should, found=repr(name))
        raise SpecError(told, what)
    return known[name]


def built(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return a model of flat values. Raises SpecError for one out of range."""
    try:
        return model(**values)
    except ValidationError as error:
        key, found = fault(error, model)
        raise SpecError(found, key) from None


def check_fit(dataset: Dataset, method: Method, network: str, counted: Mapping[str, float]) -> None:
    """Raise ValueError where the parts of a spec do not go together.

    network: its name, or "auto".  counted: the options that need rows that can be counted, by name.
    """
    method.check(len(dataset.task_names))
    if network not in ("auto", *dataset.networks):
        raise ValueError(
            f"network should be one that suits {dataset.name}: auto, {', '.join(dataset.networks)}. "
            f"Found {network!r}. Choose one of these"
        )
    for key, value in counted.items():
        if value and not dataset.counted:
            raise ValueError(
                f"{key} should be 0 for {dataset.name}, which has no counted rows. Found {value:g}. Set steps instead"
            )
    if method.needs is Needs.GRAMIAN and isinstance(dataset, Problem) and dataset.measured_at == "activation":
        raise ValueError(
            f"measured_at should be last or all for {method.title}, which combines the gradients of parameters. "
            "Found 'activation'. Choose one of these"
        )


def as_text(value: Any) -> str:
    """Return a plain JSON value as a URL has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], str):
            return names_as_text(cast("list[str]", value))
        return ",".join(as_text(v) for v in cast("list[Any]", value))
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def unchanged(flat: Mapping[str, Any], method: str) -> set[str]:
    """Return the keys that a flat spec leaves at a default of its method, which says nothing of another method's.

    method: the one that follows; nothing is returned if it is the same.
    """
    before = str(flat.get("method", "gradnorm"))
    fields = methods()[before].model_fields if before in methods() and before != method else {}
    defaults = {key: info.get_default(call_default_factory=True) for key, info in fields.items()}
    return {key for key in defaults.keys() & flat.keys() if as_text(flat[key]) == as_text(defaults[key])}


def is_whole(flat: Mapping[str, Any]) -> bool:
    """Return whether flat keys hold every option of a run that specs have had from the first version on.

    `RunSpec.flat` writes them all, and nobody gives all of them by hand.
    """
    return flat.keys() >= _FIRST_OPTIONS
