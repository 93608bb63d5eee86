"""What can be said of looks in numbers: nothing is cut off, everything can be read, every chart is painted."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.playground import CHARTS, PATIENCE
from tests.factories import wait_for

SIZES = {
    "desk": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
    # What a window of 1280 pixels has left at a zoom of 400 %.
    "narrow": {"width": 320, "height": 640},
}
SHORT = "batch_size=8&width=16&depth=1&eval_every=10&device=cpu"

# Elements that can be seen, and of which a part lies outside the window or under Streamlit's header.
_CUT_OFF = """() => {
  const found = [];
  const header = document.querySelector("[data-testid=stHeader]").getBoundingClientRect();
  const main = document.querySelector("[data-testid=stMain]");
  main.scrollTo(0, 0);
  const covers = getComputedStyle(document.querySelector("[data-testid=stHeader]")).position !== "static";
  const scrolls = (node) => {
    for (let at = node.parentElement; at && at !== main; at = at.parentElement) {
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(at).overflowX)) return true;
    }
    return false;
  };
  for (const node of main.querySelectorAll("button, a, h2, h3, p, canvas, input, label, .gn-pill, .gn-detail")) {
    const box = node.getBoundingClientRect();
    if (!box.width || !box.height || getComputedStyle(node).visibility === "hidden" || scrolls(node)) continue;
    const name = `${node.tagName} ${node.textContent.slice(0, 30)}`;
    if (box.left < -0.5 || box.right > innerWidth + 0.5) found.push(`${name}: ${box.left} … ${box.right}`);
    // The list of languages stands in the header, and is above it.
    if (node.closest(".st-key-languages")) continue;
    if (covers && box.top < header.bottom - 0.5) found.push(`${name}: under the header`);
    const written = node.matches("button, h2, h3") && node.textContent.trim();
    if (written && node.scrollWidth > node.clientWidth + 1) found.push(`${name}: text cut off`);
  }
  return found;
}"""

# Texts whose contrast with what lies behind them is below 4.5; colours are resolved by a canvas.
_FAINT = """(least) => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color[3] > 0) layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((part) => {
      const c = part / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const texts = "h2, h3, .gn-live span, .gn-live p, .gn-live button, .gn-live a, .gn-live td, .gn-live th, "
    + "[data-testid=stWidgetLabel] p, [data-testid=stMain] button p, [data-testid=stCaptionContainer] p, "
    + "[data-testid=stAlert] p, [data-testid=stTopNavLink] span";
  for (const node of document.querySelectorAll(texts)) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    if (!own || !box.width || style.visibility === "hidden" || node.closest(":disabled, [aria-hidden=true]")) continue;
    const ground = behind(node);
    const ink = luminance(over(rgba(style.color), ground));
    const paper = luminance(ground);
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (contrast < least) found.push(`${node.tagName} ${node.textContent.slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return found;
}"""

# What WCAG 1.4.12 lets a reader set.
_SPACING = """
* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important; }
p { margin-bottom: 2em !important; }
"""

# Texts that are cut off where nothing scrolls, or that lie over each other. It looks again until all is in its place.
_CRAMPED = """async () => {
  const name = (node) => `${node.tagName} ${node.textContent.trim().slice(0, 40)}`;
  const around = (node) => {
    const found = [];
    for (let at = node; at; at = at.parentElement) found.push([at, getComputedStyle(at), at.getBoundingClientRect()]);
    return found;
  };
  const hides = ({ overflowX, overflowY }) => /hidden|clip/.test(overflowX + overflowY);
  const scrolls = ({ overflowX, overflowY }) => /auto|scroll/.test(overflowX + overflowY);
  const places = "[data-testid=stMain] *, [data-testid=stSidebar][aria-expanded=true] *";
  const beyond = (box, frame) => box.right > frame.right + 1 || box.left < frame.left - 1
    || box.bottom > frame.bottom + 3 || box.top < frame.top - 3;
  const written = () => [...document.querySelectorAll(places)].filter((node) => {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const seen = node.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    return own && seen && !node.closest("svg, [aria-hidden=true], .gn-hidden, .katex-mathml");
  });
  const look = () => {
    const texts = [];
    const found = [];
    for (const node of written()) {
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.width < 2 || box.height < 2) continue;
      const layers = around(node);
      const end = layers.findIndex(([, style]) => scrolls(style) || style.position === "fixed");
      const fixed = layers.slice(0, end < 0 ? layers.length : end + 1);
      if (fixed.some(([, style, frame]) => hides(style) && !scrolls(style) && beyond(box, frame))) {
        found.push(`${name(node)}: cut off`);
      }
      const frames = layers.filter(([, style]) => hides(style) || scrolls(style)).map(([, , frame]) => frame);
      const part = {
        left: Math.max(box.left, ...frames.map(({ left }) => left)),
        right: Math.min(box.right, ...frames.map(({ right }) => right)),
        top: Math.max(box.top, ...frames.map(({ top }) => top)),
        bottom: Math.min(box.bottom, ...frames.map(({ bottom }) => bottom)),
      };
      // What stays in its place while the page moves lies over it.
      const above = layers.find(([, { position }]) => position === "fixed" || position === "sticky")?.[0];
      texts.push({ node, part, above });
    }
    texts.forEach((one, i) => texts.slice(i + 1).forEach((other) => {
      if (one.above !== other.above || one.node.contains(other.node)) return;
      const wide = Math.min(one.part.right, other.part.right) - Math.max(one.part.left, other.part.left);
      const high = Math.min(one.part.bottom, other.part.bottom) - Math.max(one.part.top, other.part.top);
      if (wide > 2 && high > 4) found.push(`${name(one.node)} over ${name(other.node)}`);
    }));
    return found;
  };
  for (let i = 0; i < 30 && look().length; i += 1) await new Promise(requestAnimationFrame);
  return look();
}"""


def check(page) -> None:
    """Fail if something cannot be seen whole, or cannot be read."""
    wide = page.evaluate(
        "() => [document.documentElement, document.querySelector('[data-testid=stMain]')]"
        ".map((node) => node.scrollWidth - node.clientWidth)"
    )
    assert wide == [0, 0], "The page scrolls sideways."
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate(_FAINT, 4.5) == []


@pytest.fixture(scope="module")
def finished(_shared, browser):
    """A finished run of each preset, and the way to its page."""
    found: dict[str, str] = {}
    from tests.browser.playground import Playground

    for name in ("toy-2", "toy-10", "diamonds"):
        page = browser.new_page(viewport={"width": 1000, "height": 600})
        tab = Playground.open(page, f"{_shared.url}/?preset={name}&steps=120&{SHORT}")
        tab.press("Start")
        tab.wait_for_state("finished")
        found[name] = f"/?run={tab.run}"
        page.close()
    return found


# Both sizes and both schemes for everything, and every pair of them once.
PAIRS = [("desk", "light"), ("phone", "dark"), ("desk", "dark"), ("phone", "light")]
FEW = pytest.mark.parametrize(("size", "scheme"), PAIRS[:2])
FINISHED = [(*pair, "toy-2") for pair in PAIRS[:2]]
FINISHED += [(*pair, name) for pair in PAIRS[2:] for name in ("toy-10", "diamonds")]


@pytest.mark.parametrize(("size", "scheme"), [*PAIRS[:2], ("narrow", "light")])
def test_a_page_without_a_run(server, open_page, size, scheme):
    tab = open_page(f"{server.url}/", viewport=SIZES[size], color_scheme=scheme)
    expect(tab.panel).to_have_attribute("data-theme", scheme)
    expect(tab.page.get_by_text("how strongly each task’s loss counts")).to_be_visible()
    check(tab.page)


@pytest.mark.parametrize(("size", "scheme", "name"), FINISHED)
def test_a_finished_run(server, open_page, finished, size, scheme, name):
    tab = open_page(f"{server.url}{finished[name]}", viewport=SIZES[size], color_scheme=scheme)
    tab.wait_for_state("finished")
    check(tab.page)
    for chart in (*CHARTS, "more"):
        tab.chart(chart).scroll_into_view_if_needed()
        tab.wait_for_points(2, chart)
        wait_for(lambda chart=chart: tab.pixels(chart) > 300, PATIENCE / 1000)


@FEW
def test_a_running_run(server, open_page, size, scheme):
    address = f"{server.url}/?preset=toy-2&steps=20000&pace=100&{SHORT}"
    tab = open_page(address, viewport=SIZES[size], color_scheme=scheme)
    tab.press("Start")
    tab.chart("weights").scroll_into_view_if_needed()
    tab.wait_for_points(10, "weights")
    check(tab.page)
    tab.press("Stop")
    tab.wait_for_state("stopped")


@FEW
def test_the_list_of_runs(server, open_page, finished, size, scheme):
    page = open_page.page(viewport=SIZES[size], color_scheme=scheme)
    page.goto(f"{server.url}/runs")
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible(timeout=PATIENCE)
    box = table.bounding_box()
    assert box is not None
    assert 0 <= box["x"] < box["x"] + box["width"] <= SIZES[size]["width"]
    check(page)
    cell = page.locator("table").get_by_text(finished["toy-10"].removeprefix("/?run="))
    expect(cell).to_be_attached()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_high_contrast_keeps_sliders_legends_and_what_is_pressed(server, open_page, finished, scheme):
    tab = open_page(f"{server.url}{finished['toy-2']}", forced_colors="active", color_scheme=scheme)
    tab.wait_for_state("finished")
    slider = tab.page.get_by_role("group", name="Asymmetry α")
    assert tab.colors(slider) > 2, "The slider's track and thumb should be seen on the page's background."
    swatch = "node => getComputedStyle(node.querySelector('.gn-swatch')).color"
    swatches = {tab.page.get_by_test_id(f"legend-{i}").evaluate(swatch) for i in range(2)}
    assert len(swatches) == 2, "Tasks should keep the colours that tell them apart."
    ground = "node => getComputedStyle(node).backgroundColor"
    pressed, other = (
        tab.page.locator(f".gn-segments button[aria-pressed={state}]").first.evaluate(ground)
        for state in ("true", "false")
    )
    assert pressed != other


@pytest.mark.parametrize("size", ["desk", "phone"])
def test_a_reader_may_space_texts(server, open_page, finished, size):
    runs = [finished[name].removeprefix("/?run=") for name in ("toy-2", "toy-10")]
    addresses = {
        "/": "live-panel",
        f"/?run={runs[0]}": "live-panel",
        "/lesson?step=alpha": "stPlotlyChart",
        "/runs": "stDataFrame",
        f"/compare?runs={','.join(runs)}": "stPlotlyChart",
    }
    page = open_page.page(viewport=SIZES[size])
    found = {}
    for address, shown in addresses.items():
        page.goto(server.url + address)
        expect(page.get_by_test_id(shown).first).to_be_visible(timeout=PATIENCE)
        idle = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
        expect(idle).to_have_count(1, timeout=PATIENCE)
        page.add_style_tag(content=_SPACING)
        if cramped := page.evaluate(_CRAMPED):
            found[address] = cramped
    assert found == {}
