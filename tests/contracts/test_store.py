"""What any store of runs must do, run on `RunStore`; the file itself, other processes and old homes."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
import time
from pathlib import Path
from threading import Thread, Timer

import apsw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.checksums import run_checksum
from gradnorm.runs.database import SCHEMA_VERSION, StoreError
from gradnorm.runs.ownership import TakenOverError
from gradnorm.runs.records import ENDED, Checkpoint, Outcome
from gradnorm.runs.run_table import change
from gradnorm.runs.store import CannotGoOnError, RunStore, UnknownRunError
from tests.factories import SPEC, evaluation, finished, rows_of, start_python, step_record, step_records

TASKS = ("left", "right")


def create(store, *, queued=False, title="a run"):
    return store.create(title, SPEC, TASKS, queued=queued)


class StoreContract:
    """Tests that hold for every store; a subclass gives `open_store(home)`, which may be called again."""

    @pytest.fixture
    def open_store(self):
        raise NotImplementedError

    @pytest.fixture
    def store(self, open_store, home):
        store = open_store(home)
        yield store
        store.close()

    def test_a_new_run_says_what_it_is(self, store):
        before = time.time()
        info = store.info(create(store, title="σ · α"))
        assert (info.title, dict(info.spec), info.tasks) == ("σ · α", SPEC, TASKS)
        assert (info.state, info.steps, info.seconds, info.device, info.outcome) == ("running", 0, 0.0, None, None)
        assert before - 1 <= info.created <= time.time() + 1
        assert info.here
        assert info.place is None
        assert not info.ended

    def test_ids_are_unique(self, store):
        assert len({create(store) for _ in range(50)}) == 50

    def test_the_queue_is_first_come_first_served(self, store):
        queued = [create(store, queued=True) for _ in range(5)]
        assert [[info.run for info in store.claim()] for _ in queued] == [[run] for run in queued]
        assert store.claim() == []

    def test_a_race_is_made_and_claimed_as_one(self, store):
        first = create(store, queued=True)
        race = store.create_race([("one", SPEC), ("two", SPEC)], TASKS, queued=True)
        other = store.create_race([("three", SPEC)], TASKS, queued=True)
        assert [[info.run for info in store.claim()] for _ in range(4)] == [[first], race, other, []]
        one, two = (store.info(run) for run in race)
        assert one.race == two.race != store.info(other[0]).race
        assert store.info(first).race is None
        assert [info.title for info in store.family(race[1])] == ["one", "two"]

    def test_a_fork_s_records_begin_at_its_branching_point(self, store):
        parent = create(store)
        store.append(parent, step_records(1, 30))
        store.checkpoints.write(parent, Checkpoint(20, b"state"))
        child = store.create("fork", SPEC, TASKS, queued=False, parent=parent, forked_at=20)
        info = store.info(child)
        assert (info.parent, info.forked_at, info.steps) == (parent, 20, 20)
        assert store.checkpoints.read(child, 20).payload == b"state"
        store.append(child, step_records(21, 25), [evaluation(20)])
        assert store.read(child).rows[:, 0].tolist() == [21, 22, 23, 24, 25]
        grandchild = store.create("fork", SPEC, TASKS, queued=False, parent=child)
        assert [i.run for i in store.family(grandchild)] == [parent, child, grandchild]
        store.end(parent, finished(30))
        store.delete(parent)
        assert store.checkpoints.steps(parent) == []
        assert [i.run for i in store.family(grandchild)] == [child, grandchild]

    def test_a_fork_without_a_checkpoint_is_refused_and_not_made(self, store):
        parent = create(store)
        with pytest.raises(CheckpointError):
            store.create("fork", SPEC, TASKS, queued=False, parent=parent, forked_at=20)
        assert [info.run for info in store.runs()] == [parent]

    @pytest.mark.parametrize("step", [0, 1, 4, 5, 8, 9, 12])
    def test_a_rewound_run_goes_on_from_there(self, store, step):
        run = create(store)
        for first, last in ((1, 4), (5, 5), (6, 9)):
            store.append(run, step_records(first, last), [evaluation(last)])
        store.rewind(run, step, step)
        snapshot = store.read(run)
        assert snapshot.rows[:, 0].tolist() == list(range(1, min(step, 9) + 1))
        assert [e.step for e in snapshot.evaluations] == [s for s in (4, 5, 9) if s <= step]
        assert snapshot.info.steps == min(step, 9)
        store.append(run, step_records(min(step, 9) + 1, 20), [evaluation(20)])
        np.testing.assert_array_equal(store.read(run).rows, rows_of(step_records(1, 20)))

    @pytest.mark.parametrize("kind", ["stopped", "interrupted", "failed"])
    def test_a_run_that_ended_too_soon_may_go_on(self, store, kind):
        run = create(store)
        store.append(run, step_records(1, 3))
        store.end(run, Outcome(kind, 3))
        assert store.requeue(run) == [run]
        info = store.info(run)
        assert (info.state, info.outcome, info.steps, info.place) == ("queued", None, 3, 1)
        assert [i.run for i in store.claim()] == [run]

    @pytest.mark.parametrize("kind", ["finished", "diverged"])
    def test_a_run_that_is_over_or_going_does_not_go_on(self, store, kind):
        run = create(store)
        with pytest.raises(CannotGoOnError, match="Found it running"):
            store.requeue(run)
        store.end(run, Outcome(kind, 3))
        with pytest.raises(CannotGoOnError, match=f"Found it {kind}"):
            store.requeue(run)
        assert store.info(run).state == kind

    def test_a_race_goes_on_as_one_here_and_now(self, store):
        race = store.create_race([("one", SPEC), ("two", SPEC), ("three", SPEC)], TASKS, queued=False)
        for run, kind in zip(race, ("stopped", "stopped", "finished"), strict=True):
            store.end(run, Outcome(kind, 0))
        assert store.requeue(race[1], here=True) == race[:2]
        assert [store.info(run).state for run in race] == ["running", "running", "finished"]
        assert store.info(race[0]).here

    def test_a_claimed_run_is_running_here(self, store):
        create(store, queued=True)
        (info,) = store.claim()
        assert (info.state, info.here, info.place) == ("running", True, None)

    def test_places_are_counted_from_the_front(self, store):
        first, second, third = (create(store, queued=True) for _ in range(3))
        create(store)
        assert [store.info(run).place for run in (first, second, third)] == [1, 2, 3]
        assert [info.place for info in store.runs()] == [None, 3, 2, 1]
        store.withdraw(second)
        assert [store.info(run).place for run in (first, second, third)] == [1, None, 2]
        store.claim()
        assert store.info(third).place == 1

    def test_a_queued_run_belongs_to_nobody(self, store):
        info = store.info(create(store, queued=True))
        assert (info.state, info.here) == ("queued", False)

    def test_what_is_appended_is_read(self, store):
        run = create(store)
        store.append(run, step_records(1, 5), [evaluation(0)], 1.5)
        store.append(run, step_records(6, 7), [evaluation(7)], 0.25)
        snapshot = store.read(run)
        np.testing.assert_array_equal(snapshot.rows, rows_of(step_records(1, 7)))
        assert snapshot.evaluations == (evaluation(0), evaluation(7))
        assert (snapshot.info.steps, snapshot.info.seconds) == (7, 1.75)

    def test_a_read_run_without_steps_is_an_empty_table(self, store):
        snapshot = store.read(create(store))
        assert snapshot.rows.shape == (0, len(snapshot.columns))
        assert snapshot.evaluations == ()

    @pytest.mark.parametrize(("since", "until"), [(0, 10), (3, None), (4, 4), (2, 9), (9, 99), (10, None), (50, None)])
    def test_a_read_gives_the_steps_after_since_up_to_until(self, store, since, until):
        run = create(store)
        for first in (1, 4, 5, 9):
            store.append(run, step_records(first, {1: 3, 4: 4, 5: 8, 9: 10}[first]))
        expected = [s for s in range(1, 11) if since < s <= (until or 99)]
        assert store.read(run, since, until).rows[:, 0].tolist() == expected

    @pytest.mark.parametrize(
        ("since", "until", "evaluated_since", "expected"),
        [
            (0, None, None, [0, 2, 4]),
            (2, None, None, [4]),
            (0, 3, None, [0, 2]),
            (4, None, -1, [0, 2, 4]),
            (0, None, 0, [2, 4]),
            (0, None, 4, []),
            (4, 4, -1, [0, 2, 4]),
        ],
    )
    def test_evaluations_have_a_cursor_of_their_own(self, store, since, until, evaluated_since, expected):
        run = create(store)
        store.append(run, step_records(1, 4), [evaluation(s) for s in (0, 2, 4)])
        found = store.read(run, since, until, evaluated_since).evaluations
        assert [e.step for e in found] == expected

    @pytest.mark.parametrize("steps", [[2], [4], [1], [3, 5], [3, 3], [4, 3], [3, 4, 6], [0], [-1], [1, 2, 3]])
    def test_gaps_and_repeats_are_refused_and_nothing_is_written(self, store, steps):
        run = create(store)
        store.append(run, step_records(1, 2), [evaluation(0)], 1.0)
        before = store.info(run)
        with pytest.raises(ValueError, match="continue at step 3, one a step"):
            store.append(run, [step_record(s) for s in steps], [evaluation(9)], 5.0)
        after = store.read(run)
        assert after.info == before
        np.testing.assert_array_equal(after.rows, rows_of(step_records(1, 2)))
        assert after.evaluations == (evaluation(0),)
        store.append(run, step_records(3, 3))
        assert store.info(run).steps == 3

    def test_a_repeated_evaluation_is_refused_and_nothing_is_written(self, store):
        run = create(store)
        store.append(run, step_records(1, 2), [evaluation(2)])
        with pytest.raises((ValueError, apsw.ConstraintError)):
            store.append(run, step_records(3, 4), [evaluation(4), evaluation(2)])
        snapshot = store.read(run)
        assert (snapshot.info.steps, len(snapshot.rows), len(snapshot.evaluations)) == (2, 2, 1)

    def test_evaluations_alone_leave_the_steps_as_they_are(self, store):
        run = create(store)
        store.append(run, [], [evaluation(0)], 0.5)
        assert store.info(run).steps == 0
        assert store.read(run).evaluations == (evaluation(0),)
        store.append(run, step_records(1, 1))
        assert store.info(run).steps == 1

    def test_what_is_none_is_read_as_nan(self, store):
        run = create(store)
        store.append(run, [step_record(1, alpha=None)])
        assert np.isnan(store.read(run).scalar("alpha")).tolist() == [True]

    def test_an_unknown_run_is_an_error_everywhere(self, store):
        create(store)
        calls = [
            lambda: store.info("nope"),
            lambda: store.read("nope"),
            lambda: store.append("nope", step_records(1, 1)),
            lambda: store.append("nope", []),
            lambda: store.end("nope", finished(0)),
            lambda: store.start("nope", "cpu"),
            lambda: store.delete("nope"),
        ]
        for call in calls:
            with pytest.raises(UnknownRunError, match="Found no run 'nope'"):
                call()
        assert store.withdraw("nope") is False
        store.set_paused("nope", True)
        assert [info.state for info in store.runs()] == ["running"]

    def test_the_catalogue_is_newest_first_and_can_be_cut(self, store):
        made = [create(store, queued=i % 2 == 0) for i in range(6)]
        assert [info.run for info in store.runs()] == made[::-1]
        assert [info.run for info in store.runs(2)] == made[:-3:-1]
        assert {info.run: info for info in store.runs()} == {run: store.info(run) for run in made}

    def test_device_and_outcome_are_kept(self, store):
        run = create(store)
        store.start(run, "NVIDIA Something")
        outcome = Outcome("diverged", 3, "Too fast.", task="left", value=float("inf"))
        store.end(run, outcome)
        info = store.info(run)
        assert (info.device, info.outcome, info.state, info.ended) == ("NVIDIA Something", outcome, "diverged", True)
        assert not info.here

    def test_pausing_is_a_state_of_running_runs_only(self, store):
        running, queued, ended = create(store), create(store, queued=True), create(store)
        store.end(ended, finished(0))
        for run, held, free in (
            (running, "paused", "running"),
            (queued, "queued", "queued"),
            (ended, "finished", "finished"),
        ):
            store.set_paused(run, True)
            assert store.info(run).state == held
            store.set_paused(run, False)
            assert store.info(run).state == free

    def test_a_paused_run_is_still_here_and_takes_records(self, store):
        run = create(store)
        store.set_paused(run, True)
        store.append(run, step_records(1, 1))
        info = store.info(run)
        assert (info.state, info.here, info.steps) == ("paused", True, 1)

    def test_only_ended_runs_are_deleted(self, store):
        running, queued, paused = create(store), create(store, queued=True), create(store)
        store.set_paused(paused, True)
        for run, state in ((running, "running"), (queued, "queued"), (paused, "paused")):
            with pytest.raises(ValueError, match=f"has ended can be deleted. Found {state}"):
                store.delete(run)
        assert len(store.runs()) == 3

    def test_a_deleted_run_is_gone_and_the_others_stay(self, store):
        gone, kept = create(store), create(store)
        for run in (gone, kept):
            store.append(run, step_records(1, 3), [evaluation(0)])
            store.end(run, finished(3))
        store.delete(gone)
        assert [info.run for info in store.runs()] == [kept]
        with pytest.raises(UnknownRunError):
            store.read(gone)
        with pytest.raises(UnknownRunError):
            store.append(gone, step_records(4, 4))
        assert len(store.read(kept).rows) == 3

    def test_a_new_run_does_not_inherit_the_records_of_a_deleted_one(self, store):
        old = create(store)
        store.append(old, step_records(1, 3), [evaluation(0)])
        store.end(old, finished(3))
        store.delete(old)
        new = store.read(create(store))
        assert (len(new.rows), len(new.evaluations)) == (0, 0)

    def test_withdrawing_ends_waiting_runs_only(self, store):
        waiting, running = create(store, queued=True), create(store)
        assert store.withdraw(waiting) is True
        assert store.withdraw(waiting) is False
        assert store.withdraw(running) is False
        info = store.info(waiting)
        assert (info.state, info.outcome.kind, info.outcome.step) == ("stopped", "stopped", 0)
        assert "queue" in info.outcome.message
        assert store.claim() == []
        assert store.info(running).state == "running"

    def test_living_runs_are_not_reaped(self, store):
        _, paused = create(store), create(store)
        store.set_paused(paused, True)
        create(store, queued=True)
        assert store.reap() == []
        assert [info.state for info in store.runs()] == ["queued", "paused", "running"]

    def test_the_runs_of_a_dead_process_are_interrupted_and_reaped_once(self, store, open_store, home):
        mine = create(store)
        theirs = in_another_process(
            home,
            "from tests.factories import *\n"
            "for paused in (False, True):\n"
            "    run = store.create('t', SPEC, ['a', 'b'], queued=False)\n"
            "    store.append(run, step_records(1, 3))\n"
            "    store.set_paused(run, paused)\n"
            "    print(run)\n"
            "print(store.create('t', SPEC, ['a', 'b'], queued=True))",
        )
        running, paused, queued = theirs
        for run in (running, paused):
            info = store.info(run)
            assert (info.state, info.outcome.kind, info.outcome.step) == ("interrupted", "interrupted", 3)
            assert "step 3" in info.outcome.message
            assert not info.here
        assert sorted(store.reap()) == sorted([running, paused])
        assert store.reap() == []
        assert store.info(running).state == "interrupted"
        assert len(store.read(running).rows) == 3
        assert [store.info(run).state for run in (mine, queued)] == ["running", "queued"]
        store.delete(running)

    def test_a_run_of_another_living_process_runs_elsewhere(self, store, home):
        with Other(home, "print(store.create('t', {'steps': 1}, ['a'], queued=False), flush=True); input()") as other:
            run = other.line()
            info = store.info(run)
            assert (info.state, info.here) == ("running", False)
            assert store.reap() == []
        assert store.info(run).state == "interrupted"

    def test_a_home_opened_again_holds_the_same(self, store, open_store, home):
        run = create(store)
        store.append(run, step_records(1, 4), [evaluation(0)])
        waiting = create(store, queued=True)
        again = open_store(home)
        assert again.runs() == store.runs()
        np.testing.assert_array_equal(again.read(run).rows, store.read(run).rows)
        assert [info.run for info in again.claim()] == [waiting]
        again.close()

    def test_the_version_changes_when_somebody_else_writes(self, store, open_store, home):
        run = create(store)
        other = open_store(home)
        seen = other.version()
        assert other.version() == seen
        store.append(run, step_records(1, 1))
        assert other.version() != seen
        other.close()

    def test_a_listener_hears_of_each_write_of_this_process_once_it_can_be_read(self, store):
        run, heard = create(store), []
        store.listen(lambda: heard.append(store.info(run).steps))
        store.append(run, step_records(1, 2))
        store.append(run, step_records(3, 3))
        store.info(run)
        with pytest.raises(ValueError, match="continue at step 4"):
            store.append(run, step_records(9, 9))
        assert heard == [2, 3]

    def test_threads_share_a_store(self, store):
        runs = [create(store) for _ in range(4)]

        def write(run):
            for step in range(1, 21):
                store.append(run, step_records(step, step))
            store.close()

        threads = [Thread(target=write, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert [store.read(run).rows[:, 0].tolist() for run in runs] == [[float(s) for s in range(1, 21)]] * 4

    def test_each_queued_run_is_claimed_by_exactly_one_process(self, store, home):
        queued = [create(store, queued=True) for _ in range(40)]
        code = (
            "import time\ninput()\n"
            "while claimed := store.claim():\n    print(claimed[0].run)\n    time.sleep(0.001)\nprint('')\ninput()"
        )
        claimed = []
        others = [Other(home, code) for _ in range(4)]
        try:
            for other in others:
                other.go()
            for other in others:
                taken = list(iter(other.line, ""))
                assert taken == [run for run in queued if run in set(taken)], "not in the order of the queue"
                claimed += taken
            assert sorted(claimed) == sorted(queued)
            assert {info.state for info in store.runs()} == {"running"}
        finally:
            for other in others:
                other.end()

    def test_two_processes_append_and_one_reads_at_once(self, store, home):
        code = (
            "from tests.factories import *\n"
            "run = store.create('a run', SPEC, ('a', 'b'), queued=False)\nprint(run)\ninput()\n"
            "for step in range(1, 301, 3): store.append(run, step_records(step, step + 2), [evaluation(step)])\n"
            "print('done')"
        )
        others = [Other(home, code) for _ in range(2)]
        try:
            runs = [other.line() for other in others]
            for other in others:
                other.go()
            seen = 0
            while seen < 600:
                snapshots = [store.read(run) for run in runs]
                for snapshot in snapshots:
                    steps = snapshot.rows[:, 0]
                    assert steps.tolist() == list(range(1, len(steps) + 1))
                    assert len(steps) == snapshot.info.steps == 3 * len(snapshot.evaluations)
                seen = sum(len(s.rows) for s in snapshots)
                if all(other.process.poll() is not None for other in others):
                    assert sum(store.info(run).steps for run in runs) == 600, [o.process.stderr.read() for o in others]
        finally:
            for other in others:
                other.end()
        for run in runs:
            np.testing.assert_array_equal(store.read(run).rows, rows_of(step_records(1, 300)))

    def test_processes_may_open_a_new_home_at_the_same_moment(self, tmp_path):
        homes = [tmp_path / f"new {i}" for i in range(8)]
        code = (
            "from gradnorm.runs.store import RunStore\nfrom pathlib import Path\ninput()\n"
            f"for i in range({len(homes)}):\n"
            f"    RunStore(Path({str(tmp_path)!r}) / f'new {{i}}').create('t', {{}}, ['a'], queued=True)\n"
            "print('fine')"
        )
        others = [Other(tmp_path / "start", code) for _ in range(4)]
        try:
            for other in others:
                other.go()
            assert [other.line() for other in others] == ["fine"] * 4, [o.errors() for o in others]
        finally:
            for other in others:
                other.end()
        assert [len(RunStore(home).runs()) for home in homes] == [4] * 8


class Other:
    """A process with a `store` on the same home that runs some code; it ends when the test says so."""

    def __init__(self, home, code):
        text = f"from gradnorm.runs.store import RunStore\nstore = RunStore()\nprint('ready')\n{code}"
        self.process = start_python(home, "-c", text)
        assert self.line() == "ready", self.errors()

    def line(self):
        return self.process.stdout.readline().strip()

    def go(self, text=""):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def errors(self):
        self.process.kill()
        return self.process.communicate()[1]

    def end(self):
        self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def in_another_process(home, code):
    """Run code with a `store` in a process that ends by itself; return the lines it printed."""
    process = start_python(home, "-c", f"from gradnorm.runs.store import RunStore\nstore = RunStore()\n{code}")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out.split()


class TestRunStore(StoreContract):
    """The contract, on the store that is in use."""

    @pytest.fixture
    def open_store(self):
        return RunStore


def test_the_sqlite_library_is_one_without_the_wal_reset_bug():
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


def test_deleting_removes_blocks_and_evaluations_from_the_file(store):
    gone, kept = create(store), create(store)
    for run in (gone, kept):
        store.append(run, step_records(1, 3), [evaluation(0)])
        store.append(run, step_records(4, 5), [evaluation(5)])
        store.end(run, finished(5))
    store.delete(gone)
    db = apsw.Connection(str(store.home / "gradnorm.db"))
    assert db.execute("SELECT count(*) FROM blocks").get == 2
    assert db.execute("SELECT count(*) FROM evaluations").get == 2
    assert db.execute("PRAGMA integrity_check").get == "ok"
    db.close()


def test_a_reader_is_not_blocked_by_a_long_write(store):
    run = create(store)
    store.append(run, step_records(1, 3))
    writer = apsw.Connection(str(store.home / "gradnorm.db"))
    writer.create_scalar_function("run_checksum", run_checksum)
    writer.execute("BEGIN EXCLUSIVE")
    change(writer, "title = 'half done'", "run = ?", (run,))
    start = time.monotonic()
    assert (store.info(run).steps, store.info(run).title) == (3, "a run")
    assert len(store.read(run).rows) == 3
    assert [info.run for info in store.runs()] == [run]
    assert time.monotonic() - start < 5
    writer.execute("COMMIT")
    assert store.info(run).title == "half done"
    writer.close()


def test_a_writer_is_not_blocked_by_a_long_read(store):
    run = create(store)
    reader = apsw.Connection(str(store.home / "gradnorm.db"))
    reader.execute("BEGIN")
    assert reader.execute("SELECT steps FROM runs").get == 0
    start = time.monotonic()
    store.append(run, step_records(1, 3))
    assert time.monotonic() - start < 5
    assert reader.execute("SELECT steps FROM runs").get == 0
    reader.execute("COMMIT")
    assert reader.execute("SELECT steps FROM runs").get == 3
    reader.close()


def test_opening_a_home_that_another_process_is_just_making_waits_for_it(home):
    home.mkdir()
    other = apsw.Connection(str(home / "gradnorm.db"))
    other.execute("BEGIN IMMEDIATE")  # as a process that has not come to write-ahead mode yet
    release = Timer(0.3, lambda: other.execute("COMMIT"))
    release.start()
    try:
        RunStore(home).close()
    finally:
        release.join()
        other.close()


def test_a_failed_write_leaves_the_store_usable(store):
    run = create(store)
    with pytest.raises(AttributeError):
        store.append(run, step_records(1, 1), [evaluation(0), None])
    assert store.info(run).steps == 0
    store.append(run, step_records(1, 1), [evaluation(0)])
    assert store.info(run).steps == 1


def test_a_home_of_a_newer_version_is_refused_and_left_alone(home):
    RunStore(home).close()
    db = apsw.Connection(str(home / "gradnorm.db"))
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(StoreError, match=f"Found {SCHEMA_VERSION + 1}, written by a newer gradnorm. Update"):
        RunStore(home)
    assert db.execute("PRAGMA user_version").get == SCHEMA_VERSION + 1
    db.close()


def home_that_is_a_file(path):
    path.write_text("not a directory")
    return path


def home_under_a_file(path):
    path.write_text("not a directory")
    return path / "home"


def home_with_a_directory_for_a_database(path):
    (path / "gradnorm.db").mkdir(parents=True)
    return path


def home_with_another_file_for_a_database(path):
    path.mkdir()
    (path / "gradnorm.db").write_bytes(b"no database at all " * 100)
    return path


def home_that_nobody_may_write(path):
    return Path("/proc/gradnorm")


@pytest.mark.parametrize(
    "make",
    [
        home_that_is_a_file,
        home_under_a_file,
        home_with_a_directory_for_a_database,
        home_with_another_file_for_a_database,
        home_that_nobody_may_write,
    ],
)
def test_a_home_that_cannot_be_used_is_one_clear_error(make, tmp_path):
    home = make(tmp_path / "x")
    with pytest.raises(StoreError) as caught:
        RunStore(home)
    message = str(caught.value)
    assert str(home) in message
    assert "Set GRADNORM_HOME or --home" in message
    assert "\n" not in message


def test_without_a_home_the_environment_says_where(home, monkeypatch):
    assert RunStore().home == home
    monkeypatch.setenv("GRADNORM_HOME", "")
    monkeypatch.chdir(home)
    assert RunStore().home.resolve() == (home / "runs").resolve()


@settings(max_examples=12)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), data=st.data())
def test_slices_of_any_size_join_to_the_whole(sizes, data):
    with tempfile.TemporaryDirectory() as home:
        store = RunStore(home)
        run, last = create(store), 0
        for size in sizes:
            store.append(run, step_records(last + 1, last + size), [evaluation(last + size)])
            last += size
        cuts = sorted(data.draw(st.sets(st.integers(0, last), max_size=5)) | {0, last})
        parts = [store.read(run, a, b) for a, b in itertools.pairwise(cuts)]
        np.testing.assert_array_equal(np.concatenate([p.rows for p in parts]), rows_of(step_records(1, last)))
        assert tuple(e for p in parts for e in p.evaluations) == store.read(run).evaluations
        store.close()


class Model:
    """One run as plain Python. mine: whether it belongs to this process."""

    def __init__(self, state, mine):
        self.mine = mine
        self.state, self.records, self.evaluations, self.seconds, self.outcome = state, [], [], 0.0, None


class StoreMachine(RuleBasedStateMachine):
    """A store does what a list of plain objects would do."""

    runs = Bundle("runs")

    @initialize()
    def open(self):
        self.home = tempfile.mkdtemp()
        self.store = RunStore(self.home)
        self.model = {}

    def teardown(self):
        self.store.close()
        shutil.rmtree(self.home)

    @rule(target=runs, queued=st.booleans())
    def create(self, queued):
        run = create(self.store, queued=queued)
        assert run not in self.model
        self.model[run] = Model("queued" if queued else "running", mine=not queued)
        return run

    @rule()
    def claim(self):
        waiting = [run for run, m in self.model.items() if m.state == "queued"]
        info = next(iter(self.store.claim()), None)
        assert (info.run if info else None) == (waiting[0] if waiting else None)
        if info:
            self.model[info.run].state = "running"
            self.model[info.run].mine = True

    @rule(run=runs, skip=st.integers(-2, 2), size=st.integers(0, 4), evaluate=st.booleans())
    def append(self, run, skip, size, evaluate):
        model = self.model.get(run)
        last = len(model.records) if model else 0
        records = step_records(last + 1 + skip, last + skip + size)
        step = last + size
        fresh = model is not None and (step not in {e.step for e in model.evaluations})
        found = [evaluation(step)] if evaluate and fresh else []
        if model is None:
            with pytest.raises(UnknownRunError):
                self.store.append(run, records, found, 0.5)
        elif not model.mine:
            with pytest.raises(TakenOverError, match="the queue"):
                self.store.append(run, records, found, 0.5)
        elif skip and size:
            with pytest.raises(ValueError, match="continue at step"):
                self.store.append(run, records, found, 0.5)
        else:
            self.store.append(run, records, found, 0.5)
            model.records += records
            model.evaluations += found
            model.seconds += 0.5

    @rule(run=runs, paused=st.booleans())
    def set_paused(self, run, paused):
        self.store.set_paused(run, paused)
        model = self.model.get(run)
        if model and model.state in ("running", "paused"):
            model.state = "paused" if paused else "running"

    @rule(run=runs)
    def withdraw(self, run):
        model = self.model.get(run)
        waits = model is not None and model.state == "queued"
        assert self.store.withdraw(run) == waits
        if waits:
            model.state = "stopped"

    @rule(run=runs, kind=st.sampled_from(sorted(ENDED)))
    def end(self, run, kind):
        model = self.model.get(run)
        if model is None:
            with pytest.raises(UnknownRunError):
                self.store.end(run, Outcome(kind, 0))
        elif not model.mine:
            with pytest.raises(TakenOverError):
                self.store.end(run, Outcome(kind, 0))
        elif model.state in ("running", "paused"):
            self.store.end(run, Outcome(kind, len(model.records)))
            model.state = kind

    @rule(run=runs)
    def delete(self, run):
        model = self.model.get(run)
        if model is None:
            with pytest.raises(UnknownRunError):
                self.store.delete(run)
        elif model.state in ENDED:
            self.store.delete(run)
            del self.model[run]
        else:
            with pytest.raises(ValueError, match=f"Found {model.state}"):
                self.store.delete(run)

    @rule()
    def open_again(self):
        self.store.close()
        self.store = RunStore(self.home)

    @rule()
    def reap(self):
        assert self.store.reap() == []

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def read_a_part(self, data):
        run = data.draw(st.sampled_from(list(self.model)))
        model = self.model[run]
        since, until = (data.draw(st.integers(0, 12)) for _ in range(2))
        snapshot = self.store.read(run, since, until)
        expected = [r for r in model.records if since < r.step <= until]
        assert snapshot.rows.shape[0] == len(expected)
        if expected:
            np.testing.assert_array_equal(snapshot.rows, rows_of(expected))
        first = since or -1
        assert list(snapshot.evaluations) == sorted(
            (e for e in model.evaluations if first < e.step <= until), key=lambda e: e.step
        )

    @invariant()
    def the_catalogue_is_the_models(self):
        if not hasattr(self, "model"):
            return
        found = self.store.runs()
        assert [info.run for info in found] == list(self.model)[::-1]
        waiting = [run for run, m in self.model.items() if m.state == "queued"]
        for info in found:
            model = self.model[info.run]
            assert (info.state, info.steps, info.seconds) == (model.state, len(model.records), model.seconds)
            assert info.place == (waiting.index(info.run) + 1 if info.run in waiting else None)
            assert info == self.store.info(info.run)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=15, stateful_step_count=25)


def test_specs_with_any_text_come_back(store):
    spec = {"dataset": "toy", "note": "σ' \"; DROP TABLE runs; --\n\0", "sigmas": [1.5, 2]}
    info = store.info(store.create(spec["note"], spec, ["a'b"], queued=False))
    assert (dict(info.spec), info.title, info.tasks) == (json.loads(json.dumps(spec)), spec["note"], ("a'b",))
