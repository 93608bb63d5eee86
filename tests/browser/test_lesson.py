"""The lesson in a real browser: by keyboard, clicker and mouse, by address, before a class, on a phone."""

from __future__ import annotations

import re
from itertools import cycle

import pytest
from playwright.sync_api import Locator, Page, expect

from gradnorm.ui.lesson.contents import find, steps
from tests.browser.playground import PATIENCE, Playground
from tests.browser.test_looks import SIZES, check
from tests.factories import wait_for

STEPS = steps()
LECTURE = {"width": 1280, "height": 720}

_FOCUS = """() => {
  const node = document.activeElement;
  return `${node.tagName} ${node.getAttribute("aria-label") ?? ""} ${node.textContent}`;
}"""


class Lesson:
    """One tab that shows the lesson."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        page.goto(url)

    def wait_for_step(self, name: str) -> None:
        """Wait until a step is drawn whole, its chart included."""
        step = find(name)
        heading = self.page.get_by_role("heading", name=step.words.title, exact=True)
        expect(heading).to_be_visible(timeout=PATIENCE)
        expect(self.page.get_by_text(f"{step.number} / {len(STEPS)}", exact=True)).to_be_visible(timeout=PATIENCE)
        expect(self.page).to_have_url(re.compile(rf"/lesson\?step={name}\b"), timeout=PATIENCE)
        self.wait_until_idle()
        expect(self.reading).to_be_visible(timeout=PATIENCE)
        expect(self.page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)

    def wait_until_idle(self) -> None:
        self.page.wait_for_function(
            "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'", timeout=PATIENCE
        )

    @property
    def reading(self) -> Locator:
        return self.page.locator(".st-key-lesson-reading p")

    @property
    def answer(self) -> Locator:
        return self.page.locator(".st-key-lesson-answer")

    def button(self, name: str) -> Locator:
        return self.page.locator(f".st-key-lesson-{name} button")

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def tab_to(self, what: str) -> None:
        """Press Tab until the focus is on something of this tag, label or text."""
        for _ in range(80):
            self.press("Tab")
            if re.search(what, self.page.evaluate(_FOCUS)):
                return
        raise AssertionError(f"Tab does not lead to {what}.")

    def click_the_slider(self, part: float) -> None:
        """Click the first slider's track. part: how far along it, from 0 to 1."""
        slider = self.page.locator(".st-key-lesson-controls .stSlider").first
        whole, value = slider.bounding_box(), slider.get_by_test_id("stSliderThumbValue").bounding_box()
        self.page.mouse.click(whole["x"] + part * whole["width"], value["y"] + value["height"] + 6)

    def wait_for_reading(self, pattern: str) -> None:
        expect(self.reading).to_have_text(re.compile(pattern), timeout=PATIENCE)
        self.wait_until_idle()

    def overflow(self) -> int:
        """By how many pixels the page is higher than the window."""
        return self.page.get_by_test_id("stMain").evaluate("node => node.scrollHeight - node.clientHeight")

    def bar(self) -> tuple[float, float]:
        box = self.button("next").bounding_box()
        return round(box["x"]), round(box["y"])


@pytest.fixture
def lesson(server, open_page):
    def opened(address: str = "/lesson", **options) -> Lesson:
        return Lesson(open_page.page(**options), f"{server.url}{address}")

    return opened


def test_it_is_walked_by_keys_clicker_and_mouse_in_turns_on_one_screen(lesson):
    """A slider is touched at every step: the page's keys win all the same. The bar stays where it is."""
    tab = lesson(viewport=LECTURE)
    tab.wait_for_step("data")
    bar, ways = tab.bar(), cycle(("ArrowRight", "PageDown", "mouse"))
    for step, later in zip(STEPS, (*STEPS[1:], None), strict=True):
        tab.click_the_slider(0.97)
        # The page takes a moment to begin with what was clicked, and would be idle until then.
        tab.page.wait_for_timeout(300)
        tab.wait_until_idle()
        expect(tab.answer).to_have_count(0)
        tab.press("Enter")
        expect(tab.answer).to_be_visible(timeout=PATIENCE)
        # A step that is being trained says so for as long as that takes.
        tab.wait_until_idle()
        assert tab.overflow() <= 0, step.name
        assert tab.bar() == bar, step.name
        if later is not None:
            way = next(ways)
            tab.button("next").click() if way == "mouse" else tab.press(way)
            tab.wait_for_step(later.name)
    expect(tab.button("next")).to_be_disabled()
    tab.press("p")
    expect(tab.page).to_have_url(re.compile("present=1"), timeout=PATIENCE)
    expect(tab.page.get_by_role("link", name="Playground", exact=True)).to_be_hidden(timeout=PATIENCE)
    for key, step in zip(cycle(("PageUp", "ArrowLeft")), STEPS[-2::-1], strict=False):
        tab.press(key)
        tab.wait_for_step(step.name)
        assert tab.overflow() <= 0, step.name
    expect(tab.button("previous")).to_be_disabled()


