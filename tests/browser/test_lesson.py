"""The lesson in a real browser: by keyboard alone, by address, before a class, on a phone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from gradnorm.ui.lesson.page import pages
from tests.browser.playground import PATIENCE, Playground
from tests.browser.test_looks import SIZES, check
from tests.factories import wait_for

STEPS = len(pages())

_FOCUS = """() => {
  const node = document.activeElement;
  return `${node.tagName} ${node.getAttribute("aria-label") ?? ""} ${node.textContent}`;
}"""


class Lesson:
    """One tab that shows the lesson."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url)

    def wait_for_step(self, step: int) -> None:
        """Wait until a step is drawn whole, its chart included."""
        heading = self.page.get_by_role("heading", name=pages()[step - 1].title, exact=True)
        expect(heading).to_be_visible(timeout=PATIENCE)
        expect(self.page.get_by_text(f"{step} / {STEPS}", exact=True)).to_be_visible(timeout=PATIENCE)
        expect(self.page).to_have_url(re.compile(rf"/lesson\?step={step}\b"), timeout=PATIENCE)
        expect(self.reading).to_be_visible(timeout=PATIENCE)
        self.wait_until_idle()
        expect(self.page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)

    def wait_until_idle(self) -> None:
        self.page.wait_for_function(
            "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", timeout=PATIENCE
        )

    @property
    def reading(self) -> Locator:
        return self.page.locator(".st-key-lesson-reading p")

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(key)

    def tab_to(self, what: str) -> None:
        """Press Tab until the focus is on something of this tag, label or text."""
        for _ in range(60):
            self.press("Tab")
            if re.search(what, self.page.evaluate(_FOCUS)):
                return
        raise AssertionError(f"Tab does not lead to {what}.")

    def wait_for_reading(self, pattern: str) -> None:
        expect(self.reading).to_have_text(re.compile(pattern), timeout=PATIENCE)
        self.wait_until_idle()


@pytest.fixture
def lesson(server, open_page):
    def opened(address: str = "/lesson", **options) -> Lesson:
        return Lesson(open_page.page(**options), f"{server.url}{address}")

    return opened


def test_it_is_walked_to_the_end_by_keyboard_alone(lesson):
    tab = lesson()
    tab.wait_for_step(1)
    # Change a control: arrow keys on a slider move the slider, not the page.
    tab.tab_to("INPUT Scale of task 2")
    tab.press("End")
    tab.wait_for_reading("gradient norm at the shared layer is [12]\\d times")
    tab.wait_for_step(1)
    # Open an answer.
    answer = tab.page.get_by_text("The gradient of a squared error is proportional to the error")
    expect(answer).to_be_hidden()
    tab.tab_to("SUMMARY .*Answer")
    tab.press("Enter")
    expect(answer).to_be_visible()
    for step in range(2, STEPS + 1):
        tab.press("ArrowRight")
        tab.wait_for_step(step)
        expect(tab.page.locator("details[open]")).to_have_count(0)
    expect(tab.page.get_by_role("button", name="Next")).to_be_disabled()
    tab.press("ArrowLeft")
    tab.wait_for_step(STEPS - 1)


def test_escape_leaves_a_slider_and_tab_leads_on(lesson):
    tab = lesson("/lesson?step=4")
    tab.wait_for_step(4)
    tab.tab_to("INPUT Asymmetry")
    tab.press("ArrowRight")
    tab.wait_for_reading("targets are")
    tab.press("Escape")
    tab.press("ArrowRight")
    tab.wait_for_step(5)
    tab.tab_to("BUTTON .*Next")
    tab.press("Enter")
    tab.wait_for_step(6)


def test_a_step_has_an_address_and_the_browser_goes_back(lesson):
    tab = lesson("/lesson?step=5")
    tab.wait_for_step(5)
    tab.page.get_by_role("radio", name="7 Limits").or_(tab.page.get_by_role("button", name="7 Limits")).click()
    tab.wait_for_step(7)
    tab.page.go_back()
    tab.wait_for_step(5)


def test_an_unknown_step_is_the_first_with_a_word(lesson):
    tab = lesson("/lesson?step=99")
    tab.wait_for_step(1)
    expect(tab.page.get_by_text(f"its steps are 1 to {STEPS}")).to_be_visible()


def test_presenters_mode_by_key_is_larger_and_has_nothing_else_on_it(lesson):
    tab = lesson("/lesson?step=2")
    tab.wait_for_step(2)
    text = tab.page.locator(".st-key-lesson-text p").first
    label = tab.page.locator(".js-plotly-plot .xtick text").first

    def size(where: Locator) -> float:
        return float(where.evaluate("node => parseFloat(getComputedStyle(node).fontSize)"))

    before = size(text), size(label)
    tab.press("p")
    expect(tab.page).to_have_url(re.compile("present=1"), timeout=PATIENCE)
    wait_for(lambda: size(text) > 1.3 * before[0] and size(label) > 1.3 * before[1], PATIENCE / 1000)
    expect(tab.page.get_by_role("link", name="Playground")).to_be_hidden()
    tab.press("ArrowRight")
    tab.wait_for_step(3)
    assert "present=1" in tab.page.url
    tab.press("p")
    expect(tab.page.get_by_role("link", name="Playground")).to_be_visible(timeout=PATIENCE)


def test_the_bars_play_to_the_last_step(lesson):
    tab = lesson("/lesson?step=2")
    tab.wait_for_step(2)
    title = tab.page.locator(".js-plotly-plot .gtitle")
    expect(title).to_have_text("Gradient norms at step 1")
    tab.page.locator(".updatemenu-button", has_text="Play").click()
    expect(title).to_have_text("Gradient norms at step 160", timeout=PATIENCE)


def test_a_new_step_begins_at_its_top(lesson):
    tab = lesson("/lesson?step=3", viewport=SIZES["phone"])
    tab.wait_for_step(3)
    main = tab.page.get_by_test_id("stMain")
    main.evaluate("node => node.scrollTo(0, 900)")
    tab.page.get_by_role("button", name="Next").click()
    tab.wait_for_step(4)
    wait_for(lambda: main.evaluate("node => node.scrollTop") == 0, PATIENCE / 1000)


def test_the_playground_is_as_it_was(server, open_page):
    tab = open_page(f"{server.url}/?preset=toy-10")
    shown = tab.controls()
    tab.page.get_by_role("link", name="Lesson").click()
    heading = tab.page.get_by_role("heading", name=pages()[0].title)
    expect(heading).to_be_visible(timeout=PATIENCE)
    tab.page.get_by_role("link", name="Playground").click()
    again = Playground(tab.page)
    again.wait_until_drawn()
    assert again.controls() == shown
    assert "step=" not in tab.page.url
    expect(tab.page.get_by_test_id("stAlert")).to_have_count(0)


@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_every_step_can_be_read(lesson, step, size, scheme):
    tab = lesson(f"/lesson?step={step}", viewport=SIZES[size], color_scheme=scheme)
    tab.wait_for_step(step)
    tab.page.wait_for_timeout(300)
    check(tab.page)
