"""The lesson: every step shows, its controls change its chart, its address is its state."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gradnorm.ui.lesson.page import pages
from tests.factories import ROOT
from tests.pages.conftest import Tab

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

STEPS = len(pages())


def opened(**query: str) -> Tab:
    return Tab("lesson", **query)


def figures(page: Tab) -> list[str]:
    return [json.dumps(json.loads(chart.proto.spec)) for chart in page.at.get("plotly_chart")]


def texts(page: Tab) -> str:
    return "\n".join(element.value for element in page.at.markdown)


def at_step(step: int, **query: str) -> Tab:
    page = opened()
    page.at.query_params["step"] = str(step)
    for key, value in query.items():
        page.at.query_params[key] = value
    page.rerun()
    return page


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_every_step_has_words_a_chart_a_question_and_an_answer(step):
    page, words = at_step(step), pages()[step - 1]
    assert [header.value for header in page.at.header] == [words.title]
    assert words.text in texts(page)
    assert words.question in texts(page)
    assert words.answer in texts(page)
    assert f"{step} / {STEPS}" in texts(page)
    assert figures(page)
    assert page.query == {"step": str(step)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "kind", "key", "value"),
    [
        (1, "select_slider", "lesson-sigma", 5.0),
        (2, "select_slider", "lesson-norms-step", 60),
        (2, "button_group", "lesson-norms", "Equal weights"),
        (3, "button_group", "lesson-rates", "GradNorm"),
        (4, "select_slider", "lesson-target-alpha", 2.0),
        (4, "select_slider", "lesson-target-step", 60),
        (5, "select_slider", "lesson-alpha", 3.0),
        (6, "button_group", "lesson-renormalise", "Off"),
        (6, "select_slider", "lesson-weight-rate", 0.1),
        (7, "select_slider", "lesson-noise-alpha", 0.5),
    ],
)
def test_every_control_changes_the_chart_and_what_is_read_from_it(step, kind, key, value):
    page = at_step(step)
    before, read = figures(page), texts(page)
    page.set(kind, key, value)
    assert figures(page) != before
    assert texts(page) != read
    assert getattr(page.at, kind)(key=key).value == value


def test_turning_pages_writes_the_address_and_settings_stay():
    page = opened()
    page.set("select_slider", "lesson-sigma", 5.0)
    assert page.at.button(key="lesson-previous").disabled
    page.press("lesson-next")
    assert page.query == {"step": "2"}
    page.press("lesson-previous")
    assert page.query == {"step": "1"}
    assert page.at.select_slider(key="lesson-sigma").value == 5.0
    page.set("button_group", "lesson.list", STEPS)
    assert page.query == {"step": str(STEPS)}
    assert page.at.button(key="lesson-next").disabled


def test_runs_that_were_tried_stay_on_the_chart():
    page = at_step(5)
    for alpha in (0.0, 3.0):
        page.set("select_slider", "lesson-alpha", alpha)
    (figure,) = figures(page)
    assert json.loads(figure)["data"][1]["x"] == ["equal", "0", "0.5", "3"]


@pytest.mark.parametrize("given", ["0", "99", "two", "-1", "1.5", ""])
def test_a_step_that_is_not_there_is_the_first_with_a_word(given):
    page = opened()
    page.at.query_params["step"] = given
    page.rerun()
    (warning,) = page.at.warning
    assert f"1 to {STEPS}" in warning.value
    assert page.query == {"step": "1"}
    assert not page.errors


def test_presenters_mode_is_in_the_address_and_has_larger_letters():
    page = opened()
    page.press("lesson-next")
    size = json.loads(figures(page)[0])["layout"]["font"]["size"]
    page.press("lesson-present")
    assert page.query == {"step": "2", "present": "1"}
    assert json.loads(figures(page)[0])["layout"]["font"]["size"] > size
    page.press("lesson-next")
    assert page.query == {"step": "3", "present": "1"}
    page.press("lesson-present")
    assert page.query == {"step": "3"}


def test_the_playground_keeps_its_settings():
    page = Tab(tasks="3", sigmas="1,2,3")
    spec = page.spec
    page.at.query_params.clear()
    page.open("lesson")
    page.at.query_params.clear()
    page.open("playground")
    assert page.spec == spec
    assert not page.errors


@pytest.mark.slow
def test_the_page_does_not_load_torch():
    code = "import sys, gradnorm.ui.lesson.page; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=120)