def test_it_can_be_used_by_keyboard_alone_and_play_ends_where_all_say_the_same(lesson):
    tab = lesson("/lesson?step=norms")
    tab.wait_for_step("norms")
    tab.tab_to("INPUT Steps done")
    tab.press("ArrowUp")
    tab.wait_for_reading("After 10 steps")
    tab.press("Home")
    tab.wait_for_reading("After 0 steps")
    tab.press("Space")
    title = tab.page.locator(".js-plotly-plot:visible .gtitle")
    expect(title).to_have_text("Gradient norms after 150 steps", timeout=PATIENCE)
    expect(tab.page).to_have_url(re.compile(r"step=norms&t=150$"), timeout=PATIENCE)
    expect(tab.button("play")).to_have_text(re.compile("Play"), timeout=PATIENCE)
    tab.wait_for_reading("After 150 steps")
    expect(tab.page.locator("[data-testid=stSliderThumbValue]").first).to_have_text("150")
    # Where Tab leads, Enter presses; it doesn't open the answer.
    tab.tab_to("BUTTON .*Next")
    tab.press("Enter")
    tab.wait_for_step("rates")
    expect(tab.answer).to_have_count(0)
    tab.tab_to("BUTTON .*Half as large")
    tab.press("ArrowRight")
    tab.press("Enter")
    expect(tab.answer).to_have_text(re.compile("^Right"), timeout=PATIENCE)


def test_with_reduced_motion_a_press_is_a_value(lesson):
    tab = lesson("/lesson?step=norms&t=140", reduced_motion="reduce")
    tab.wait_for_step("norms")
    expect(tab.button("play")).to_be_hidden()
    expect(tab.button("tour")).to_be_hidden()
    for steps_done in (150, 0, 10):
        tab.press("Space")
        tab.wait_for_reading(f"After {steps_done} steps")
    tab.button("beat").click()
    tab.wait_for_reading("After 20 steps")


def test_what_is_set_is_in_the_address_and_the_browser_goes_back(lesson):
    tab = lesson("/lesson?step=target&alpha=1.5&t=60")
    tab.wait_for_step("target")
    tab.wait_for_reading("targets are")
    set_up = tab.reading.text_content()
    tab.page.locator(".st-key-lesson-steps button").nth(8).click()
    tab.wait_for_step("limits")
    tab.click_the_slider(0.97)
    expect(tab.page).to_have_url(re.compile(r"step=limits&alpha=3$"), timeout=PATIENCE)
    tab.page.reload()
    tab.wait_for_step("limits")
    tab.wait_for_reading("100% of the total weight")
    tab.page.go_back()
    tab.wait_for_reading("12% of the total weight")
    tab.page.go_back()
    tab.wait_for_step("target")
    expect(tab.reading).to_have_text(set_up)
    with tab.page.context.expect_page() as opened:
        tab.page.get_by_role("link", name="Open this in the Playground").click()
    playground = Playground(opened.value)
    playground.wait_until_drawn()
    assert "sigmas=1%2C3%2C10" in opened.value.url
    assert "alpha=1.5" in opened.value.url
    expect(opened.value.get_by_test_id("stAlert")).to_have_count(0)


