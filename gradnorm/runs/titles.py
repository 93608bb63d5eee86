"""What a run is called says the α that it used, also where that was moved while it trained."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import apsw

from gradnorm.runs.plain import short
from gradnorm.runs.run_table import change

# In a title, whose parts have a dot between; and in the name of a run among others.
_OF_TITLE = re.compile(r"α [^·]*?(?= ·|$)")
_OF_NAME = re.compile(r"α \S+")


def retitle(db: apsw.Connection, number: int) -> None:
    """Bring the title of the run in row `number` up to its events."""
    found = db.execute("SELECT title, json_extract(spec, '$.alpha') FROM runs WHERE number = ?", (number,)).fetchone()
    moved = "SELECT step, value FROM events WHERE number = ? AND key = 'alpha' AND json_valid(value) ORDER BY id"
    events = [(step, json.loads(value)) for step, value in db.execute(moved, (number,))]
    if found is None or found[1] is None:  # of a script, which gives its runs titles of its own
        return
    title = _OF_TITLE.sub(f"α {moves(found[1], events)}", found[0], count=1)
    if title != found[0]:
        change(db, "title = ?", "number = ?", (title, number))


def moves(start: float, events: Sequence[tuple[int, float]]) -> str:
    """Return a value and what became of it.

    events: pairs of the first step that used a value, and the value.

    >>> moves(0.12, []), moves(0.12, [(800, 2.06)]), moves(0.12, [(7, 0.5), (800, 2.06)])
    ('0.12', '0.12 → 2.06 at step 800', '0.12 → … → 2.06 at step 800')
    """
    before = [start, *(value for _, value in events)]
    other = [event for event, was in zip(events, before, strict=False) if event[1] != was]
    if not other:
        return short(start)
    step, value = other[-1]
    return f"{short(start)} → {'… → ' if len(other) > 1 else ''}{short(value)} at step {step:,}"


def named_alike(name: str, title: str) -> str:
    """Return another name of a run with the α that its title gives; itself if there is none in either."""
    found = _OF_TITLE.search(title)
    return _OF_NAME.sub(found[0], name, count=1) if found else name
