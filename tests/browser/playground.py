"""The Playground as a user's hands and eyes know it: widgets by their labels, charts by what they show."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any, Self

from PIL import Image
from playwright.sync_api import Locator, Page, expect

# Milliseconds. The machine is slow and shared: what matters is that it happens.
PATIENCE = 90_000
CHARTS = ("weights", "norms", "test")

# Small enough that a test machine has time left to look.
SMALL = "batch_size=8&width=16&depth=1&eval_every=20&device=cpu"

_LISTEN = """
// What is written on each chart's canvas, newest first: α marks are painted, not elements.
window.written = new Map();
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
  const chart = this.canvas.closest?.("[data-testid^=chart-]")?.dataset.testid;
  if (chart) {
    if (!window.written.has(chart)) window.written.set(chart, new Set());
    window.written.get(chart).add(String(text));
  }
  return write.call(this, text, ...rest);
};
"""

_CONTROLS = """() => {
  const found = {};
  for (const node of document.querySelectorAll("[data-testid=stSidebar] [data-testid^=st]")) {
    const label = node.querySelector("[data-testid=stWidgetLabel]")?.textContent.trim();
    const field = node.querySelector("input:not([type=range])");
    switch (node.dataset.testid) {
      case "stSelectbox": case "stNumberInput": case "stTextInput": found[label] = field.value; break;
      case "stCheckbox": found[label] = field.checked; break;
      case "stSlider": found[label] = node.querySelector("[data-testid=stSliderThumbValue]").textContent.trim(); break;
    }
  }
  return found;
}"""

# How many pixels of a chart's canvas are more than a grid line, or are close to one colour.
_PIXELS = """([chart, color]) => {
  const canvas = document.querySelector(`[data-testid=chart-${chart}] canvas`);
  if (!canvas) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 100) continue;
    const away = color ? color.reduce((sum, part, c) => sum + Math.abs(data[i + c] - part), 0) : 0;
    if (away < 40) found += 1;
  }
  return found;
}"""


class Playground:
    """One tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @classmethod
    def open(cls, page: Page, url: str) -> Self:
        """Open an address and wait until the page can be used."""
        page.add_init_script(_LISTEN)
        page.goto(url)
        opened = cls(page)
        opened.wait_until_drawn()
        return opened

    def wait_until_drawn(self) -> None:
        expect(self.page.get_by_test_id("live-panel")).to_be_visible(timeout=PATIENCE)
        expect(self.page.get_by_role("button", name="Start", exact=True)).to_be_visible(timeout=PATIENCE)
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until Streamlit has nothing to run."""
        idle = "[data-testid=stApp][data-test-script-state=notRunning]"
        expect(self.page.locator(idle)).to_have_count(1, timeout=PATIENCE)

    def settle(self) -> None:
        """Wait until Streamlit has answered what was just done: it begins a moment later."""
        self.page.wait_for_timeout(200)
        self.wait_until_idle()

    # Hands

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def press(self, name: str) -> None:
        self.button(name).click(timeout=PATIENCE)

    def choose(self, label: str, title: str) -> None:
        box = self.page.get_by_role("combobox", name=label, exact=True)
        box.scroll_into_view_if_needed()
        box.click()
        box.fill(title)  # of a long list only what is in sight is there
        self.page.get_by_role("option", name=title, exact=True).click()
        expect(box).to_have_value(title, timeout=PATIENCE)
        self.settle()

    def write(self, label: str, text: str) -> None:
        """Type into a text or number field, and press Enter."""
        box = self.page.get_by_label(label, exact=True)
        box.fill(text)
        box.press("Enter")
        self.settle()

    def nudge(self, label: str, key: str, times: int = 1, pause: int = 300) -> None:
        """Move a slider with the keyboard. pause: milliseconds after each press."""
        self.page.get_by_role("slider", name=label).first.focus()
        for _ in range(times):
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(pause)
            if pause > 200:
                self.wait_until_idle()

    def open_more(self) -> None:
        details = self.page.locator("[data-testid=stSidebar] details").filter(has_text="More settings")
        if details.get_attribute("open") is None:
            self.page.get_by_text("More settings").click()

    def drag(self, chart: str, start: float, end: float) -> None:
        """Select part of a chart's x range with the mouse; start, end in 0 … 1."""
        self.chart(chart).scroll_into_view_if_needed()
        box = self.chart(chart).locator(".u-over").bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + start * box["width"], y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y)
        self.page.mouse.move(box["x"] + end * box["width"], y)
        self.page.mouse.up()

    # Eyes

    @property
    def panel(self) -> Locator:
        return self.page.get_by_test_id("live-panel")

    def chart(self, name: str) -> Locator:
        return self.page.get_by_test_id(f"chart-{name}")

    def points(self, chart: str) -> int:
        return int(self.chart(chart).get_attribute("data-points") or 0)

    def visible_range(self, chart: str = "weights") -> tuple[str | None, str | None]:
        node = self.chart(chart)
        return node.get_attribute("data-min"), node.get_attribute("data-max")

    def written(self, chart: str) -> set[str]:
        """Every text that has been painted on a chart since the page was loaded."""
        return set(self.page.evaluate("(chart) => [...(window.written.get(`chart-${chart}`) ?? [])]", chart))

    def pixels(self, chart: str, color: tuple[int, int, int] | None = None) -> int:
        """How many pixels of a chart are painted, in one colour or in any."""
        return self.page.evaluate(_PIXELS, [chart, color])

    def colors(self, node: Locator) -> int:
        """How many colours a part of the page is seen in, those of smoothed edges left out."""
        picture = Image.open(BytesIO(node.screenshot())).convert("RGB")
        return sum(count >= 20 for count, _ in picture.getcolors(picture.width * picture.height) or [])

    def controls(self) -> dict[str, Any]:
        """Every setting by its label, as it stands in the page."""
        return self.page.evaluate(_CONTROLS)

    @property
    def state(self) -> str:
        return self.panel.get_attribute("data-state") or ""

    @property
    def step(self) -> int:
        return int(self.panel.get_attribute("data-step") or 0)

    @property
    def run(self) -> str:
        return self.panel.get_attribute("data-run") or ""

    def wait_for_state(self, *states: str) -> str:
        expect(self.panel).to_have_attribute("data-state", re.compile("|".join(states)), timeout=PATIENCE)
        return self.state

    def wait_for_step(self, step: int) -> int:
        script = "(step) => Number(document.querySelector('[data-testid=live-panel]').dataset.step) >= step"
        self.page.wait_for_function(script, arg=step, timeout=PATIENCE)
        return self.step

    def wait_for_points(self, more_than: int, *charts: str) -> None:
        script = """([charts, least]) => charts.every(
          (name) => Number(document.querySelector(`[data-testid=chart-${name}]`).dataset.points) > least)"""
        self.page.wait_for_function(script, arg=[charts or CHARTS, more_than], timeout=PATIENCE)

    def wait_for_query(self, pattern: str) -> None:
        script = "(pattern) => new RegExp(pattern).test(location.href)"
        self.page.wait_for_function(script, arg=pattern, timeout=PATIENCE)

    def tag(self) -> None:
        """Mark the panel's element, to see later whether it is still the same."""
        self.panel.evaluate("(node) => { node.seenBefore = true; }")

    def is_tagged(self) -> bool:
        return self.panel.evaluate("(node) => node.seenBefore === true")

    def says(self, pattern: str) -> None:
        """Expect one box with a message that fits, and no other box."""
        boxes = self.page.get_by_test_id("stAlert").filter(has=self.page.get_by_test_id("stAlertContentError"))
        expect(boxes).to_have_count(1, timeout=PATIENCE)
        expect(boxes).to_contain_text(re.compile(pattern))
