"""The Compare page without a browser: what the address names is compared, and controls change the address."""

from __future__ import annotations

import pytest

from gradnorm.ui.lab import lab
from tests.comparison.made import make
from tests.pages.conftest import shown

# Whole pages: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow


@pytest.fixture
def runs():
    store = lab().store
    made = [make(store, [4.0, 1.0 + seed], seed=seed) for seed in (0, 1)]
    return [*made, *(make(store, [4.0, 3.0], method="equal", seed=seed) for seed in (0, 1))]


@pytest.fixture
def opened(tab, runs):
    """Open the page; an address of its own takes the place of all runs."""

    def open_page(**query):
        page = tab("compare")
        visit(page, **{"runs": ",".join(runs), **query})
        return page

    return open_page


def visit(page, **query):
    """Go to another address of the page; a browser drops the query of the page before."""
    page.at.query_params.clear()
    for key, value in query.items():
        page.at.query_params[key] = value
    page.rerun()


def texts(page):
    return " ".join(html.proto.body for html in page.at.get("html"))


def warnings(page):
    return [shown(warning) for warning in page.at.warning]


def test_without_runs_it_says_what_to_do(tab):
    page = tab("compare")
    (info,) = page.at.info
    assert "Choose runs here, or on the Runs page." in info.value


def test_runs_of_the_address_are_compared(opened):
    page = opened()
    assert not page.at.warning
    assert "1.5 ± 0.71" in texts(page)
    assert "−1.5 (p 0.5)" in texts(page)
    assert len(page.at.get("plotly_chart")) == 2
    assert [button.label for button in page.at.get("download_button")] == ["CSV", "LaTeX", "HTML report"]


def test_what_the_address_cannot_name_is_told_and_dropped(opened, runs):
    page = opened(runs=f"{runs[0]},nope", by="week", baseline="none", metric="weights.nothing")
    told = warnings(page)
    assert len(told) == 4
    assert any("There is no run 'nope' here." in each for each in told)
    assert any("The baseline should be one of the compared runs. Found 'none'." in each for each in told)
    assert any("Found 'weights.nothing'." in each for each in told)
    # The run may come back, as from a trash; the rest is written anew.
    assert page.query == {"runs": f"{runs[0]},nope"}
    page.rerun()
    assert len(warnings(page)) == 1


def test_a_run_that_is_deleted_is_told_and_the_rest_stays(opened, runs):
    page = opened()
    lab().store.delete(runs[0])
    page.rerun()
    assert any(f"There is no run {runs[0]!r} here." in each for each in warnings(page))
    assert "2 ± " not in texts(page)


def test_controls_change_the_address(opened, runs):
    page = opened()
    page.at.button_group(key="compare-by").set_value("time").run()
    page.at.button_group(key="compare-score").set_value("last").run()
    page.set("number_input", "compare-last", 1)
    page.set("toggle", "compare-log", True)
    (metric,) = [select for select in page.at.multiselect if select.label == "Curves"]
    metric.set_value(["weights.depth", "test_metric.classes.miou"]).run()
    (baseline,) = [select for select in page.at.selectbox if select.label == "Baseline"]
    baseline.set_value(runs[0]).run()
    page.check()
    flat = {key: value if len(value) > 1 else value[0] for key, value in dict(page.at.query_params).items()}
    assert flat == {
        "runs": ",".join(runs),
        "by": "time",
        "score": "last",
        "last": "1",
        "log": "1",
        "metric": ["weights.depth", "test_metric.classes.miou"],
        "baseline": runs[0],
    }
    assert len(page.at.get("plotly_chart")) == 3
    assert "Δm" in texts(page)


def test_runs_can_be_taken_away_to_the_last(opened, runs):
    page = opened()
    for left in (runs[2:], []):
        (chosen,) = [select for select in page.at.multiselect if select.label == "Compared runs"]
        chosen.set_value(left).run()
        page.check()
    assert page.at.info
    assert "runs" not in page.query


def test_the_page_is_as_it_was_after_another_one(opened, runs):
    page = opened(by="time")
    page.open("lesson")
    page.at.query_params.clear()
    page.open("compare")
    assert page.query == {"runs": ",".join(runs), "by": "time"}
