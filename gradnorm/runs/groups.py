"""Runs that belong together: those of a study, of a race, and of a tree of forks."""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from gradnorm.runs.database import fetch
from gradnorm.runs.records import RunInfo

# Whether a row of `runs` belongs to the group whose id is given, once for each `?`. Any other id that runs share is one
# more line here, and one in `Groups.of`.
_MEMBERS = (
    "run IN (SELECT run FROM study_runs WHERE study = ?)",
    "race = ?",
    """run IN (
        WITH RECURSIVE down(run) AS (
            SELECT ? UNION SELECT younger.run FROM runs AS younger JOIN down ON younger.parent = down.run
        ) SELECT run FROM down
    )""",
)
MEMBERS = f"({' OR '.join(_MEMBERS)})"


@dataclass(frozen=True)
class Group:
    """Runs that share an id.

    kind: "study", "race" or "forks".  id: of the study or race, or of the run that the tree begins with.
    """

    kind: str
    id: str


class Groups:
    """What each run of a home belongs to."""

    def __init__(self, db: apsw.Connection) -> None:
        self._studies: dict[str, str] = dict(fetch(db, "SELECT run, study FROM study_runs"))
        self._parents: dict[str, str] = dict(fetch(db, "SELECT run, parent FROM runs WHERE parent IS NOT NULL"))
        self._roots = {self._root(run) for run in self._parents}

    def of(self, info: RunInfo) -> Group | None:
        """Return what a run belongs to; None if it is on its own."""
        if info.run in self._studies:
            return Group("study", self._studies[info.run])
        if info.race is not None:
            return Group("race", info.race)
        root = self._root(info.run)
        return Group("forks", root) if root in self._roots else None

    def _root(self, run: str) -> str:
        # The last parent that is named: runs whose common parent was deleted still belong together.
        passed = {run}
        while (older := self._parents.get(run)) is not None and older not in passed:
            passed.add(run := older)
        return run
