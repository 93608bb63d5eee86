"""Charts as they are read: nothing jumps, keys and fingers zoom and read, and each is saved as a picture."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.playground import PATIENCE, SMALL

RACE = f"dataset=toy&tasks=2&sigmas=1,30&{SMALL}&steps=150&pace=30&checkpoint_every=50"
DESK = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}

# From the moment on at which a run's page is drawn, whatever moves without having been asked to.
_WATCH_SHIFTS = """() => {
  window.shifts = [];
  const drawn = () => document.querySelector(".st-key-words")
    && Number(document.querySelector("[data-testid=live-panel]").dataset.step) > 0
    && document.querySelector("[data-testid=stApp][data-test-script-state=notRunning]");
  const observer = new PerformanceObserver((list) => {
    window.shifts.push(...list.getEntries().filter(({ hadRecentInput }) => !hadRecentInput));
  });
  const waiting = setInterval(() => {
    if (!drawn()) return;
    clearInterval(waiting);
    observer.observe({ type: "layout-shift" });
  }, 20);
}"""

# Every shift that is mostly of the panel, also one right after a tap: on a slow machine it comes too late to count as
# its answer. How the buttons below it come is another matter.
_WATCH_THE_PANEL = """() => {
  window.shifts = [];
  const ours = ({ sources: [most] }) => most?.node?.closest?.(".gn-live");
  const keep = (list) => window.shifts.push(...list.getEntries().filter(ours));
  new PerformanceObserver(keep).observe({ type: "layout-shift" });
}"""
_SHIFTS = "() => window.shifts.map(({ value, sources }) => [value, sources[0]?.node?.className])"

# What can be tapped, and what takes its taps is less than 44 px high: itself, a frame around it, or an area over it.
_SMALL_TARGETS = """() => {
  const found = [];
  const places = ".gn-live, [data-testid=stSidebar], .st-key-dock, .st-key-words, [data-testid=stHeader]";
  const frames = "label, .react-aria-ComboBox > [role=group], [data-testid=stTextInputRootElement]";
  for (const place of document.querySelectorAll(places)) {
    for (const node of place.querySelectorAll("button, a[href], input, summary, [role=slider]")) {
      const box = node.getBoundingClientRect();
      if (!box.width || !box.height || node.disabled || getComputedStyle(node).visibility === "hidden") continue;
      const thumb = node.matches(".stSlider input") && node.parentElement.parentElement;
      const frame = node.matches("input") && !node.closest(".gn-live") && node.closest(frames);
      const taken = thumb || frame || node;
      const over = getComputedStyle(taken, "::after");
      const area = over.content === "none" ? 0 : parseFloat(over.height) || 0;
      if (Math.max(taken.getBoundingClientRect().height, area) < 43.5) {
        found.push(`${node.tagName} ${node.ariaLabel ?? node.textContent.trim()}: ${box.height}`);
      }
    }
  }
  return found;
}"""


@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_jumps_and_all_can_be_read(server, open_page, tmp_path, device):
    tab = open_page(f"{server.url}/?{RACE}", **device)
    tab.page.evaluate(_WATCH_SHIFTS)
    tab.press("Start the race")
    tab.wait_for_state("finished")
    expect(tab.page.locator(".st-key-verdict")).to_contain_text(re.compile("won: Σ|A draw: "), timeout=PATIENCE)
    tab.settle()
    shifts = tab.page.evaluate(_SHIFTS)
    assert sum(value for value, _ in shifts) < 0.02, shifts
    if device is DESK:
        _is_read_by_keys(tab)
        _is_smoothed(tab)
        _is_saved(tab, tmp_path)
        _cards_are_saved(tab, tmp_path)
    else:
        _is_touched(tab)


@pytest.mark.parametrize("button", ["Start the race", "Start"])
def test_on_a_phone_the_panel_moves_little_when_a_start_swaps_the_head(server, open_page, button):
    tab = open_page(f"{server.url}/?{RACE}", **PHONE)
    tab.wait_for_points(1, "test")
    tab.page.evaluate(_WATCH_THE_PANEL)
    tab.press(button)
    tab.wait_for_state("finished")
    expect(tab.page.locator(".st-key-verdict")).to_be_visible(timeout=PATIENCE)
    tab.settle()
    shifts = tab.page.evaluate(_SHIFTS)
    assert 0 < sum(value for value, _ in shifts) < 0.1, shifts


def _is_read_by_keys(tab) -> None:
    """Walk through the values of a chart, zoom and move by keys alone; the sentence and the table say the same."""
    chart = tab.chart("weights")
    plot = chart.get_by_role("slider", name=re.compile("Line chart of loss weights"))
    plot.focus()
    tab.page.keyboard.press("Home")
    expect(plot).to_have_attribute("aria-valuetext", re.compile(r"^step 1: A GradNorm .*, task 1 1\.00"))
    tab.page.keyboard.press("ArrowRight")
    expect(plot).to_have_attribute("aria-valuenow", "2")
    tab.page.keyboard.press("+")
    expect(chart).not_to_have_attribute("data-max", "150", timeout=PATIENCE)
    tab.page.keyboard.press("+")
    tab.page.keyboard.press("Shift+ArrowRight")
    expect(chart).not_to_have_attribute("data-min", "0", timeout=PATIENCE)
    tab.wait_for_query("view.zoom=")
    tab.page.keyboard.press("Escape")
    expect(chart).to_have_attribute("data-min", "0", timeout=PATIENCE)
    tab.page.get_by_role("button", name="How to zoom and read the charts").click()
    expect(tab.page.get_by_test_id("help")).to_contain_text("+ and − on the keyboard")
    tab.page.keyboard.press("Escape")
    chart.get_by_text("In numbers").click()
    summary = chart.locator(".gn-summary")
    expect(summary).to_have_text(re.compile(r"^Loss weights, steps 1 to 150: A GradNorm .* (rose|fell) from 1\.00 to "))
    assert plot.get_attribute("aria-describedby") == summary.get_attribute("id")
    expect(chart.get_by_role("row")).to_have_count(13)
    expect(chart.get_by_role("row").last).to_contain_text("150")


def _is_smoothed(tab) -> None:
    """Lines are smoothed and say so, until one click; the address keeps it."""
    chart, switch = tab.chart("norms"), tab.page.get_by_test_id("smooth")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(chart).to_contain_text("smoothed, with what was measured fainter behind")
    expect(chart.locator(".gn-readout-step")).to_have_text("step 150, smoothed")
    plot = chart.get_by_role("slider")
    expect(plot).to_have_attribute("aria-valuetext", re.compile(r"\(raw [\d.]+\)"))
    switch.click()
    tab.wait_for_query(r"view\.smooth=0$")
    expect(chart).not_to_contain_text("smoothed")
    # What is out of sight is not drawn anew.
    chart.scroll_into_view_if_needed()
    expect(plot).not_to_have_attribute("aria-valuetext", re.compile("raw"))
    switch.click()
    tab.page.wait_for_function("() => !location.search.includes('view.')", timeout=PATIENCE)


def _is_saved(tab, folder) -> None:
    """A chart is saved as PNG and SVG at a slide's size, with its run, settings and address."""
    paths = {}
    for kind in ("PNG", "SVG"):
        with tab.page.expect_download(timeout=PATIENCE) as download:
            tab.chart("norms").get_by_role("button", name=f"Save this chart as a picture for a slide, {kind}").click()
        assert download.value.suggested_filename == f"gradnorm-{tab.run}-norms.{kind.lower()}"
        download.value.save_as(paths.setdefault(kind, folder / f"chart.{kind.lower()}"))
    with Image.open(paths["PNG"]) as picture:
        assert picture.size == (1920, 1080)
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 50
    drawn = ElementTree.parse(paths["SVG"]).getroot()
    words = " ".join(text for node in drawn.iter("{http://www.w3.org/2000/svg}text") for text in node.itertext())
    for said in (
        "Gradient norms",
        "GradNorm α 0.12",
        "Steps 150",
        "B Equal weights, task 1",
        "log",
        f"/?run={tab.run}",
    ):
        assert said in words
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}path"))) >= 6
    assert not list(drawn.iter("{http://www.w3.org/2000/svg}image"))


