"""Segments of runs that are trained elsewhere: each is taken in once, in order, of the present attempt alone."""

from __future__ import annotations

import numpy as np
import pytest

from gradnorm.lab.resume import records_of
from gradnorm.runs.leases import LateError, Standing, lease_of
from gradnorm.runs.ownership import TakenOverError
from gradnorm.runs.records import Event
from gradnorm.runs.sealed_files import SealError
from gradnorm.runs.segments import Piece, Segment
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.training.control import Control
from tests.factories import SPEC, TINY, evaluation, finished, rows_of, start_python, step_records


def piece(run, first, last, **more):
    rows = rows_of(step_records(first, last)).astype("<f4").tobytes()
    return Piece(run, first, rows, steps=last - first + 1, **more)


@pytest.fixture
def lease(store):
    """A lease of two runs, at its first attempt."""
    runs = store.create_race([("a", SPEC), ("b", SPEC)], ["left", "right"], queued=False)
    return lease_of(store.info(runs[0])), runs, store.leases.begin(lease_of(store.info(runs[0])))


def test_a_segment_is_read_as_it_was_written_and_damage_is_noticed(tmp_path):
    path = tmp_path / "000001"
    told = Event(3, "alpha", 0.5, 12.0)
    pieces = (
        piece("a", 1, 3, evaluations=(evaluation(0),), events=(told,), checkpoints=(2, 3), outcome=finished(3)),
        piece("b", 5, 9, seconds=0.25, device="cpu"),
    )
    segment = Segment("lease", 2, 1, pieces)
    segment.write(path)
    read = Segment.read(path)
    assert (read.lease, read.attempt, read.number, tuple(read.pieces)) == ("lease", 2, 1, pieces)
    assert [each.name for each in tmp_path.iterdir()] == ["000001"]
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(SealError, match="should have the SHA-256 that it was written with"):
        Segment.read(path)


def test_records_are_taken_once_and_in_order(store, lease):
    name, (a, b), attempt = lease
    first = Segment(name, attempt, 1, [piece(a, 1, 4, evaluations=[evaluation(0)], device="cpu"), piece(b, 1, 2)])
    second = Segment(name, attempt, 2, [piece(a, 5, 6, outcome=finished(6), seconds=1.5)])
    with pytest.raises(ValueError, match=r"should be number 1\. Found 2"):
        store.leases.take(second)
    for segment in (first, first, second, second, first):
        assert store.leases.take(segment) == {}
    snapshot = store.read(a)
    np.testing.assert_array_equal(snapshot.rows, rows_of(step_records(1, 6)))
    assert [each.step for each in snapshot.evaluations] == [0]
    assert (snapshot.info.state, snapshot.info.steps, snapshot.info.device) == ("finished", 6, "cpu")
    assert (snapshot.info.seconds, snapshot.damage) == (1.5, ())
    assert (store.info(b).state, store.info(b).steps) == ("running", 2)
    assert store.leases.standing(name) == Standing(attempt, 2)


def test_steps_out_of_turn_are_refused_with_the_whole_segment(store, lease):
    name, (a, b), attempt = lease
    for wrong in (piece(b, 2, 3), Piece(b, 1, b"\0" * 12, steps=1)):
        with pytest.raises(ValueError, match=f"Rows of run {b} should go on at step 1"):
            store.leases.take(Segment(name, attempt, 1, [piece(a, 1, 4), wrong]))
    assert (store.info(a).steps, store.leases.standing(name)) == (0, Standing(attempt, 0))


def test_an_attempt_that_another_has_taken_the_place_of_is_late(store, lease):
    name, (a, _), attempt = lease
    store.leases.take(Segment(name, attempt, 1, [piece(a, 1, 4)]))
    store.rewind(a, 0, -1)
    assert store.leases.begin(name) == attempt + 1
    with pytest.raises(LateError, match=r"Records should be of attempt 2 .* Found attempt 1"):
        store.leases.take(Segment(name, attempt, 2, [piece(a, 5, 6)]))
    store.leases.take(Segment(name, attempt + 1, 1, [piece(a, 1, 3)]))
    assert store.read(a).scalar("step").tolist() == [1, 2, 3]


def test_a_lease_whose_runs_go_on_here_is_late(store):
    run = store.create("a", {**TINY, "steps": 3}, ["task 1", "task 2"], queued=False)
    attempt = store.leases.begin(run)
    next(records_of(store, [store.info(run)], {run: Control()}))
    with pytest.raises(LateError):
        store.leases.take(Segment(run, attempt, 1, [piece(run, 1, 2)]))


def test_a_run_that_is_deleted_or_taken_over_is_refused_and_the_others_go_on(store, lease, home):
    name, (a, b), attempt = lease
    store.end(b, finished(0))
    store.delete(b)
    refused = store.leases.take(Segment(name, attempt, 1, [piece(a, 1, 4), piece(b, 1, 4)]))
    assert {run: type(error) for run, error in refused.items()} == {b: UnknownRunError}
    assert store.info(a).steps == 4
    # A segment that was read by a process that has lost the run meanwhile.
    code = (
        "from gradnorm.runs.store import RunStore; from gradnorm.runs.segments import Piece, Segment\n"
        f"print(RunStore().leases.take(Segment({name!r}, {attempt}, 2, [Piece({a!r}, 5)])))"
    )
    told, _ = start_python(home, "-c", code).communicate(timeout=60)
    assert TakenOverError.__name__ in told
    assert store.info(a).steps == 4


def test_a_repaired_home_keeps_where_its_leases_stand(store, lease, home):
    name, _, attempt = lease
    from gradnorm.runs.repair import rebuild

    for run in lease[1]:
        store.end(run, finished(0))
    store.close()
    rebuild(home / "gradnorm.db")
    again = RunStore(home)
    assert again.leases.standing(name) == Standing(attempt, 0)
    again.close()
