"""The list of runs: what it says, what can be done with the ticked ones."""

from __future__ import annotations

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.runs.query import Query
from gradnorm.runs.records import Outcome
from gradnorm.ui.lab import lab
from gradnorm.ui.runs.table import _Mount, _take
from tests.factories import TINY, evaluation, finished, step_records
from tests.many_runs import seed as fill

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


def test_several_ticked_runs_can_be_downloaded_and_compared(tab, tick):
    runs = [make(seed=seed) for seed in (1, 2, 3)][::-1]
    page = tab("runs")
    tick(0, 2)
    page.rerun()
    chosen = f"{runs[0]},{runs[2]}"
    (links,) = [html.proto.body for html in page.at.get("html") if "Download" in html.proto.body]
    assert f"/live/{chosen}/export/csv" in links
    (compare,) = page.at.get("link_button")
    assert compare.proto.url == f"/compare?runs={chosen}"


@pytest.mark.parametrize("rows", [(0,), (0, 2), (0, 1, 2)])
def test_ticked_runs_go_into_the_trash_and_come_back(tab, tick, rows):
    runs = [make(seed=seed) for seed in (1, 2, 3)][::-1]
    page = tab("runs")
    tick(*rows)
    page.rerun()
    page.press("trash")
    tick()
    assert listed() == [run for i, run in enumerate(runs) if i not in rows]
    page.press("undo")
    assert listed() == runs
    assert [button.key for button in page.at.button if button.key == "undo"] == []


def listed():
    return [info.run for info in lab().store.runs()]


def test_runs_in_the_trash_are_put_back_or_deleted(tab, tick):
    runs = [make(seed=seed) for seed in (1, 2, 3)][::-1]
    lab().store.catalogue.trash(runs)
    page = tab("runs")
    page.set("toggle", "run-trashed", True)
    assert page.query == {"trash": "1"}
    assert any("30 days" in caption.value for caption in page.at.caption)
    tick(0)
    page.rerun()
    page.press("restore")
    assert listed() == [runs[0]]
    page.press("delete")
    assert lab().store.catalogue.ids(Query(trashed=True)) == [runs[2]]
    tick()
    page.rerun()
    page.press("empty")
    assert lab().store.catalogue.ids(Query(trashed=True)) == []
    assert listed() == [runs[0]]
    assert any("The trash is empty" in info.value for info in page.at.info)


def test_a_run_that_goes_on_does_not_go_into_the_trash(tab, tick):
    store = lab().store
    make(seed=1)
    going = store.create("going", SPEC.flat(), SPEC.dataset.task_names, queued=False)
    page = tab("runs")
    tick(0, 1)
    page.rerun()
    assert any("can't go into the trash" in caption.value for caption in page.at.caption)
    page.press("trash")
    assert listed() == [going]
    store.end(going, finished(0))


def test_a_run_deleted_elsewhere_is_no_fault(tab, tick):
    run = make(seed=1)
    make(seed=2)
    page = tab("runs")
    tick(1)
    page.rerun()
    lab().store.delete(run)
    page.press("trash")
    assert len(lab().store.runs()) == 1


def test_search_filters_order_and_page_are_in_the_address(tab):
    runs = [make(seed=seed, steps=seed + 1) for seed in range(5)]
    page = tab("runs")
    page.set("text_input", "run-search", "seed>=1 steps<5")
    page.set("selectbox", "run-sort", "steps")
    assert page.query == {"q": "seed>=1 steps<5", "sort": "steps"}
    expected = [f"/?run={run}" for run in (runs[3], runs[2], runs[1])]
    assert list(table(page)["Run"]) == expected
    page.set("selectbox", "run-state", "failed")
    assert any("No run matches" in info.value for info in page.at.info)
    page.press("clear")
    assert page.query == {"sort": "steps"}
    assert len(table(page)) == 5


def test_an_address_is_shown_as_it_says(tab):
    runs = [make(seed=seed) for seed in range(3)]
    store = lab().store.catalogue
    store.tag(runs[:2], ["keep"])
    store.pin([runs[0]])
    page = tab()
    page.open("runs")
    page.at.query_params["tag"] = "keep"
    page.at.query_params["page"] = "9"
    page.rerun()
    assert list(table(page)["Run"]) == [f"/?run={run}" for run in runs[:2]]
    assert page.at.selectbox(key="run-tag").value == "keep"
    assert list(table(page)["Tags"].map(list)) == [["keep"], ["keep"]]


def test_many_runs_are_shown_page_by_page(tab, home):
    fill(home, 120)
    page = tab("runs")
    assert len(table(page)) == 50
    page.at.query_params["page"] = "3"
    page.rerun()
    assert len(table(page)) == 20


def test_all_that_match_are_tagged_and_pinned_at_once(tab, home):
    fill(home, 120)
    page = tab("runs")
    page.set("text_input", "run-search", "method=dwa")
    (every,) = [box for box in page.at.checkbox if box.label == "Choose all 30"]
    every.check().run()
    page.set("multiselect", "tags-add", ["keep"])
    page.press("tag")
    catalogue = lab().store.catalogue
    assert set(catalogue.ids(Query(tag="keep"))) >= set(catalogue.ids(Query(method="dwa")))
    page.check()


def test_what_is_typed_into_the_table_is_stored_once(monkeypatch):
    first, second = make(seed=1), make(seed=2)
    store, mount, typed = lab().store, _Mount("key"), {0: {"Name": "mine"}}
    # The browser sends all that was typed since the table was made, each time.
    monkeypatch.setattr("streamlit.session_state", {"key": {"edited_rows": typed}})
    _take(mount, [second, first])
    assert store.info(second).labels.name == "mine"
    store.catalogue.rename(second, "another's")
    typed[1] = {"Tags": ["a", "b"], "Pin": True, "✓": True}
    _take(mount, [second, first])
    assert store.info(second).labels.name == "another's"
    labels = store.info(first).labels
    assert (labels.tags, labels.pinned) == (("a", "b"), True)
    typed[1] = {"Tags": ["b"], "Pin": False}
    _take(mount, [second, first])
    labels = store.info(first).labels
    assert (labels.tags, labels.pinned) == (("b",), False)
