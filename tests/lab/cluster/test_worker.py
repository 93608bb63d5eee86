"""A worker on its own: what it seals in the folder, and when it ends."""

from __future__ import annotations

from threading import Thread

import numpy as np
import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.lab.cluster.folder import Attempt, Contender
from gradnorm.lab.cluster.worker import carry_out
from gradnorm.runs.records import QUANTITIES, columns
from gradnorm.runs.segments import Segment
from tests.factories import TINY, trained_together, wait_for

SPEC = RunSpec.parse({**TINY, "checkpoint_every": 40})
SLOW = RunSpec.parse({**TINY, "steps": 100_000, "eval_every": 100_000, "pace": 200.0})


@pytest.fixture
def attempt(tmp_path):
    def make(number, *specs, start=None):
        made = Attempt(tmp_path / "lease" / str(number))
        step = start and start.step
        runs = [Contender(f"run {i}", spec.settled().flat(), QUANTITIES, step, False) for i, spec in enumerate(specs)]
        made.create(runs, {run.run: start for run in runs} if start else {})
        return made

    return make


def sealed(attempt):
    """The segments of an attempt, checked to be numbered without a gap."""
    paths = sorted(path for path in attempt.path.iterdir() if path.name.isdecimal())
    segments = [Segment.read(path) for path in paths]
    assert [segment.number for segment in segments] == list(range(1, len(segments) + 1))
    return segments


def rows_of(segments, run):
    pieces = [piece for segment in segments for piece in segment.pieces if piece.run == run]
    rows = np.frombuffer(b"".join(piece.rows for piece in pieces), "<f4").reshape(-1, len(columns(2)))
    firsts = np.cumsum([pieces[0].first, *[piece.steps for piece in pieces[:-1]]])
    assert [piece.first for piece in pieces] == firsts.tolist()
    return rows, pieces


def test_what_is_sealed_is_what_was_trained(attempt):
    made = attempt(1, SPEC, SPEC)
    carry_out(str(made.path))
    segments = sealed(made)
    alone = trained_together([SPEC, SPEC])
    for run, records in zip(("run 0", "run 1"), alone, strict=True):
        rows, pieces = rows_of(segments, run)
        expected = [record.row() for record in records if type(record).__name__ == "StepRecord"]
        np.testing.assert_array_equal(rows, np.array(expected, np.float32))
        evaluations = [each for piece in pieces for each in piece.evaluations]
        assert evaluations == [record for record in records if type(record).__name__ == "Evaluation"]
        assert [step for piece in pieces for step in piece.checkpoints] == [40, 80, 100]
        assert (pieces[-1].outcome.kind, pieces[0].device) == ("finished", "cpu, 2 runs as one program")
    carry_out(str(made.path))
    assert len(sealed(made)) == len(segments), "an attempt was made twice"
    again = attempt(2, SPEC, SPEC, start=made.checkpoints.read("run 0", 40))
    carry_out(str(again.path))
    np.testing.assert_array_equal(rows_of(sealed(again), "run 0")[0], rows_of(segments, "run 0")[0][40:])


def test_a_worker_that_is_to_end_seals_a_checkpoint_and_no_ending(attempt):
    made = attempt(1, SLOW)
    thread = Thread(target=carry_out, args=(str(made.path),))
    thread.start()
    wait_for(lambda: made.segment(2).exists())
    made.stop()
    thread.join(60)
    rows, pieces = rows_of(sealed(made), "run 0")
    assert made.checkpoints.steps("run 0")[-1] == rows[-1, 0] == pieces[-1].checkpoints[-1]
    assert all(piece.outcome is None for piece in pieces)


def test_a_worker_that_is_given_up_ends_and_leaves_nothing(attempt):
    made = attempt(1, SLOW)
    thread = Thread(target=carry_out, args=(str(made.path),))
    thread.start()
    wait_for(lambda: made.segment(2).exists())
    made.give_up()
    thread.join(60)
    assert not thread.is_alive()
    assert not made.path.parent.exists()
    carry_out(str(made.path))
    assert not made.path.parent.exists()


def test_nothing_is_left_of_a_folder_that_is_given_up_while_it_is_written(attempt):
    def write(made):
        for number in range(1, 100_000):
            try:
                made.segment(number).write_bytes(b"a segment")
            except FileNotFoundError:
                return

    for number in range(1, 21):
        made = attempt(number, SPEC)
        thread = Thread(target=write, args=(made,))
        thread.start()
        wait_for(lambda made=made: made.segment(20).exists())
        made.give_up()
        thread.join(60)
        assert not thread.is_alive()
        assert not made.path.parent.exists()


def test_a_run_that_cannot_go_on_ends_as_failed_and_the_others_go_on(attempt):
    made = attempt(1, SPEC, SPEC, start=None)
    broken = made.contenders()
    made.create([broken[0], Contender("run 1", broken[1].spec, QUANTITIES, 40, False)], {})
    carry_out(str(made.path))
    segments = sealed(made)
    assert rows_of(segments, "run 0")[1][-1].outcome.kind == "finished"
    outcome = rows_of(segments, "run 1")[1][-1].outcome
    assert (outcome.kind, outcome.message[:47]) == ("failed", "The step should be one with a checkpoint (none)")
