"""The options of a spec, for whoever makes a widget, a command-line option or a line of help from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gradnorm.common.declarations import bounds, choices
from gradnorm.config.spec import RunSpec, datasets, methods


@dataclass(frozen=True)
class Option:
    """One key of a spec, for whoever makes a widget, a command-line option or a line of help from it.

    kind: "number", "integer", "choice", "switch", "numbers", "text" or "names" (of columns, say).
    part: "dataset", "method" or "run".
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
        """Whether it can be changed while the run goes on."""
        return bool(self.extra.get("live"))


def options(dataset: str | None = None, method: str | None = None) -> list[Option]:
    """Return the options of one data set and one method, or of all of them."""
    models: list[tuple[str, type[BaseModel]]] = [("dataset", m) for n, m in datasets().items() if dataset in (None, n)]
    models += [("method", m) for n, m in methods().items() if method in (None, n)]
    models.append(("run", RunSpec))
    joined: dict[str, Option] = {}
    for part, model in models:
        for option in _options_of(part, model):
            joined[option.key] = _joined(joined.get(option.key, option), option)
    return list(joined.values())


def _joined(first: Option, second: Option) -> Option:
    """Return what two declarations of one key have in common: any text, where they differ in what may be chosen.

    What a file or folder should be differs from data set to data set, and so does the help of such a key.
    """
    same = (first.kind, first.choices) == (second.kind, second.choices)
    if same and first.kind != "text":
        return first
    text = first.help if second.help in first.help else f"{first.help} Or: {second.help}"
    return replace(first, kind="text", choices=(), help=text)


def live_keys(spec: RunSpec) -> list[str]:
    """Return the keys of a spec that can be changed while its run goes on."""
    return [option.key for option in options(spec.dataset.name, spec.method.name) if option.live]


def _options_of(part: str, model: type[BaseModel]) -> Iterator[Option]:
    for key, info in model.model_fields.items():
        if key in ("dataset", "method"):
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
