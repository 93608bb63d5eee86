"""The queue: runs that wait to be trained, and how a run that has ended comes to it again."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

import apsw

from gradnorm.common.texts import filled
from gradnorm.runs.blocks import read_events
from gradnorm.runs.checkpoint_files import Checkpoints
from gradnorm.runs.owner_process import this_process
from gradnorm.runs.records import Event, Outcome, RunInfo
from gradnorm.runs.run_table import change, find, listed, position

CAN_GO_ON = ("stopped", "interrupted", "failed")  # how a run has ended that may be continued


class CannotGoOnError(ValueError):
    """The run cannot be continued as it is; the message says why and what to do."""


# What trains a run: the engine of its study, or the machine itself where it is in none.
_ENGINE = (
    "coalesce((SELECT engine FROM study_runs JOIN studies USING (study) WHERE study_runs.run = runs.run), 'local')"
)


def take_next(db: apsw.Connection, engine: str) -> list[str]:
    """Take the first run of the queue for this process, with its race, and return them; none if nothing waits.

    engine: what this process trains with. Runs of studies on other engines are left.
    """
    me = this_process()
    waiting = [info for info, _ in listed(db, f"WHERE state = 'queued' AND {_ENGINE} = ? ORDER BY number", (engine,))]
    first = waiting[:1]
    taken = [info.run for info in waiting if info in first or (info.race and info.race == first[0].race)]
    for run in taken:
        owner = "state = 'running', host = ?, pid = ?, started = ?, heartbeat = ?"
        change(db, owner, "run = ?", (me.host, me.pid, me.started, time.time(), run))
    return taken


def put_back(db: apsw.Connection, run_id: str, checkpoints: Checkpoints, *, here: bool) -> list[str]:
    """Put a run that has ended into the queue, with its race, and return them; see `RunStore.requeue`."""
    me = this_process()
    owner = ("running", me.host, me.pid, me.started) if here else ("queued", None, None, None)
    info, _ = find(db, run_id)
    if info.recorded:
        raise CannotGoOnError("A script has recorded this run, so it can't go on here. Run the script again.")
    if info.state not in CAN_GO_ON:
        raise CannotGoOnError(
            f"To go on, a run should have been stopped or interrupted. Found it {info.state}. Fork it instead."
        )
    race = [each for each, _ in listed(db, "WHERE race = ? ORDER BY number", (info.race,)) if each.state in CAN_GO_ON]
    members = race or [info]
    for member in members:
        events, _ = read_events(db, position(db, member.run), 0, member.steps)
        _check_can_be_remade(member, events, checkpoints)
    for member in members:
        again = "state = ?, host = ?, pid = ?, started = ?, heartbeat = ?, outcome = NULL, trashed = NULL"
        change(db, again, "run = ?", (*owner, time.time(), member.run))
    return [member.run for member in members]


def take_out(db: apsw.Connection, run_id: str) -> bool:
    """End a run that waits in the queue; False if it does not wait there."""
    ending = json.dumps(Outcome("stopped", 0, filled("Taken out of the queue before it started.")).to_dict())
    return bool(change(db, "state = 'stopped', outcome = ?", "run = ? AND state = 'queued'", (ending, run_id)))


def interrupt(db: apsw.Connection) -> list[str]:
    """Write down as interrupted the runs whose process is gone; return their ids."""
    held = listed(db, "WHERE state IN ('running', 'paused')")
    gone = [info for info, _ in held if info.state == "interrupted"]
    for info in gone:
        assert info.outcome is not None
        ending = json.dumps(info.outcome.to_dict())
        change(db, "state = 'interrupted', outcome = ?", "run = ?", (ending, info.run))
    return [info.run for info in gone]


def _check_can_be_remade(info: RunInfo, events: Sequence[Event], checkpoints: Checkpoints) -> None:
    """Raise CannotGoOnError if a run would begin again from its start, without the changes that it was given."""
    changed = [event for event in events if event.key != "paused"]
    if changed and not any(step <= info.steps for step in checkpoints.steps(info.run)):
        raise CannotGoOnError(
            "To go on, a run that was changed while it ran should have a checkpoint. Found none of run "
            f"{info.run}, whose {changed[0].key} was changed at step {changed[0].step:,}. Its records are kept. "
            "Start it again as a new run, or set Checkpoint every."
        )
