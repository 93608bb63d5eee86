"""Texts that pages show in other languages, too. Here they are English, and marked as texts to translate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


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
