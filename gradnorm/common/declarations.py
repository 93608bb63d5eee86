"""What a pydantic field declares of an option: its range, its choices, and how to say that a value is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo


def bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value of a number, None where there is no limit."""
    limits: dict[str, float] = {}
    for rule in info.metadata:
        for name in ("ge", "gt", "le", "lt"):
            value = getattr(rule, name, None)
            if value is not None:
                limits[name] = float(value)
    return limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))


def choices(info: FieldInfo) -> tuple[str, ...]:
    """Return the words that are allowed; empty if it is no choice."""
    return tuple(map(str, get_args(info.annotation))) if get_origin(info.annotation) is Literal else ()


def explain(error: ValidationError, model: type[BaseModel], remedy: str) -> str:
    """Return the first fault as one line: what should be, what was found, what to do.

    remedy: a sentence in which {key} and {option} stand for the field's name, as in "Set it with --{option}."
    """
    item = error.errors()[0]
    if item["type"] == "value_error":
        return f"{item.get('ctx', {}).get('error', item['msg'])}."
    key = str(item["loc"][0]) if item["loc"] else ""
    info = model.model_fields.get(key)
    should = _should(info) if info is not None else ""
    if item["type"] == "extra_forbidden":
        should = f"one of {', '.join(model.model_fields)}"
    should = should or item["msg"].replace("Input should be ", "")
    advice = remedy.format(key=key, option=key.replace("_", "-"))
    return f"{key} should be {should}. Found {_shown(item['input'])}. {advice}"


def _should(info: FieldInfo) -> str:
    """Return what a field may hold, in words; empty where its declaration does not say."""
    if words := choices(info):
        return f"one of {', '.join(words)}"
    if info.annotation is bool:
        return "true or false"
    if info.annotation is str:
        return "text"
    if info.annotation == tuple[str, ...]:
        return "names with commas between"
    low, high = bounds(info)
    if low is None or high is None:
        return ""
    opening = "(" if any(getattr(rule, "gt", None) is not None for rule in info.metadata) else "["
    kind = "a whole number " if info.annotation is int else ""
    return f"{kind}in {opening}{low:.10g}, {high:.10g}]"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def numbers(value: Any, key: str) -> Any:
    """Return the numbers of a text such as "1, 100" or "1;100", or of a single number; other values as they are.

    Raises ValueError for a text with anything else in it.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (value,)
    if not isinstance(value, str):
        return value
    parts = [part for part in value.replace(";", ",").replace(" ", ",").split(",") if part]
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        raise ValueError(f"{key} should be numbers with commas between, as in 1,100. Found {value!r}") from None


def names(value: Any) -> Any:
    """Return the names of a text with commas between, quoted as in CSV where they hold commas; others as they are.

    Blanks around a name do not count, and empty names are left out.
    """
    if isinstance(value, str):
        try:
            rows = list(csv.reader(io.StringIO(value, newline=""), skipinitialspace=True))
        except csv.Error as error:
            raise ValueError(f"Names should have commas between, as in price,cut. Found a text with {error}") from None
        value = [name for row in rows for name in row]
    if not isinstance(value, list | tuple):
        return value
    parts = cast("list[Any]", value)
    stripped = [part.strip() if isinstance(part, str) else part for part in parts]
    return tuple(part for part in stripped if part != "")


def names_as_text(words: Sequence[str]) -> str:
    """Return names as the text that `names` reads."""
    text = io.StringIO(newline="")
    csv.writer(text).writerow(words)
    return text.getvalue().removesuffix("\r\n")
