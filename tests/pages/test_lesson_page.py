"""The lesson: every step shows, its controls change its chart, its address is its state."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gradnorm.ui.lesson.contents import find, steps
from gradnorm.ui.lesson.place import FORMER
from tests.factories import ROOT
from tests.pages.conftest import Tab

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

STEPS = steps()


def figures(page: Tab) -> list[str]:
    return [json.dumps(json.loads(chart.proto.spec)) for chart in page.at.get("plotly_chart")]


def texts(page: Tab) -> str:
    return "\n".join(element.value for element in page.at.markdown)


def at_step(step: str, **query: str) -> Tab:
    page = Tab("lesson")
    return go_to(page, step=step, **query)


def go_to(page: Tab, **query: str) -> Tab:
    page.at.query_params.clear()
    for key, value in query.items():
        page.at.query_params[key] = value
    page.rerun()
    return page


def test_every_step_has_words_a_chart_a_question_and_an_answer():
    """But the last one but one, whose runs are long: the browser's tests see it."""
    page = Tab("lesson")
    for step in STEPS:
        if step.name == "equation":
            continue
        go_to(page, step=step.name)
        words = step.words
        assert [header.value for header in page.at.header] == [words.title]
        assert words.text in texts(page)
        assert words.question in texts(page)
        assert f"{step.number} / {len(STEPS)}" in texts(page)
        assert figures(page)
        assert page.query == {"step": step.name}
        assert words.answer not in texts(page)
        page.press("lesson-reveal")
        assert words.answer in texts(page)


@pytest.mark.parametrize(
    ("step", "kind", "key", "value", "spelled"),
    [
        ("drowning", "select_slider", "sigma", 5.0, "5"),
        ("by-hand", "select_slider", "ratio", 30.0, "30"),
        ("norms", "select_slider", "t", 60.0, "60"),
        ("norms", "button_group", "weights", "equal", "equal"),
        ("target", "select_slider", "alpha", 2.0, "2"),
        ("renormalise", "button_group", "renormalise", "off", "off"),
        ("renormalise", "select_slider", "rate", 0.1, "0.1"),
        ("limits", "button_group", "third", "solved", "solved"),
    ],
)
def test_every_control_changes_the_chart_and_the_address_which_leads_there(step, kind, key, value, spelled):
    page = at_step(step)
    before, read = figures(page), texts(page)
    page.set(kind, f"lesson-{step}-{key}", value)
    assert figures(page) != before
    assert texts(page) != read
    assert page.query == {"step": step, key: spelled}
    again = at_step(**page.query)
    assert getattr(again.at, kind)(key=f"lesson-{step}-{key}").value == value
    # Those that keep what was tried have more on them than an address says.
    assert find(step).trial.across or figures(again) == figures(page)


def test_turning_pages_writes_the_address_and_settings_stay():
    page = Tab("lesson")
    page.set("select_slider", "lesson-data-sigma", 5.0)
    assert page.at.button(key="lesson-previous").disabled
    page.press("lesson-next")
    assert page.query == {"step": "drowning"}
    page.press("lesson-previous")
    assert page.query == {"step": "data", "sigma": "5"}
    assert page.at.select_slider(key="lesson-data-sigma").value == 5.0
    page.set("button_group", "lesson.list", len(STEPS))
    assert page.query == {"step": STEPS[-1].name}
    assert page.at.button(key="lesson-next").disabled


def test_an_older_address_leads_back_and_a_press_that_comes_with_one_does_not():
    page = at_step("alpha", alpha="2")
    page.press("lesson-next")
    go_to(page, step="alpha", alpha="2")
    assert page.at.select_slider(key="lesson-alpha-alpha").value == 2.0
    # A browser that has not heard of the last address yet.
    page.at.query_params.clear()
    page.at.query_params["step"] = "data"
    page.press("lesson-next")
    assert page.query == {"step": "renormalise"}


def test_runs_that_were_tried_stay_on_the_chart():
    page = at_step("alpha")
    page.set("select_slider", "lesson-alpha-alpha", 3.0)
    (figure,) = figures(page)
    assert json.loads(figure)["data"][1]["x"] == ["equal", "0", "3"]


def test_a_guess_opens_the_answer_and_is_judged():
    page, right = at_step("by-hand"), find("by-hand").words.right
    page.set("button_group", "lesson-guess-by-hand", right)
    assert "**Right.**" in texts(page)
    page.set("button_group", "lesson-guess-by-hand", (right + 1) % 3)
    assert "**Not so.**" in texts(page)
    page.press("lesson-reveal")
    assert find("by-hand").words.answer not in texts(page)


@pytest.mark.parametrize("number", [1, 5])
def test_numbers_lead_where_they_used_to(number):
    assert at_step(str(number)).query == {"step": FORMER[number - 1]}


@pytest.mark.parametrize("given", ["0", "99", "two", "-1", "1.5", "", "</script>"])
def test_a_step_that_is_not_there_is_the_first_with_a_word(given):
    page = at_step(given)
    (warning,) = page.at.warning
    assert f"the first of {len(STEPS)}" in warning.value
    assert page.query == {"step": "data"}
    assert not page.errors


def test_one_wrong_value_falls_back_alone_and_foreign_ones_are_passed_over():
    page = at_step("target", alpha="1.5", t="7", utm_source="mail", present="1")
    (warning,) = page.at.warning
    assert "t = '7'" in warning.value
    assert page.query == {"step": "target", "alpha": "1.5", "present": "1"}
    page.press("lesson-next")
    assert not page.at.warning


def test_presenters_mode_is_in_the_address():
    page = at_step("norms")
    page.press("lesson-present")
    assert page.query == {"step": "norms", "present": "1"}
    page.press("lesson-next")
    assert page.query == {"step": "rates", "present": "1"}
    page.press("lesson-present")
    assert page.query == {"step": "rates"}


@pytest.mark.parametrize("code", ["NOONE", "<b>", "a" * 500])
def test_a_class_that_is_not_there_can_be_left(code):
    page = at_step("data", **{"class": code})
    if page.at.warning:
        assert "no such class" in page.at.warning[0].value
        page.press("lesson-leave")
    assert not page.at.warning
    assert page.query == {"step": "data"}


def test_the_playground_keeps_its_settings():
    page = Tab(tasks="3", sigmas="1,2,3")
    spec = page.spec
    page.at.query_params.clear()
    page.open("lesson")
    page.at.query_params.clear()
    page.open("playground")
    assert page.spec == spec
    assert not page.errors


def test_the_page_does_not_load_torch():
    code = "import sys, gradnorm.ui.lesson.page; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=120)
