"""A `Query` in SQL: which rows of the table of runs it chooses, and in which order."""

from __future__ import annotations

from typing import Any

import apsw

from gradnorm.runs.groups import MEMBERS
from gradnorm.runs.query import Query, Setting, Sort, terms
from gradnorm.runs.run_table import listed

_TAGS = "CASE tags WHEN '[]' THEN '' ELSE (SELECT group_concat(value, char(10)) FROM json_each(tags)) END"
_WORDS = f"folded(concat_ws(char(10), run, title, name, notes, {_TAGS}, spec ->> '$.dataset', spec ->> '$.method'))"
_FINAL_LOSS = (
    "(SELECT body ->> '$.task_normalized_loss' FROM evaluations "
    "WHERE evaluations.number = runs.number ORDER BY step DESC LIMIT 1)"
)
_ORDERS: dict[Sort, str] = {
    "newest": "",
    "name": "folded(CASE name WHEN '' THEN title ELSE name END), ",
    "loss": f"{_FINAL_LOSS} ASC NULLS LAST, ",
    "steps": "steps DESC, ",
    "duration": "seconds DESC, ",
}


def order(query: Query) -> str:
    """Return how the rows are sorted, as the terms of ORDER BY: pinned ones first, at last the newest."""
    return f"pinned DESC, {_ORDERS[query.sort]}number DESC"


def condition(db: apsw.Connection, query: Query) -> tuple[str, list[Any]]:
    """Return which rows are chosen, as a WHERE clause and its values."""
    parts, values = [f"trashed IS {'NOT NULL' if query.trashed else 'NULL'}"], list[Any]()

    def add(part: str, *more: Any) -> None:
        parts.append(part)
        values.extend(more)

    if query.pinned:
        add("pinned")
    if query.state:
        add(f"{_state(db)} = ?", query.state)
    for key, wanted in (("dataset", query.dataset), ("method", query.method)):
        if wanted:
            add(f"spec ->> '$.{key}' = ?", wanted)
    if query.tag:
        add("EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)", query.tag)
    if query.group:
        add(MEMBERS, *[query.group] * MEMBERS.count("?"))
    for term in terms(query.text):
        if isinstance(term, Setting):
            add("meets(spec -> ?, ?, ?)", f"$.{term.key}", term.comparison, term.wanted)
        else:
            add(f"instr({_WORDS}, ?)", term)
    return f"WHERE {' AND '.join(parts)}", values


def _state(db: apsw.Connection) -> str:
    """Return a run's state in SQL: a run whose process is gone is interrupted, though nobody has written that yet."""
    held = listed(db, "WHERE state IN ('running', 'paused')")
    gone = [str(number) for info, number in held if info.state == "interrupted"]
    return f"CASE WHEN number IN ({', '.join(gone)}) THEN 'interrupted' ELSE state END"
