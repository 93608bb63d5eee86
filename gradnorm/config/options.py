"""The options of a spec. Widgets, command-line options and help texts are made from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gradnorm.common.declarations import bounds, choices
from gradnorm.config.spec import RunSpec, datasets, methods


@dataclass(frozen=True)
class Option:
    """One key of a spec, as its field declares it.

    key: its name in specs, URLs and, with hyphens, on the command line.
    part: what declares it: "dataset", "method", "run" or "study".
    kind: "number", "integer", "choice", "switch", "numbers", "text" or "names" (of columns, say).
    title: what the pages call it.  help: one sentence.  default: its value if nobody sets it.
    low, high: the limits of a number; None where there is none.
    choices: the words of a choice; empty for any other kind.
    extra: what else the field declares, such as {"live": True}, {"path": True} or {"slider": [low, high, step]}, and
        {"with": {key: values}} for an option that has an effect only where another one has one of these values.
    """

    key: str
    part: str
    kind: str
    title: str
    help: str
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    extra: Mapping[str, Any]

    @property
    def live(self) -> bool:
        """Whether it can be changed while a run trains."""
        return bool(self.extra.get("live"))

    def counts(self, values: Mapping[str, Any]) -> bool:
        """Return whether it has an effect. values: of all options of a spec, by key."""
        return all(values[key] in wanted for key, wanted in self.extra.get("with", {}).items())


def options(dataset: str | None = None, method: str | None = None) -> list[Option]:
    """Return the options of one data set and one method, and those of every run.

    dataset, method: names; None means all data sets, or all methods. A key that several of them declare comes once.
    """
    models: list[tuple[str, type[BaseModel]]] = [("dataset", m) for n, m in datasets().items() if dataset in (None, n)]
    models += [("method", m) for n, m in methods().items() if method in (None, n)]
    models.append(("run", RunSpec))
    joined: dict[str, Option] = {}
    for part, model in models:
        for option in options_of(part, model):
            joined[option.key] = _joined(joined.get(option.key, option), option)
    return list(joined.values())


def _joined(first: Option, second: Option) -> Option:
    """Return one option for two declarations of one key.

    It takes any text if they differ in kind or choices. The help of texts is joined, since what a file or folder
    should hold differs from data set to data set.
    """
    same = (first.kind, first.choices) == (second.kind, second.choices)
    if same and first.kind != "text":
        return first
    text = first.help if second.help in first.help else f"{first.help} Or: {second.help}"
    return replace(first, kind="text", choices=(), help=text)


def live_keys(spec: RunSpec) -> list[str]:
    """Return the keys of a spec that can be changed while its run trains, as in ["alpha"]."""
    return [option.key for option in options(spec.dataset.name, spec.method.name) if option.live]


def without_effect(spec: RunSpec, given: Iterable[str]) -> list[str]:
    """Return a sentence for each option that somebody gave although it has no effect beside the others.

    given: keys, as on a command line; those that the spec does not have are passed over.
    """
    values, known = spec.flat(), {option.key: option for option in options(spec.dataset.name, spec.method.name)}
    return [
        f"{_flag(key)} has an effect only with {_flag(other)} {' or '.join(wanted)}. "
        f"Found {values[other]}. Give one of these, or leave {_flag(key)} out."
        for key in given
        if key in known and not known[key].counts(values)
        for other, wanted in known[key].extra["with"].items()
    ]


def _flag(key: str) -> str:
    return f"--{key.replace('_', '-')}"


def options_of(part: str, model: type[BaseModel]) -> Iterator[Option]:
    """Give the options that a model declares. part: see `Option`."""
    for key, info in model.model_fields.items():
        if key in ("dataset", "method", "base"):
            continue
        low, high = bounds(info)
        extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
        yield Option(
            key=key,
            part=part,
            kind=_kind(info),
            title=info.title or key,
            help=info.description or "",
            default=info.get_default(call_default_factory=False),
            low=low,
            high=high,
            choices=choices(info),
            extra=MappingProxyType(dict(extra)),
        )


def _kind(info: FieldInfo) -> str:
    kinds: dict[Any, str] = {bool: "switch", int: "integer", float: "number", str: "text", tuple[str, ...]: "names"}
    return kinds.get(info.annotation, "choice" if choices(info) else "numbers")
