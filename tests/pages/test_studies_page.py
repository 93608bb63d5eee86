"""The Studies page: a study is started, watched and steered there."""

from __future__ import annotations

import pytest

from gradnorm.studies.alpha import AlphaStudy
from gradnorm.studies.grid import FixedStudy, GridStudy
from gradnorm.studies.table import TableStudy
from gradnorm.ui.lab import lab, studies
from tests.factories import TINY, wait_for
from tests.pages.conftest import PATIENCE, shown

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

SMALL = {"dataset": "toy", "tasks": "2", "sigmas": "1,2", "batch_size": "4", "width": "8", "depth": "1", "steps": "60"}
STUDIES = [
    AlphaStudy.parse(TINY, {"alphas": "0,1", "seeds": "1"}),
    GridStudy.parse(TINY, {"count": 4, "seeds": "1"}),
    FixedStudy.parse(TINY, {"around": 1, "seeds": "1"}),
    TableStudy.parse(TINY, {"methods": "equal", "seeds": "1"}),
]


def finish(study: str) -> None:
    studies().start()
    wait_for(lambda: lab().store.studies.info(study).state == "finished", PATIENCE)


def texts(page) -> str:
    every = [*page.at.caption, *page.at.success, *page.at.info, *page.at.markdown, *page.at.subheader]
    return " ".join(shown(each) for each in every)


def test_an_empty_home_says_what_to_do(tab):
    page = tab("studies")
    assert "No studies yet" in texts(page)


def test_a_study_is_started_with_the_settings_of_the_playground_and_has_an_address(tab):
    page = tab("studies", **SMALL)
    page.set("text_input", "option:alphas", "0, 2")
    page.set("text_input", "option:seeds", "7")
    assert "3 runs with 180 steps" in texts(page)
    page.press("start study")
    (info,) = lab().store.studies.all()
    assert page.query == {"study": info.study}
    assert (info.spec["alphas"], info.spec["seeds"], info.spec["base"]["steps"]) == ([0, 2], [7], 60)
    finish(info.study)
    page.rerun()
    assert "Suggested α" in texts(page)
    assert len(page.at.dataframe[-1].value) == 3
    page.press("all studies")
    assert page.query == {}
    assert list(page.at.dataframe[0].value["Study"]) == [f"/studies?study={info.study}"]


def test_a_value_that_cannot_be_is_said_and_not_taken(tab):
    page = tab("studies", **SMALL)
    page.set("text_input", "option:alphas", "9")
    assert "different numbers in [0, 5]" in " ".join(page.errors)
    assert page.widget("text_input", "option:alphas").value == "0, 0.12, 0.5, 1, 2"


def test_a_study_on_a_cluster_says_what_sends_its_runs_there(tab):
    made = lab().store.studies.create("grid", "a grid", STUDIES[1].model_dump(mode="json"), "ray")
    page = tab("studies", study=made)
    page.at.session_state["gradnorm.study"] = made
    page.rerun()
    assert (
        f"sent to Ray by the command that started it. If that has ended, go on with `gradnorm study resume {made}`"
        in texts(page)
    )


@pytest.mark.parametrize("study", STUDIES, ids=[study.kind for study in STUDIES])
def test_each_kind_shows_what_it_says(study, tab):
    made = studies().launch(study)
    page = tab("studies", study=made)  # the query of the first page does not lead here
    page.at.session_state["gradnorm.study"] = made
    page.rerun()
    assert study.title in texts(page)
    finish(made)
    page.rerun()
    assert "finished" in page.at.get("progress")[0].proto.text
    assert len(page.at.get("plotly_chart")) == {"alpha": 2, "table": 0}.get(study.kind, 1)
    if study.kind == "table":
        assert "| task 1 alone |" in texts(page)
    if study.kind == "fixed":
        assert page.at.code[0].value.startswith("loss = ")


def test_buttons_pause_stop_and_resume(tab):
    made = studies().launch(AlphaStudy.parse({**TINY, "steps": 1_000_000}, {"alphas": "0", "seeds": "1"}))
    page = tab("studies")
    page.at.session_state["gradnorm.study"] = made
    page.rerun()
    for key, state, button in (
        ("study pause", "paused", "study resume"),
        ("study resume", "running", "study pause"),
        ("study stop", "stopped", "study resume"),
    ):
        page.press(key)
        assert lab().store.studies.info(made).state == state
        page.rerun()
        assert not page.at.button(key=button).disabled


def test_an_unknown_study_is_said(tab):
    page = tab()
    page.at.session_state["gradnorm.study"] = "nix"
    page.open("studies")
    assert "Found 'nix'" in " ".join(page.errors)
