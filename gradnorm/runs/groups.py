"""Runs that belong together: those of a race, and those of a tree of forks."""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from gradnorm.runs.database import fetch


@dataclass(frozen=True)
class Group:
    """Runs that share an id. kind: "race" or "forks".  id: of the race, or of the run that the tree begins with."""

    kind: str
    id: str


@dataclass(frozen=True)
class _Kind:
    """A way to belong together, in SQL. of: the group's id in terms of a row of `runs`, NULL if there is none.

    members: whether a row belongs to the group whose id is given as the one value.
    """

    name: str
    of: str
    members: str


# The root is the last parent that is named: runs whose common parent was deleted still belong together.
_ROOT = """(
    WITH RECURSIVE up(run, depth) AS (
        SELECT runs.run, 0
        UNION ALL
        SELECT older.parent, depth + 1 FROM runs AS older JOIN up ON older.run = up.run
        WHERE older.parent IS NOT NULL AND depth < 1000
    ) SELECT run FROM up ORDER BY depth DESC LIMIT 1
)"""
_TREE = """run IN (
    WITH RECURSIVE down(run) AS (
        SELECT ? UNION SELECT younger.run FROM runs AS younger JOIN down ON younger.parent = down.run
    ) SELECT run FROM down
)"""
_HAS_FORKS = "EXISTS (SELECT 1 FROM runs AS younger WHERE younger.parent = runs.run)"
# The first that a run has is the one it is listed with. Any other id that runs share is one more line.
KINDS = (
    _Kind("race", "race", "race = ?"),
    _Kind("forks", f"CASE WHEN parent IS NOT NULL OR {_HAS_FORKS} THEN {_ROOT} END", _TREE),
)
MEMBERS = f"({' OR '.join(kind.members for kind in KINDS)})"


def group_of(db: apsw.Connection, number: int) -> Group | None:
    """Return what the run with this row number belongs to; None if it is on its own."""
    for kind in KINDS:
        for (shared,) in fetch(db, f"SELECT {kind.of} FROM runs WHERE number = ?", (number,)):
            if shared is not None:
                return Group(kind.name, shared)
    return None
