"""Which runs are of one group, what groups are called, and what they differ in."""

from __future__ import annotations

from gradnorm.comparison.groups import differing, grouped
from gradnorm.runs.records import Checkpoint, Event
from tests.comparison.made import SPEC, TASKS, loaded, make


def groups(store, *runs):
    return grouped(loaded(store, *runs))


def test_runs_that_differ_in_the_seed_alone_are_one_group(store):
    first, other = make(store, [1.0], seed=0), make(store, [1.0], alpha=1.5)
    again, same = make(store, [1.0], seed=3), make(store, [1.0], seed=3)
    found = groups(store, first, other, again, same)
    assert [[run.info.run for run in group.runs] for group in found] == [[first, again, same], [other]]
    assert [group.label for group in found] == ["GradNorm α 0.5", "GradNorm α 1.5"]
    assert found[0].seeds == [0, 3]
    assert found[0].by_seed([1.0, 2.0, 4.0]) == {0: 1.0, 3: 3.0}
    assert found[0].by_seed([None, 2.0, None]) == {3: 2.0}


def test_a_run_that_was_changed_while_it_ran_is_a_group_of_its_own(store):
    plain = make(store, [1.0, 1.0])
    moved = make(store, [1.0, 1.0], seed=1, changes=[Event(3, "alpha", 2.0, 0.0)])
    paused = make(store, [1.0, 1.0], seed=2, changes=[Event(3, "paused", True, 0.0), Event(4, "checkpoint", True, 0.0)])
    found = groups(store, plain, moved, paused)
    assert [len(group.runs) for group in found] == [2, 1]
    assert [group.label for group in found] == ["GradNorm α 0.5", "GradNorm α 0.5 (changed live)"]


def test_a_fork_is_no_run_from_the_start(store):
    parent = make(store, [1.0, 1.0, 1.0])
    store.checkpoints.write(parent, Checkpoint(10, b"state"))
    child = store.create("fork", SPEC, TASKS, queued=False, parent=parent, forked_at=10)
    assert [group.label for group in groups(store, parent, child)] == ["GradNorm α 0.5", "GradNorm α 0.5 from step 10"]


def test_scripts_that_say_no_seed_are_repetitions_that_match_no_other(store):
    spec = {"recorded": "my network", "seed": None, "method": None}
    runs = [make(store, [1.0], title="my network", **spec) for _ in range(2)]
    (group,) = groups(store, *runs)
    assert group.label == "my network"
    assert group.seeds == []
    assert group.by_seed([1.0, 2.0]) == dict(zip(runs, (1.0, 2.0), strict=True))


def test_groups_that_no_spec_tells_apart_have_the_ends_of_their_ids(store):
    one, two = make(store, [1.0]), make(store, [1.0], tasks=("a", "b"))
    assert [group.label for group in groups(store, one, two)] == [
        f"GradNorm α 0.5 ({one[-6:]})",
        f"GradNorm α 0.5 ({two[-6:]})",
    ]


def test_what_differs_is_listed_and_what_is_missing_is_none(store):
    runs = [make(store, [1.0]), make(store, [1.0], alpha=1.0), make(store, [1.0], method="equal", width=8)]
    assert differing(groups(store, *runs)) == {
        "method": ["gradnorm", "gradnorm", "equal"],
        "alpha": [0.5, 1.0, None],
        "width": [None, None, 8],
    }
    assert differing(groups(store, runs[0])) == {}


def test_a_name_that_a_user_gave_is_the_label(store):
    named, other = make(store, [1.0]), make(store, [1.0], alpha=1.0)
    store.catalogue.rename(named, "the good one")
    assert [group.label for group in groups(store, named, other)] == ["the good one", "GradNorm α 1"]
    # One name of two says nothing of the group.
    again = make(store, [1.0], seed=1)
    assert [group.label for group in groups(store, named, again, other)] == ["GradNorm α 0.5", "GradNorm α 1"]
