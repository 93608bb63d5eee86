"""Runs of a home that was damaged: what can be read is compared, and the rest is named."""

from __future__ import annotations

from gradnorm.comparison.curves import curves
from gradnorm.comparison.groups import grouped
from gradnorm.comparison.loading import load
from gradnorm.comparison.measures import Measure
from gradnorm.runs.store import RunStore
from tests.runs.test_damage import make, spoil, spoil_step


def test_a_run_whose_description_is_damaged_is_left_out_and_named(home):
    other, run = make(home), make(home, "the damaged run")
    spoil(home / "gradnorm.db", b"the damaged run")
    store = RunStore(home)
    found = load(store, [run, other])
    assert [each.info.run for each in found.runs] == [other]
    (fault,) = found.faults
    assert fault.startswith(f"Run {run} is left out. The description of run {run} should be as it was written.")
    store.close()


def test_a_damaged_evaluation_is_left_out_and_told(home):
    run = make(home)
    spoil(home / "gradnorm.db", b'{"step": 40,')
    store = RunStore(home)
    found = load(store, [run])
    assert [each.step for each in found.runs[0].evaluations] == [20, 60]
    assert found.faults[0].startswith(f"The records of run {run} should be as they were written. Found missing")
    store.close()


def test_damaged_records_are_told_where_they_would_be_drawn(home):
    run = make(home)
    spoil_step(home, 30)
    store = RunStore(home)
    found = load(store, [run])
    assert found.faults == ()
    (curve,), (told,) = curves(store, grouped(found.runs), Measure("weights", "a"), "step")
    assert (curve.x[0], curve.x[-1], len(curve.x)) == (1, 60, 40)
    assert "records of steps 21–40" in told
    store.close()