def test_a_class_follows_its_teacher_and_its_sliders_are_dots(lesson):
    teacher = lesson("/lesson?step=data")
    teacher.wait_for_step("data")
    teacher.page.locator(".st-key-lesson-class-menu button").click()
    teacher.page.get_by_role("button", name="Open a class").click()
    address = teacher.page.locator("[data-testid=stPopoverBody] code")
    expect(address).to_have_text(re.compile(r"/lesson\?class=[A-Z0-9]{5}$"), timeout=PATIENCE)
    path = "/lesson" + address.text_content().partition("/lesson")[2]
    teacher.press("Escape")
    student = lesson(path)
    student.wait_for_step("data")
    expect(teacher.page.get_by_text("1 page is here")).to_be_visible(timeout=PATIENCE)
    teacher.button("next").click()
    teacher.wait_for_step("drowning")
    student.wait_for_step("drowning")
    # What the address says beside the step stays: a class outlives a reload on both sides.
    teacher.page.reload()
    teacher.page.locator(".st-key-lesson-steps button").nth(6).click()
    teacher.wait_for_step("alpha")
    student.wait_for_step("alpha")
    student.click_the_slider(0.97)
    student.wait_for_reading("α = 3")
    student.page.get_by_role("radio", name="They get shorter").or_(
        student.page.get_by_role("button", name="They get shorter")
    ).click()
    expect(teacher.page.locator(".js-plotly-plot .legendtext", has_text="your class")).to_be_visible(timeout=PATIENCE)
    expect(teacher.page.get_by_text("They get shorter: 1")).to_be_visible(timeout=PATIENCE)
    expect(student.page.get_by_text("your class")).to_have_count(0)


def test_a_class_that_is_not_there_is_said(lesson):
    tab = lesson("/lesson?step=alpha&class=NOONE")
    tab.wait_for_step("alpha")
    expect(tab.page.get_by_text("There is no such class")).to_be_visible()
    tab.button("leave").click()
    expect(tab.page.get_by_text("There is no such class")).to_be_hidden(timeout=PATIENCE)
    assert "class=" not in tab.page.url


def test_type_and_charts_grow_with_the_screen(lesson):
    tab = lesson("/lesson?step=drowning", viewport=LECTURE)
    tab.wait_for_step("drowning")

    def sizes() -> list[float]:
        shown = (".st-key-lesson-text p", ".js-plotly-plot .main-svg", ".js-plotly-plot .xtick text")
        return [tab.page.locator(each).first.bounding_box()["height"] for each in shown]

    before = sizes()
    tab.page.set_viewport_size({"width": 1920, "height": 1080})
    wait_for(lambda: all(b > 1.3 * a for a, b in zip(before, sizes(), strict=True)), PATIENCE / 1000)
    assert tab.overflow() <= 0
    # The chart still knows where the mouse is.
    box = tab.page.locator(".js-plotly-plot .nsewdrag").first.bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)
    expect(tab.page.locator(".js-plotly-plot .hoverlayer")).to_contain_text("160", timeout=PATIENCE)


def test_a_new_step_begins_at_its_top(lesson):
    tab = lesson("/lesson?step=norms", viewport=SIZES["phone"])
    tab.wait_for_step("norms")
    main = tab.page.get_by_test_id("stMain")
    main.evaluate("node => node.scrollTo(0, 900)")
    tab.button("next").click()
    tab.wait_for_step("rates")
    wait_for(lambda: main.evaluate("node => node.scrollTop") == 0, PATIENCE / 1000)


def test_the_playground_is_as_it_was(server, open_page):
    tab = open_page(f"{server.url}/?preset=toy-10")
    shown = tab.controls()
    tab.page.get_by_test_id("stTopNavLink").filter(has_text="Lesson").click()
    heading = tab.page.get_by_role("heading", name=STEPS[0].words.title)
    expect(heading).to_be_visible(timeout=PATIENCE)
    tab.page.get_by_role("link", name="Playground", exact=True).click()
    again = Playground(tab.page)
    again.wait_until_drawn()
    assert again.controls() == shown
    assert "step=" not in tab.page.url
    expect(tab.page.get_by_test_id("stAlert")).to_have_count(0)


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_every_step_can_be_read(lesson, size, scheme):
    tab = lesson(viewport=SIZES[size], color_scheme=scheme)
    for step in STEPS:
        tab.wait_for_step(step.name)
        tab.page.wait_for_timeout(300)
        check(tab.page)
        tab.press("PageDown")
