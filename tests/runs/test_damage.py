"""One thing damaged in a home: a sentence names it, the rest stays readable, and nothing is overwritten."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from gradnorm.cli import main
from gradnorm.export import tables
from gradnorm.lab.resume import mean_weights
from gradnorm.runs.damage import Damage, gaps, sentence
from gradnorm.runs.doctor import examine
from gradnorm.runs.faults import DamageError, StoreError
from gradnorm.runs.records import Checkpoint, Event
from gradnorm.runs.store import RunStore
from tests.factories import SPEC, evaluation, finished, rows_of, step_records


def make(home: Path, title: str = "a run") -> str:
    """Put a run of steps 1 … 60, in three blocks, into a home."""
    store = RunStore(home)
    run = store.create(title, SPEC, ["a", "b"], queued=False)
    for first in (1, 21, 41):
        change = Event(first, "alpha", first / 8, 7.0)
        store.append(run, step_records(first, first + 19), [evaluation(first + 19)], 1.0, [change])
    store.checkpoints.write(run, Checkpoint(40, b"at forty"))
    store.checkpoints.write(run, Checkpoint(60, b"at sixty"))
    store.end(run, finished(60))
    store.close()
    return run


def spoil(path: Path, found: bytes) -> None:
    """Change one bit of the one place in a file where something is."""
    content = path.read_bytes()
    assert content.count(found) == 1
    path.write_bytes(content.replace(found, bytes([found[0] ^ 1]) + found[1:]))


def spoil_step(home: Path, step: int) -> None:
    spoil(home / "gradnorm.db", rows_of(step_records(step, step)).tobytes())


def test_a_damaged_block_is_named_and_left_out(home):
    damaged, store = make(home), RunStore(home)
    sound = store.create("another", SPEC, ["a", "b"], queued=False)
    store.append(sound, step_records(1, 20))
    store.close()
    path, step = home / "gradnorm.db", rows_of(step_records(30, 30)).tobytes()[:12]
    # SQLite may have left a former copy of a row in a page's free space.
    path.write_bytes(path.read_bytes().replace(step, step[:-1] + bytes([step[-1] ^ 4])))
    store = RunStore(home)
    snapshot = store.read(damaged)
    assert snapshot.scalar("step").tolist() == [*range(1, 21), *range(41, 61)]
    assert snapshot.damage == (Damage("records", 21, 40),)
    assert (len(store.read(sound).rows), store.read(sound).damage) == (20, ())
    assert store.read(damaged, 0, 20).damage == store.read(damaged, 40).damage == ()
    document = io.BytesIO()
    tables.write(store, damaged, "json", document)
    written = json.loads(document.getvalue())
    assert [step["step"] for step in written["steps"]] == [*range(1, 21), *range(41, 61)]
    assert written["damage"] == [{"kind": "records", "first": 21, "last": 40}]
    told = sentence(damaged, snapshot.damage)
    assert f"run {damaged}" in told
    assert "records of steps 21–40." in told
    sink = io.BytesIO()
    tables.write(store, damaged, "csv", sink)
    store.close()


def test_an_export_of_a_damaged_run_says_so_beside_it(home, capsys):
    run = make(home)
    spoil_step(home, 30)
    assert main(["export", run]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + 40 + 1  # the evaluation of step 40 keeps its row
    assert err.count("\n") == 1
    assert "records of steps 21–40" in err


@pytest.mark.parametrize(
    ("found", "damage"),
    [
        (b'{"step": 40,', Damage("evaluations", 40, 40)),
        (b"alpha2.625", Damage("changes", 0, 60)),
    ],
)
def test_a_damaged_evaluation_or_change_is_left_out(found, damage, home):
    run = make(home)
    spoil(home / "gradnorm.db", found)
    store = RunStore(home)
    snapshot = store.read(run)
    assert snapshot.damage == (damage,)
    assert (len(snapshot.rows), len(snapshot.evaluations) + len(snapshot.events)) == (60, 5)
    store.close()


def test_a_run_with_a_damaged_description_is_named_and_not_changed(home, capsys):
    other, run = make(home), make(home, "the damaged run")
    spoil(home / "gradnorm.db", b"the damaged run")
    store = RunStore(home)
    assert [info.run for info in store.runs()] == [other]
    assert run in store.damage()
    for use in (store.info, store.read, lambda run: store.append(run, step_records(61, 61))):
        with pytest.raises(DamageError, match=run):
            use(run)
    store.close()
    assert main(["runs"]) == 0
    assert run in capsys.readouterr().err


def test_a_change_that_waits_for_the_next_step_is_not_said_to_be_missing(home):
    run, store = make(home), RunStore(home)
    steps = store.info(run).steps
    store.append(run, [], events=[Event(steps + 1, "alpha", 0.5, 1.0)])
    assert store.read(run, 0, steps).damage == store.read(run).damage == ()


def test_what_was_never_damaged_is_not_said_to_be(home):
    make(home)
    store = RunStore(home)
    run = store.create("forked", SPEC, ["a", "b"], queued=False, parent=store.runs()[0].run, forked_at=40)
    store.append(run, step_records(41, 50), [evaluation(50)])
    store.rewind(run, 45, 45)
    assert store.read(run).damage == ()
    assert store.read(run).scalar("step").tolist() == [41, 42, 43, 44, 45]
    store.end(run, finished(45))
    store.close()
    assert examine(home) == []


def test_a_run_does_not_go_on_from_within_a_damaged_block(home):
    run = make(home)
    spoil_step(home, 30)
    store = RunStore(home)
    with pytest.raises(DamageError, match=r"To go on from step 30, .* Found those around it damaged"):
        store.rewind(run, 30, 30)
    store.rewind(run, 40, 40)
    assert store.info(run).steps == 40
    store.close()


def test_the_doctor_finds_nothing_wrong_in_a_sound_home(home, capsys):
    make(home)
    assert main(["doctor", "--home", str(home)]) == 0
    assert capsys.readouterr().out == f"Nothing wrong in {home}.\n"


def test_the_doctor_says_what_is_wrong_mends_it_and_keeps_what_was_there(home, capsys):
    run = make(home)
    spoil_step(home, 30)
    spoil(home / "checkpoints" / run / "0000000060.ckpt", b"at sixty")
    (home / "checkpoints" / "of-no-run").mkdir()
    before = (home / "gradnorm.db").read_bytes()
    assert main(["doctor", "--home", str(home)]) == 1
    said = capsys.readouterr().out
    for part in ("records of steps 21–40", "0000000060.ckpt should have the SHA-256", "of-no-run", "--repair"):
        assert part in said
    assert (home / "gradnorm.db").read_bytes() == before

    assert main(["doctor", "--home", str(home), "--repair", "--json", "-"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in told["findings"]] == ["records", "checkpoint", "orphan"]
    assert [(each["kind"], each["run"]) for each in told["left"]] == [("lost", run)]
    assert len(told["repaired"]) == 4
    (kept,) = home.glob("gradnorm.db.damaged-*")
    assert kept.read_bytes() == before
    assert [*home.glob("checkpoints.orphaned-*/of-no-run")]
    store = RunStore(home)
    assert store.read(run).scalar("step").tolist() == [*range(1, 21), *range(41, 61)]
    assert store.checkpoints.steps(run) == [40]
    store.close()


def test_a_home_that_is_none_is_refused_by_the_doctor(tmp_path, capsys):
    assert main(["doctor", "--home", str(tmp_path / "none")]) == 2
    assert "should hold a file gradnorm.db" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_database_is_said_to_be_damaged(home, capsys):
    home.mkdir(exist_ok=True)
    (home / "gradnorm.db").write_bytes(b"no database at all " * 1000)
    with pytest.raises(StoreError, match=r"should be as it was written. Found it damaged .*gradnorm doctor"):
        RunStore(home)
    assert main(["runs"]) == 2
    assert main(["doctor"]) == 1
    assert main(["doctor", "--repair"]) == 2
    assert "move it away to begin a new home" in capsys.readouterr().err


def test_the_mean_of_damaged_weights_is_refused(home):
    run = make(home)
    store = RunStore(home)
    assert len(mean_weights(store, run)) == 2
    store.close()
    spoil_step(home, 30)
    store = RunStore(home)
    with pytest.raises(DamageError, match="records of steps 21–40"):
        mean_weights(store, run)
    store.close()


def test_gaps_are_what_no_span_holds():
    assert gaps([(1, 3), (7, 9)], 1, 12) == [(4, 6), (10, 12)]
    assert gaps([(1, 20)], 5, 10) == []
    assert gaps([], 5, 4) == []
    assert gaps([(8, 9)], 1, 4) == [(1, 4)]
