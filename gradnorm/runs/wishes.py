"""What pages ask of the scripts that record runs, left in the database until the script's `Listener` takes it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from gradnorm.runs.checksums import checksum
from gradnorm.runs.database import Database, fetch
from gradnorm.runs.knobs import Steering
from gradnorm.runs.run_table import find


@dataclass(frozen=True)
class Wish:
    """Something that was asked of a script. number: they count up.  key: a knob's name, or one of `knobs.WISHES`."""

    number: int
    key: str
    value: Any


class Wishes:
    """The wishes of all runs of a home. They are kept as long as the run: what came of one is an event of the run."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def ask(self, run: str, key: str, value: Any) -> None:
        """Ask something of the script that records a run.

        key, value: a knob and its new value; "paused" with True or False; "checkpoint" or "stopped" with True.
        Raises ValueError for a script that has ended or does not listen, and for an unknown key or a wrong value;
        UnknownRunError, ReadOnlyHomeError.
        """
        with self._db.write() as db:
            info, at = find(db, run)
            steering = Steering.of(info)
            if steering is None or info.ended:
                found = f"that the run is {info.state}" if info.ended else "that it does not"
                raise ValueError(f"The run's script should listen to the dashboard. Found {found}. Only watch the run.")
            stored = (at.number, key, json.dumps(steering.checked(key, value)), time.time())
            db.execute(
                "INSERT INTO wishes (number, key, value, time, checksum) VALUES (?, ?, ?, ?, ?)",
                (*stored, checksum(*stored)),
            )

    def since(self, run: str, last: int = 0) -> list[Wish]:
        """Return the wishes after number `last`, in their order; without those that are damaged."""
        query = (
            "SELECT id, number, CAST(key AS BLOB), CAST(value AS BLOB), time, checksum FROM wishes "
            "WHERE number = (SELECT number FROM runs WHERE run = ?) AND id > ? ORDER BY id"
        )
        with self._db.read() as db:
            rows = fetch(db, query, (run, last))
        sound = [row for row in rows if row[-1] == checksum(*row[1:-1])]
        return [Wish(number, key.decode(), json.loads(value)) for number, _, key, value, _, _ in sound]

    def newest(self, run: str) -> dict[str, Any]:
        """Return the newest value of each key that was asked for."""
        return {wish.key: wish.value for wish in self.since(run)}
