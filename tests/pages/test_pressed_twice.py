"""A button that starts runs, pressed again before the server has redrawn the page."""

from __future__ import annotations

import pytest
import streamlit as st

from gradnorm.ui.lab import lab
from tests.pages.test_playground_page import LONG, TINY_QUERY

pytestmark = pytest.mark.slow


@pytest.fixture
def hasty(monkeypatch):
    """Each press comes three times: Streamlit calls what the button that was drawn last does, once for each of them."""
    draw = st.button

    def button(*args, on_click=None, **options):
        thrice = None if on_click is None else lambda *own: [on_click(*own) for _ in range(3)]
        return draw(*args, on_click=thrice, **options)

    monkeypatch.setattr(st, "button", button)


@pytest.mark.usefixtures("hasty")
def test_three_presses_of_start_start_one_run(tab):
    page = tab(**LONG)
    page.press("start")
    (info,) = lab().store.runs()
    assert page.query["run"] == info.run
    page.press("reset")
    page.press("reset stop")
    page.press("start")
    assert len(lab().store.runs()) == 2
    assert not page.errors


@pytest.mark.usefixtures("hasty")
def test_three_presses_of_static_start_one_run(tab):
    page = tab(**TINY_QUERY)
    page.press("start")
    page.wait_until("finished")
    page.press("static")
    assert len(lab().store.runs()) == 2
    assert not page.errors


@pytest.mark.usefixtures("hasty")
def test_three_presses_of_start_race_start_one_race(tab):
    page = tab(**TINY_QUERY, race="equal,gls")
    page.start_race()
    assert len(lab().store.runs()) == 2


def test_a_press_of_an_earlier_start_race_reaches_nothing(tab):
    page = tab(**LONG, race="equal,gls")
    (early,) = [button for button in page.at.button if button.label == "Start race"]
    page.start_race()
    early.click().run()
    page.check()
    assert len(lab().store.runs()) == 2
    page.press("stop")
