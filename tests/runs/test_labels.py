"""What users say of runs is kept beside their records; the trash hides runs, and gives them back."""

from __future__ import annotations

import time

import pytest

from gradnorm.runs.database import Database
from gradnorm.runs.labels import LabelError
from gradnorm.runs.query import Query
from gradnorm.runs.records import Checkpoint, Outcome
from gradnorm.runs.run_table import change
from gradnorm.runs.store import RunStore, UnknownRunError
from tests.factories import SPEC, evaluation, finished, step_records

TASKS = ("a", "b")


def ended(store, title="a run"):
    run = store.create(title, SPEC, TASKS, queued=False)
    store.append(run, step_records(1, 3), [evaluation(3)])
    store.end(run, finished(3))
    return run


def test_labels_are_kept_beside_the_records(store):
    run = ended(store)
    before = store.read(run)
    store.catalogue.rename(run, "  The   one ")
    store.catalogue.note(run, "line one\nline two\n")
    store.catalogue.tag([run], ["paper", " paper", "Ü"])
    store.catalogue.tag([run], ["late"], ["paper", "never"])
    store.catalogue.pin([run])
    labels = RunStore(store.home).info(run).labels
    assert (labels.name, labels.notes, labels.tags) == ("The one", "line one\nline two", ("late", "Ü"))
    assert (labels.pinned, labels.trashed) == (True, None)
    after = store.read(run)
    assert (after.rows.tolist(), after.evaluations) == (before.rows.tolist(), before.evaluations)
    store.catalogue.pin([run], False)
    assert not store.info(run).labels.pinned


def test_a_run_that_goes_on_keeps_its_labels(store):
    run = store.create("a run", SPEC, TASKS, queued=False)
    store.catalogue.rename(run, "named")
    store.append(run, step_records(1, 3))
    store.end(run, finished(3))
    assert (store.info(run).labels.name, store.info(run).steps) == ("named", 3)


def test_labels_that_cannot_be_are_refused_and_nothing_is_changed(store):
    run = ended(store)
    with pytest.raises(LabelError, match=r"at most 200 characters. Found 201"):
        store.catalogue.rename(run, "x" * 201)
    with pytest.raises(LabelError, match=r"without a comma. Found 'a,b'"):
        store.catalogue.tag([run], ["a,b"])
    with pytest.raises(UnknownRunError):
        store.catalogue.pin([run, "nope"])
    assert store.info(run).labels == store.info(ended(store)).labels


def test_the_trash_hides_runs_and_gives_them_back(store):
    kept, gone = ended(store), ended(store)
    store.catalogue.trash([gone])
    assert [info.run for info in store.runs()] == [kept]
    assert store.catalogue.ids(Query()) == [kept]
    assert store.catalogue.ids(Query(trashed=True)) == [gone]
    assert store.read(gone).rows.shape[0] == 3
    store.catalogue.restore([gone])
    assert [info.run for info in store.runs()] == [gone, kept]
    assert store.catalogue.empty() == 0


def test_only_runs_that_have_ended_go_into_the_trash(store):
    over, going = ended(store), store.create("going", SPEC, TASKS, queued=False)
    with pytest.raises(LabelError, match=f"Found running: {going}. Stop it first"):
        store.catalogue.trash([over, going])
    assert len(store.runs()) == 2


def test_a_run_that_is_continued_leaves_the_trash(store):
    run = store.create("a run", SPEC, TASKS, queued=False)
    store.end(run, Outcome("stopped", 0))
    store.catalogue.trash([run])
    store.requeue(run)
    assert store.info(run).labels.trashed is None
    assert [info.run for info in store.runs()] == [run]


def test_the_trash_is_emptied_by_hand_or_after_30_days(store):
    kept, old, new = ended(store), ended(store), ended(store)
    store.catalogue.trash([old, new])
    store.checkpoints.write(old, Checkpoint(1, b"state"))
    with Database(store.home / "gradnorm.db").write() as db:
        change(db, "trashed = ?", "run = ?", (time.time() - 31 * 86_400, old))
    assert store.catalogue.expire() == 1
    assert store.checkpoints.runs() == []
    with pytest.raises(UnknownRunError):
        store.info(old)
    assert store.catalogue.expire() == 0
    assert store.catalogue.empty() == 1
    assert store.catalogue.ids(Query()) == [kept]
    assert store.catalogue.ids(Query(trashed=True)) == []


def test_a_list_that_is_damaged_in_part_is_searched_in_the_rest(store):
    runs = [ended(store, f"run {i}") for i in range(5)]
    with Database(store.home / "gradnorm.db").write() as db:
        db.execute("UPDATE runs SET spec = '{broken' WHERE run = ?", (runs[2],))
    expected = [runs[i] for i in (4, 3, 1, 0)]
    for query in (Query(text="tasks=2"), Query(text="run", dataset="toy"), Query(sort="loss", method="gradnorm")):
        assert [entry.info.run for entry in store.catalogue.find(query).entries] == expected
    assert store.catalogue.choices().datasets == ("toy",)
    assert runs[2] in store.damage()
    assert len(store.runs()) == 4  # and the table is still the database's own
