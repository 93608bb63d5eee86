"""The gallery in a real browser: pictures are painted, errors follow the slider, a run is followed as it trains."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from tests.browser.playground import PATIENCE
from tests.browser.test_looks import FEW, PAIRS, SIZES, check
from tests.factories import ROOT, start_python, wait_for

TINY = ["--dataset", "overlay", "--channels", "0.2", "--batch-size", "8", "--eval-every", "100", "--device", "cpu"]
TINY += ["--output-scale"]

# How many colours the map in a cell has on the screen.
_COLOURS = """async (node) => {
  const image = node.querySelector("image");
  const picture = new Image();
  picture.src = image.getAttribute("href") ?? image.getAttributeNS("http://www.w3.org/1999/xlink", "href");
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const data = new Uint32Array(context.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  return new Set(data).size;
}"""


@pytest.fixture(scope="module")
def race(_shared):
    """A finished race of two on pictures."""
    return trained(_shared, *TINY, "--steps", "40", "--checkpoint-every", "10")


@pytest.fixture(scope="module")
def solutions(_shared):
    """A finished race of two on an equation."""
    return trained(_shared, "--dataset", "helmholtz", "--steps", "40", "--device", "cpu")


def trained(server, *arguments: str) -> str:
    """Train a race of two and return the id of one of them."""
    before = {info.run for info in server.runs()}
    command = [sys.executable, "-m", "gradnorm", "train", "--home", str(server.home), *arguments]
    command += ["--race", "equal,gradnorm"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE / 1000)
    return next(info.run for info in server.runs() if info.run not in before)


def opened(page: Page, url: str) -> Page:
    """Open an address of the gallery and wait until its maps are drawn."""
    page.goto(url)
    expect(page.locator(".st-key-gallery-row-1 .js-plotly-plot image").last).to_be_visible(timeout=PATIENCE)
    idle(page)
    return page


def idle(page: Page) -> None:
    ready = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
    page.wait_for_function(ready, timeout=PATIENCE)


def errors(page: Page) -> list[str]:
    said = page.locator(".gallery-words, .gallery-card").all_text_contents()
    return re.findall(r"RMSE [\d.e-]+|off by [\d.e-]+", " ".join(said))


def test_the_errors_follow_the_slider(server, open_page, race):
    page = opened(open_page.page(), f"{server.url}/gallery?run={race}&image=7")
    before = errors(page)
    assert len(before) == 4
    page.get_by_role("slider", name=re.compile("Test picture")).focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"image=8\b"), timeout=PATIENCE)
    wait_for(lambda: len(errors(page)) == 4 and not set(errors(page)) & set(before), PATIENCE / 1000)
    page.get_by_role("slider", name="Checkpoint").focus()
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile(r"step=10\b"), timeout=PATIENCE)
    expect(page.get_by_text("step 10", exact=True)).to_have_count(2, timeout=PATIENCE)
    # What the address says is what another tab shows.
    idle(page)
    other = opened(open_page.page(), page.url)
    assert errors(other) == errors(page)


@pytest.mark.parametrize(("size", "scheme"), PAIRS)
def test_it_looks_right(server, open_page, race, size, scheme):
    page = opened(open_page.page(viewport=SIZES[size], color_scheme=scheme), f"{server.url}/gallery?run={race}&image=3")
    maps = page.locator("[class*=st-key-gallery-frame] .js-plotly-plot")
    assert maps.count() == 4
    for cell in maps.all():
        cell.scroll_into_view_if_needed()
        wait_for(lambda cell=cell: cell.evaluate(_COLOURS) > 20, PATIENCE / 1000)
        box = cell.bounding_box()
        assert box is not None
        assert 100 < box["width"] == pytest.approx(box["height"], abs=2)
    check(page)


@FEW
def test_a_solution_looks_right(server, open_page, solutions, size, scheme):
    page = open_page.page(viewport=SIZES[size], color_scheme=scheme)
    page = opened(page, f"{server.url}/gallery?run={solutions}")
    # The truth, and of each contender the answer and its error.
    maps = page.locator("[class*=st-key-gallery-frame] .js-plotly-plot")
    assert maps.count() == 5
    for cell in maps.all():
        cell.scroll_into_view_if_needed()
        wait_for(lambda cell=cell: cell.evaluate(_COLOURS) > 20, PATIENCE / 1000)
    assert page.get_by_text("y to the right from −1 to 1, x upwards from −1 to 1").count() == 1
    if size == "desk":
        left = [cell.bounding_box()["x"] for cell in maps.all()]
        assert left[0] == pytest.approx(left[1], abs=1) == pytest.approx(left[3], abs=1)
    check(page)


def test_it_follows_a_run_as_it_trains(server, open_page):
    arguments = [*TINY, "--steps", "100000", "--checkpoint-every", "20", "--pace", "10"]
    training = start_python(server.home, "-m", "gradnorm", "train", *arguments)
    try:
        run = wait_for(lambda: next((info.run for info in server.runs() if not info.ended), None), PATIENCE / 1000)
        page = open_page.page()
        page.goto(f"{server.url}/gallery?run={run}")
        expect(page.locator(".st-key-gallery-name-0")).to_contain_text("step", timeout=PATIENCE)
        first = page.locator(".st-key-gallery-name-0").inner_text()
        expect(page.locator(".st-key-gallery-name-0")).not_to_have_text(first, timeout=PATIENCE)
        # The slider goes with it: it shows the newest though there are more to choose from.
        thumb = page.get_by_test_id("stSlider").filter(has_text="Checkpoint").get_by_test_id("stSliderThumbValue")
        for _ in range(3):
            expect(thumb).to_contain_text("newest", timeout=PATIENCE)
            before = thumb.inner_text()
            expect(thumb).not_to_have_text(before, timeout=PATIENCE)
    finally:
        training.terminate()
        training.communicate(timeout=60)


def test_the_ways_to_it(server, open_page, race):
    tab = open_page(f"{server.url}/?run={race}")
    tab.page.get_by_role("link", name="Predictions").click()
    expect(tab.page).to_have_url(re.compile(rf"/gallery\?.*run={race}"), timeout=PATIENCE)
    expect(tab.page.locator(".st-key-gallery-row-1 .js-plotly-plot image").last).to_be_visible(timeout=PATIENCE)
