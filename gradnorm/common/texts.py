"""Texts that pages show in other languages, too. Here they are English, and marked as texts to translate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast


class Text(str):
    """An English text that knows what it was filled from, so that it can be said in another language.

    template: with `{name}` for each of the values.  values: numbers, texts, or names that are the same everywhere.
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, values: Mapping[str, Any]) -> Text:
        """Fill the template."""
        made = super().__new__(cls, template.format(**values) if values else template)
        made.template, made.values = template, values
        return made

    def __reduce__(self) -> tuple[type[Text], tuple[str, Mapping[str, Any]]]:
        """Say what a copy is made from."""
        return Text, (self.template, self.values)


def later(text: str) -> str:
    """Return an English text as it is. It is marked as one that a page translates where it shows it."""
    return text


def filled(template: str, /, **values: Any) -> Text:
    """Return an English text filled with values, which a page can translate. See `Text`."""
    return Text(template, values)


def joined(texts: Sequence[str], between: str) -> Text:
    """Return texts one after the other. between: what stands between them, the same in each language."""
    return Text(between.join(f"{{_{i}}}" for i in range(len(texts))), {f"_{i}": text for i, text in enumerate(texts)})


def kept(text: str) -> dict[str, Any] | None:
    """Return what a text was filled from, of plain JSON types, for `recalled`; None for one that does not know it."""
    if not isinstance(text, Text):
        return None
    values = {
        name: (kept(value) or str(value)) if isinstance(value, str) else value for name, value in text.values.items()
    }
    return {"template": text.template, "values": values}


def recalled(text: str, plain: Mapping[str, Any] | None) -> str:
    """Return a stored text that knows what it was filled from; the text alone if that does not make it.

    plain: what `kept` gave.
    """
    try:
        made = _refilled(plain) if plain else text
    except (AttributeError, LookupError, TypeError, ValueError):  # written by another build
        return text
    return made if made == text else text


def _refilled(plain: Mapping[str, Any]) -> Text:
    values = {
        name: _refilled(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
        for name, value in plain["values"].items()
    }
    return Text(plain["template"], values)
