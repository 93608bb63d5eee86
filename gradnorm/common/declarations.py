"""Reads what a pydantic field declares of an option, its range and its choices, and explains a wrong value."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, Literal, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gradnorm.common.texts import filled


def bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    """Return the limits (low, high) of a number, each None if the field declares none.

    info: the field; of `ge` and `gt`, and of `le` and `lt`, either counts.

    >>> from pydantic import BaseModel, Field
    >>> class Options(BaseModel):
    ...     alpha: float = Field(1.5, ge=0, le=5)
    >>> bounds(Options.model_fields["alpha"])
    (0.0, 5.0)
    """
    limits: dict[str, float] = {}
    for rule in info.metadata:
        for name in ("ge", "gt", "le", "lt"):
            value = getattr(rule, name, None)
            if value is not None:
                limits[name] = float(value)
    return limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))


def choices(info: FieldInfo) -> tuple[str, ...]:
    """Return the words that a field of type Literal allows; empty for a field of any other type."""
    return tuple(map(str, get_args(info.annotation))) if get_origin(info.annotation) is Literal else ()


def fault(error: ValidationError, model: type[BaseModel]) -> tuple[str, str]:
    """Return the first fault of a rejected model: the field's name, and what should be and what was found.

    The name is "" where the fault is of no one field, or says itself what to do.

    error: what pydantic raised.
    model: the class that was to be made.
    """
    item = error.errors()[0]
    if item["type"] == "value_error":
        return "", f"{item.get('ctx', {}).get('error', item['msg'])}."
    key = str(item["loc"][0]) if item["loc"] else ""
    info = model.model_fields.get(key)
    should = _should(info) if info is not None else ""
    if item["type"] == "extra_forbidden":
        should = filled("one of {names}", names=", ".join(model.model_fields))
    should = should or item["msg"].replace("Input should be ", "")
    return key, filled("{key} should be {should}. Found {found}.", key=key, should=should, found=_shown(item["input"]))


def explain(error: ValidationError, model: type[BaseModel], remedy: str) -> str:
    """Return the first fault of a rejected model in one line: what should be, what was found, what to do.

    error, model: see `fault`.
    remedy: what to do, with {key} for the field's name, as in "Pass {key} again."
    """
    key, found = fault(error, model)
    return f"{found} {remedy.format(key=key)}" if key else found


def _should(info: FieldInfo) -> str:
    """Return what a field may hold, in words; empty where its declaration does not say."""
    if words := choices(info):
        return filled("one of {names}", names=", ".join(words))
    if info.annotation is bool:
        return filled("true or false")
    if info.annotation is str:
        return "text"
    if info.annotation == tuple[str, ...]:
        return filled("names with commas between")
    low, high = bounds(info)
    if low is None or high is None:
        return ""
    opening = "(" if any(getattr(rule, "gt", None) is not None for rule in info.metadata) else "["
    inside = f"{opening}{low:.10g}, {high:.10g}]"
    whole = info.annotation is int
    return filled("a whole number in {range}", range=inside) if whole else filled("in {range}", range=inside)


def _shown(value: Any) -> str:
    text = "nothing" if value is None or value == "" else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def numbers(value: Any, key: str) -> Any:
    """Return a text of numbers, or a single number, as a tuple; return any other value unchanged.

    value: a text may have commas, semicolons or blanks between its numbers.
    key: the option's name, for the message.
    Raises ValueError for a text that holds anything but numbers.

    >>> numbers("1, 100", "sigmas"), numbers(3, "hold"), numbers([1, 2], "hold")
    ((1.0, 100.0), (3,), [1, 2])
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
    """Return a text or a list of names as a tuple; return any other value unchanged.

    value: a text has commas between its names; a name that holds a comma is quoted as in CSV.
    Blanks around a name are dropped, and so are empty names. Raises ValueError for a text that is no CSV.

    >>> names('price, "cut, color"')
    ('price', 'cut, color')
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
    """Return names as one text, which `names` reads back.

    >>> names_as_text(["price", "cut, color"])
    'price,"cut, color"'
    """
    text = io.StringIO(newline="")
    csv.writer(text).writerow(words)
    return text.getvalue().removesuffix("\r\n")