def _cards_are_saved(tab, folder) -> None:
    """The networks and the answers are saved at a slide's size, with title and address, in the theme's own colours."""
    cards = {
        "network": ("network", ["The network, step 150", "A GradNorm α 0.12", "B Equal weights", "gradients at W"]),
        "answers": ("data", ["The data, after step 150", "task 2: A off by"]),
    }
    for card, (name, said) in cards.items():
        for kind in ("PNG", "SVG"):
            button = tab.page.get_by_test_id(card).get_by_role("button", name=re.compile(f"Save the {name} .*{kind}"))
            with tab.page.expect_download(timeout=PATIENCE) as download:
                button.click()
            assert download.value.suggested_filename == f"gradnorm-{tab.run}-{card}.{kind.lower()}"
            download.value.save_as(folder / f"{card}.{kind.lower()}")
        with Image.open(folder / f"{card}.png") as picture:
            assert picture.size == (1920, 1080)
            painted = {color for _, color in picture.convert("RGB").getcolors(1 << 20) or ()}
        assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0xFF, 0xFF, 0xFF)} <= painted
        drawn = ElementTree.parse(folder / f"{card}.svg").getroot()
        words = " ".join(text for node in drawn.iter("{http://www.w3.org/2000/svg}text") for text in node.itertext())
        for text in (*said, "Steps 150", f"/?run={tab.run}"):
            assert text in words


