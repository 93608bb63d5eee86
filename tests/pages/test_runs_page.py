"""The list of runs: what it says, what can be done with the ticked ones."""

from __future__ import annotations

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.runs.records import Outcome
from gradnorm.ui.lab import lab
from tests.factories import TINY, evaluation, finished, step_records

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

SPEC = RunSpec.parse(TINY)


def make(steps: int = 10, *, seed: int = 0, outcome: Outcome | None = None) -> str:
    """Put a run into the store as if it had been trained."""
    spec = RunSpec.parse({**TINY, "seed": seed, "steps": max(steps, 1)})
    store = lab().store
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    store.start(run, "cpu")
    store.append(run, step_records(1, steps), [evaluation(steps)], 1.5)
    store.end(run, outcome or finished(steps))
    return run


def table(page):
    return page.at.dataframe[0].value


def test_an_empty_home_says_what_to_do(tab):
    page = tab("runs")
    (info,) = page.at.info
    assert "Playground" in info.value
    assert not page.at.dataframe


def test_runs_are_listed_newest_first(tab):
    first = make(seed=1)
    second = make(5, seed=2, outcome=Outcome("diverged", 5, "The loss of task 1 was inf.", "task 1", float("inf")))
    page = tab("runs")
    rows = table(page)
    assert list(rows["Run"]) == [f"/?run={second}", f"/?run={first}"]
    assert list(rows["State"]) == ["diverged", "finished"]
    assert list(rows["Steps"]) == [5, 10]
    assert rows["Done"].iloc[1] == 1.0
    assert rows["Ending"].iloc[0] == "The loss of task 1 was inf."
    assert SPEC.title.split(" · ")[0] in rows["What"].iloc[0]


def test_one_ticked_run_can_be_downloaded(tab, tick):
    make(seed=1)
    run = make(seed=2)
    page = tab("runs")
    tick(0)
    page.rerun()
    (links,) = [html.proto.body for html in page.at.get("html") if "Download" in html.proto.body]
    for kind in ("csv", "parquet", "json", "spec"):
        assert f"/live/{run}/export/{kind}" in links


@pytest.mark.parametrize("rows", [(0,), (0, 2), (0, 1, 2)])
def test_ticked_runs_are_deleted_and_no_others(tab, tick, rows):
    runs = [make(seed=seed) for seed in (1, 2, 3)][::-1]
    page = tab("runs")
    tick(*rows)
    page.rerun()
    page.press("delete")
    assert [info.run for info in lab().store.runs()] == [run for i, run in enumerate(runs) if i not in rows]


def test_a_run_that_goes_on_is_not_deleted(tab, tick):
    store = lab().store
    ended = make(seed=1)
    going = store.create("going", SPEC.flat(), SPEC.dataset.task_names, queued=False)
    page = tab("runs")
    tick(0, 1)
    page.rerun()
    assert any("can't be deleted" in caption.value for caption in page.at.caption)
    page.press("delete")
    assert [info.run for info in store.runs()] == [going]
    assert ended not in {info.run for info in store.runs()}
    store.end(going, finished(0))


def test_a_run_deleted_elsewhere_is_no_fault(tab, tick):
    run = make(seed=1)
    make(seed=2)
    page = tab("runs")
    tick(1)
    page.rerun()
    lab().store.delete(run)
    page.press("delete")
    assert len(lab().store.runs()) == 1
