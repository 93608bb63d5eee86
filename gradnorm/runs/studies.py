"""Studies in the database: what was asked, where each stands, and which run is which of its members."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gradnorm.runs.database import Database, fetch
from gradnorm.runs.run_table import insert, new_id

StudyState = Literal["running", "paused", "stopped", "finished"]


class UnknownStudyError(LookupError):
    """There is no such study in this home; the message says so."""


@dataclass(frozen=True)
class StudyInfo:
    """A study as it is stored. spec: its options as plain JSON types.  created: seconds since 1970.

    engine: what trains its runs, as in `gradnorm.lab.engine`. Only a process with that engine takes them.
    """

    study: str
    kind: str
    title: str
    spec: Mapping[str, Any]
    state: StudyState
    created: float
    engine: str = "local"


@dataclass(frozen=True)
class MemberInfo:
    """A run of a study. key: what it is there.  result: what it came to, kept when it ended; None before.

    state: of the run, as in `RunInfo`, where "interrupted" is only what has been written down; None if it was deleted.
    """

    key: str
    run: str
    result: Mapping[str, Any] | None
    state: str | None


class Studies:
    """The studies of a home. What a run came to stays with the study, whatever becomes of the run."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def create(self, kind: str, title: str, spec: Mapping[str, Any], engine: str = "local") -> str:
        """Return the id of a new study, which is running. engine: what trains its runs."""
        study = time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3)
        with self._db.write() as db:
            db.execute(
                "INSERT INTO studies (study, kind, title, spec, state, created, engine) "
                "VALUES (?, ?, ?, ?, 'running', ?, ?)",
                (study, kind, title, json.dumps(dict(spec)), time.time(), engine),
            )
        return study

    def all(self) -> list[StudyInfo]:
        """Return the studies, newest first."""
        return self._read("ORDER BY created DESC, study DESC")

    def info(self, study: str) -> StudyInfo:
        """Return one study. Raises UnknownStudyError."""
        found = self._read("WHERE study = ?", (study,))
        if not found:
            raise UnknownStudyError(
                f"A study should be one of this home. Found {study!r}. List them: gradnorm study list"
            )
        return found[0]

    def set_state(self, study: str, state: StudyState) -> None:
        """Note where a study stands. Raises UnknownStudyError."""
        self.info(study)
        with self._db.write() as db:
            db.execute("UPDATE studies SET state = ? WHERE study = ?", (state, study))

    def set_engine(self, study: str, engine: str) -> None:
        """Note what trains the runs of a study from now on."""
        with self._db.write() as db:
            db.execute("UPDATE studies SET engine = ? WHERE study = ?", (engine, study))

    def members(self, study: str) -> list[MemberInfo]:
        """Return the runs of a study, in the order in which they were made."""
        query = (
            "SELECT key, study_runs.run, result, runs.state FROM study_runs LEFT JOIN runs USING (run) "
            "WHERE study = ? ORDER BY place"
        )
        with self._db.read() as db:
            rows = fetch(db, query, (study,))
        return [MemberInfo(key, run, body and json.loads(body), state) for key, run, body, state in rows]

    def steps(self, study: str) -> int:
        """Return how many steps the runs of a study have taken so far, all together."""
        query = "SELECT coalesce(sum(steps), 0) FROM runs JOIN study_runs USING (run) WHERE study = ?"
        with self._db.read() as db:
            return fetch(db, query, (study,))[0][0]

    def add_team(
        self, study: str, team: Sequence[tuple[str, str, Mapping[str, Any]]], tasks: Sequence[str]
    ) -> list[str]:
        """Queue runs that are trained in lock step, and return their ids; each is a key, a title and a flat spec.

        A key that the study has already is left out: two processes may keep one study.
        """
        race, made = secrets.token_hex(6), list[str]()
        with self._db.write() as db:
            known = {row[0] for row in fetch(db, "SELECT key FROM study_runs WHERE study = ?", (study,))}
            for key, title, spec in team:
                if key not in known:
                    run = insert(db, new_id(), title, spec, tasks, True, race=race)
                    db.execute(
                        "INSERT INTO study_runs (study, key, run, place) VALUES (?, ?, ?, "
                        "(SELECT coalesce(max(place) + 1, 0) FROM study_runs WHERE study = ?))",
                        (study, key, run, study),
                    )
                    made.append(run)
        return made

    def keep(self, study: str, results: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep what members came to, by key."""
        rows = [(json.dumps(dict(result)), study, key) for key, result in results.items()]
        with self._db.write() as db:
            db.executemany("UPDATE study_runs SET result = ? WHERE study = ? AND key = ?", rows)

    def reopen(self, study: str, key: str) -> None:
        """Drop what a member came to, since its run goes on."""
        with self._db.write() as db:
            db.execute("UPDATE study_runs SET result = NULL WHERE study = ? AND key = ?", (study, key))

    def forget(self, study: str, key: str) -> None:
        """Take a run out of a study, which wants it anew then."""
        with self._db.write() as db:
            db.execute("DELETE FROM study_runs WHERE study = ? AND key = ?", (study, key))

    def delete(self, study: str) -> None:
        """Remove a study. Its runs stay."""
        with self._db.write() as db:
            db.execute("DELETE FROM study_runs WHERE study = ?", (study,))
            db.execute("DELETE FROM studies WHERE study = ?", (study,))

    def _read(self, rest: str, values: tuple[Any, ...] = ()) -> list[StudyInfo]:
        query = f"SELECT study, kind, title, spec, state, created, engine FROM studies {rest}"
        with self._db.read() as db:
            rows = fetch(db, query, values)
        return [
            StudyInfo(study, kind, title, json.loads(spec), state, created, engine)
            for study, kind, title, spec, state, created, engine in rows
        ]
