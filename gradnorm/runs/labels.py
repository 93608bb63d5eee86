"""What users say of a run: its name, notes, tags, whether it is pinned, and whether it is in the trash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Characters.
NAME_LENGTH, NOTES_LENGTH, TAG_LENGTH = 200, 10_000, 40
# Days that a run is kept in the trash.
TRASH_DAYS = 30


class LabelError(ValueError):
    """A label is not as it should be, or the run can't have it now; the message says why and what to do."""


@dataclass(frozen=True)
class Labels:
    """What users say of a run.

    name: shown in place of the title; "" for none.  tags: in their order, each once.
    trashed: since when it is in the trash, in seconds since 1970; None if it is not.
    """

    name: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()
    pinned: bool = False
    trashed: float | None = None


NO_LABELS = Labels()


def checked_name(text: str) -> str:
    """Return a name without the space around it, of at most 200 characters in one line. Raises LabelError."""
    return _short("name", " ".join(text.split()), NAME_LENGTH)


def checked_notes(text: str) -> str:
    """Return notes without the space around them, of at most 10,000 characters. Raises LabelError."""
    return _short("notes", text.strip(), NOTES_LENGTH)


def checked_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags, each once, in their order; each of at most 40 characters, without a comma. Raises LabelError."""
    found = sorted({_short("tag", " ".join(tag.split()), TAG_LENGTH) for tag in tags} - {""})
    for tag in found:
        if "," in tag:
            raise LabelError(f"A tag should be without a comma. Found {tag!r}. Make two tags of it.")
    return tuple(found)


def _short(what: str, text: str, length: int) -> str:
    if len(text) > length:
        raise LabelError(f"A run's {what} should have at most {length:,} characters. Found {len(text):,}. Shorten it.")
    return text
