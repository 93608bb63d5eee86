"""What a run is called says the α that it used, also where that was moved while it trained."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import apsw

from gradnorm.common.texts import Text, filled, joined
from gradnorm.runs.plain import short
from gradnorm.runs.records import RunInfo
from gradnorm.runs.run_table import change

# In a title, whose parts have a dot between.
_OF_TITLE = re.compile(r"α [^·]*?(?= ·|$)")
# A title as `RunSpec.title` makes it, and α as `moves` tells it.
_PARTS = re.compile(r"(?P<data>[^·]+) · (?P<method>[^·]+?)(?: α (?P<alpha>[^·]+))? · seed (?P<seed>\d+)")
_MOVES = re.compile(r"(?P<values>\S+(?: → \S+)*)(?: at step (?P<step>[\d,]+))?")


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


def title_text(info: RunInfo) -> str:
    """Return a run's title as a text that pages can translate; the title of a recorded run is its script's."""
    found = None if info.recorded else _PARTS.fullmatch(info.title)
    if found is None:
        return info.title
    method, alpha = Text(found["method"], {}), alpha_text(info)
    middle = Text("{method} α {alpha}", {"method": method, "alpha": alpha}) if alpha else method
    return joined([found["data"], middle, filled("seed {value}", value=int(found["seed"]))], " · ")


def alpha_text(info: RunInfo) -> Text | None:
    """Return the α that a run's title tells, and how it was moved; None without one."""
    parts = None if info.recorded else _PARTS.fullmatch(info.title)
    found = _MOVES.fullmatch(parts["alpha"]) if parts and parts["alpha"] else None
    if found is None:
        return None
    values = joined([_number(each) for each in found["values"].split(" → ")], " → ")
    step = found["step"]
    return filled("{values} at step {step:,}", values=values, step=int(step.replace(",", ""))) if step else values


def _number(text: str) -> str:
    try:
        return Text("{value:.4g}", {"value": float(text)})
    except ValueError:  # "…"
        return text