def _is_touched(tab) -> None:
    """Two fingers zoom, one moves, a double tap shows all; what is tapped is large, and α stays in reach."""
    chart = tab.chart("weights")
    chart.scroll_into_view_if_needed()
    fingers = tab.page.context.new_cdp_session(tab.page)
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2

    def touch(kind: str, *shares: float) -> None:
        points = [{"x": box["x"] + share * box["width"], "y": y, "id": i} for i, share in enumerate(shares)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 0.4, 0.6)
    for part in (0.05, 0.1, 0.15, 0.2):
        touch("touchMove", 0.4 - part, 0.6 + part)
    touch("touchEnd")
    expect(chart).not_to_have_attribute("data-min", "0", timeout=PATIENCE)
    left = tab.visible_range()[0] or ""
    zoomed = [float(edge or 0) for edge in tab.visible_range()]
    assert 0 < zoomed[0] < 60
    assert 90 < zoomed[1] < 150
    touch("touchStart", 0.5)
    for part in (0.05, 0.1, 0.2):
        touch("touchMove", 0.5 - part)
    touch("touchEnd")
    expect(chart).not_to_have_attribute("data-min", left, timeout=PATIENCE)
    assert float(tab.visible_range()[0] or 0) > zoomed[0]
    for _ in range(2):
        touch("touchStart", 0.5)
        touch("touchEnd")
    expect(chart).to_have_attribute("data-min", "0", timeout=PATIENCE)

    dock = tab.page.locator(".st-key-dock")
    expect(dock.get_by_role("slider", name="Asymmetry α")).to_be_attached()
    expect(dock).to_be_in_viewport(ratio=0.9)
    assert tab.page.evaluate(_SMALL_TARGETS) == []
    tab.page.get_by_role("button", name="Controls", exact=True).tap()
    expect(tab.page.get_by_role("combobox", name="Preset")).to_be_in_viewport(timeout=PATIENCE)
    assert tab.page.evaluate(_SMALL_TARGETS) == []
