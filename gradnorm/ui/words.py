"""What is wrong, in the words of a page: it names the page's controls, where the message itself names options."""

from __future__ import annotations

from gradnorm.config.options import options
from gradnorm.config.parts import SpecError

_PARTS = {"dataset": "Data set", "method": "Method", "preset": "Preset"}


def titles() -> dict[str, str]:
    """Return the title of every control of a spec by its key."""
    return {**_PARTS, **{option.key: option.title for option in options()}}


def on_page(error: Exception) -> str:
    """Return what an error says, with the control to use in place of a command-line option."""
    if not isinstance(error, SpecError) or not error.key:
        return str(error)
    title = titles().get(error.key)
    return f"{error.fault} Change “{title}” on this page." if title else str(error)
