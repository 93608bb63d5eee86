"""Runs side by side in a real browser, and their report from a file without a network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.playground import PATIENCE
from tests.browser.test_looks import PAIRS, SIZES, check
from tests.factories import ROOT

# Whole servers: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

SMALL = ["--preset", "toy-2", "--steps", "60", "--eval-every", "10", "--width", "8", "--depth", "1", "--device", "cpu"]
RACES = (
    "equal,equal:seed=1,gradnorm:alpha=0.5,gradnorm:alpha=0.5:seed=1,gradnorm:alpha=1.5,gradnorm:alpha=1.5:seed=1",
    "static:weights=0.5;1.5,static:weights=0.5;1.5:seed=1,uncertainty,uncertainty:seed=1",
)
METRICS = "metric=test_task_normalized_loss&metric=weights.task+1"

# What the figures of a page show: names, axes and numbers, apart from looks.
_FIGURES = """() => [...document.querySelectorAll(".js-plotly-plot")].map((figure) => figure.data.map((trace) => [
  trace.type, trace.name ?? "", [...(trace.x ?? [])], [...(trace.y ?? [])],
  (trace.dimensions ?? []).map((axis) => [axis.label, [...axis.values]]),
]))"""
_TABLES = "() => [...document.querySelectorAll('.wide table')].map((table) => table.innerText)"


@pytest.fixture(scope="module")
def runs(_shared):
    """Ten runs in five groups of two seeds, trained."""
    before = {info.run for info in _shared.runs()}
    for race in RACES:
        command = [sys.executable, "-m", "gradnorm", "train", "--home", str(_shared.home), *SMALL, "--race", race]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE / 1000)
    return [info.run for info in _shared.runs() if info.run not in before][::-1]


def opened(page: Page, url: str, figures: int) -> Page:
    page.goto(url)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".js-plotly-plot")).to_have_count(figures, timeout=PATIENCE)
    expect(page.get_by_role("heading", name="Paired differences")).to_be_visible(timeout=PATIENCE)
    return page


def saved(page: Page, button: str, path: Path) -> Path:
    with page.expect_download(timeout=PATIENCE) as waiting:
        page.get_by_role("button", name=button, exact=True).click()
    waiting.value.save_as(path)
    return path


def test_ten_runs_are_compared_and_the_report_shows_the_same_without_a_network(server, open_page, runs, tmp_path):
    assert len(runs) == 10
    page = opened(open_page.page(), f"{server.url}/compare?runs={','.join(runs)}&{METRICS}", 3)
    shown, tables = page.evaluate(_FIGURES), page.evaluate(_TABLES)
    assert len([trace for trace in shown[0] if trace[1]]) == 5
    assert tables[0].count("±") == 15
    expect(page.get_by_test_id("stMain")).to_contain_text("LaTeX", timeout=PATIENCE)
    report = saved(page, "HTML report", tmp_path / "report.html")
    assert r"\begin{tabular}" in saved(page, "LaTeX", tmp_path / "it.tex").read_text()
    assert saved(page, "CSV", tmp_path / "it.csv").read_text().startswith("group,runs")

    offline = open_page.page(offline=True)
    offline.on("request", lambda request: pytest.fail(request.url) if request.url.startswith("http") else None)
    offline.goto(report.as_uri())
    expect(offline.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    assert offline.evaluate(_FIGURES) == shown
    assert offline.evaluate(_TABLES) == tables
    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg")):
        with offline.expect_download(timeout=PATIENCE) as waiting:
            offline.get_by_role("button", name=kind, exact=True).first.click()
        assert Path(waiting.value.path()).read_bytes().startswith(start)


def test_controls_write_the_address_and_pictures_are_saved(server, open_page, runs):
    page = opened(open_page.page(), f"{server.url}/compare?runs={','.join(runs)}", 2)
    page.get_by_role("radio", name="Time").click()
    page.wait_for_url(re.compile("by=time"), timeout=PATIENCE)
    page.get_by_role("radio", name="SVG").click()
    page.wait_for_url(re.compile("picture=svg"), timeout=PATIENCE)
    expect(page.get_by_text("seconds of training")).to_be_visible(timeout=PATIENCE)
    # The address is written before the figures are drawn anew.
    saves = """() => [...document.querySelectorAll('.js-plotly-plot')].every(
      (plot) => plot._context.toImageButtonOptions.format === 'svg')"""
    page.wait_for_function(saves, timeout=PATIENCE)
    with page.expect_download(timeout=PATIENCE) as waiting:
        page.locator("[data-title*='Download plot']").first.click()
    assert waiting.value.suggested_filename == "comparison-1.svg"
    page.reload()
    expect(page.get_by_text("seconds of training")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize(("size", "scheme"), PAIRS)
def test_it_looks_right(server, open_page, runs, size, scheme):
    page = open_page.page(viewport=SIZES[size], color_scheme=scheme)
    opened(page, f"{server.url}/compare?runs={','.join(runs)}&{METRICS}&score=last", 3)
    check(page)
