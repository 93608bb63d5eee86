"""Many contenders, seeds and tasks in one panel: what is drawn, said and sorted, and that frames stay quick."""

from __future__ import annotations

import re
import statistics
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from gradnorm.config.spec import RunSpec
from gradnorm.config.variants import contenders
from gradnorm.runs.records import Evaluation
from tests.browser.playground import PATIENCE
from tests.browser.test_looks import SIZES, check
from tests.browser.test_race import BASE, wait_for_rows
from tests.factories import finished, step_record

METHODS = ("equal", "gradnorm:alpha=0.5", "gradnorm:alpha=1.5", "uncertainty", "dwa", "rlw", "gls", "imtl-l")
STEPS = 100
# The first two contenders' colours on a light page.
BLUE, VERMILION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)

# Keeps what each frame with new steps costs, in milliseconds.
_WEIGH = """() => {
  window.costs = [];
  document.addEventListener("gradnorm:painted", () =>
    setTimeout(() => window.costs.push(Number(document.querySelector(".gn-live").dataset.cost))));
}"""


def ratio(method: int, seed: int) -> float:
    """The test loss ratio of both tasks that an invented run ends with."""
    return 0.9 - 0.1 * method + 0.01 * seed


def rows(first: int, last: int, tasks: int, wave: int):
    """Records whose weights and loss ratios differ by task and by run."""
    for step in range(first, last + 1):
        values = tuple(1 + (i + wave) % 7 / 7 + (step * (wave + 3) % 11) / 50 for i in range(tasks))
        yield replace(step_record(step, tasks), weights=values, loss_ratios=values, losses=values)


def invent_race(store, seeds: int) -> list[str]:
    """Write a race of METHODS × seeds that has run for STEPS steps."""
    text = ",".join(f"{method}:seed={seed}" for seed in range(seeds) for method in METHODS)
    specs = contenders(RunSpec.parse({**BASE, "steps": 1000}), text)
    runs = store.create_race([(s.title, s.flat()) for s in specs], specs[0].dataset.task_names, queued=False)
    for place, run in enumerate(runs):
        seed, method = divmod(place, len(METHODS))
        ends = [(0, 1.0), (STEPS, ratio(method, seed))]
        tests = [Evaluation(step, (r, r), (r, r), 2 * r, ({"r2": 1 - r},) * 2) for step, r in ends]
        store.append(run, list(rows(1, STEPS, 2, place)), tests)
    return runs


def end(store, runs: list[str]) -> None:
    for run in runs:
        store.end(run, finished(store.info(run).steps))


def frame(tab, store, runs: list[str], drawn: int) -> float:
    """Return what a frame costs, in milliseconds, when all runs get further: the median. drawn: how many are drawn."""
    tab.page.evaluate(_WEIGH)
    for _ in range(5):
        steps = store.info(runs[0]).steps
        for place, run in enumerate(runs):
            store.append(run, list(rows(steps + 1, steps + 10, 2, place)))
        wait_for_rows(tab, [steps + 10] * drawn)
    tab.page.wait_for_function("() => window.costs.length", timeout=PATIENCE)
    return statistics.median(tab.page.evaluate("() => window.costs"))


@pytest.fixture(scope="module")
def served(_shared):
    """The server that tests share; what runs here is of this process, and nobody else's to stop."""
    return _shared


@pytest.fixture(scope="module")
def races(served):
    """A race of 8 contenders and one of 64."""
    made = [invent_race(served.store, seeds) for seeds in (1, 8)]
    yield made
    for runs in made:
        end(served.store, [run for run in runs if not served.store.info(run).ended])


def test_64_contenders_are_drawn_by_their_means_sorted_and_quick(served, open_page, races):
    store = served.store
    eight, many = races
    tab = open_page(f"{served.url}/?run={eight[0]}&view.colour=contender")
    wait_for_rows(tab, [STEPS] * 8)
    usual = frame(tab, store, eight, 8)

    sockets: list[str] = []
    page = tab.page
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"{served.url}/?run={many[0]}")
    tab.wait_until_drawn()
    wait_for_rows(tab, [STEPS] * 8)
    assert len([url for url in sockets if "/live/" in url]) == 1
    expect(page.locator("[data-testid^=contender-]")).to_have_count(8)
    expect(page.get_by_test_id("contender-1")).to_contain_text("GradNorm α 0.5")
    expect(page.get_by_test_id("contender-1")).to_contain_text("8 seeds · running")

    # Each contender has a colour where it has one line, whatever colour tells apart elsewhere.
    chart = tab.chart("test")
    chart.scroll_into_view_if_needed()
    tab.wait_for_points(1, "test")
    expect(chart.locator(".gn-gloss")).to_contain_text("means over seeds, with bands from least to greatest")
    page.wait_for_function("() => ['A', 'B', 'H'].every((key) => window.written.get('chart-test')?.has(key))")
    assert min(tab.pixels("test", color) for color in (BLUE, VERMILION)) > 30

    # The table is on means, beside how many seeds they are over, and each heading sorts.
    table = page.get_by_test_id("leaders")
    first = table.locator("tbody tr").first
    expect(first).to_contain_text(re.compile(r"A\s*Equal weights"))
    mean = sum(2 * ratio(0, seed) for seed in range(8)) / 8
    expect(first.locator("td").nth(0)).to_have_text("8")
    expect(first.locator("td").nth(1)).to_have_text(re.compile(rf"^{mean:.3f} ± 0\.049$"))
    expect(table.locator("tbody .gn-star")).to_have_count(5)
    heading = table.locator("th", has_text="Σ L/L(0)")
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(first).to_contain_text("H")
    expect(first.locator("td").nth(1).locator(".gn-star")).to_be_visible()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(first).to_contain_text("Equal weights")
    table.get_by_role("button", name="contender").click()
    expect(heading).not_to_have_attribute("aria-sort", re.compile("."))
    expect(first).to_contain_text("Dynamic weight average")

    # The address keeps the order; a reload, Back and a copied link show it.
    tab.wait_for_query("view.sort=contender")
    page.reload()
    expect(first).to_contain_text("Dynamic weight average", timeout=PATIENCE)
    table.get_by_role("button", name="contender").click()
    expect(first).to_contain_text("Uncertainty")
    tab.wait_for_query("view.sort=-contender")
    address = page.url
    page.goto(f"{served.url}/?run={eight[0]}")
    expect(first).to_contain_text("Equal weights", timeout=PATIENCE)
    for visit in (page.go_back, lambda: page.goto(address)):
        visit()
        expect(first).to_contain_text("Uncertainty", timeout=PATIENCE)
        named = table.locator("th", has_text="contender")
        expect(named).to_have_attribute("aria-sort", "descending")
    tab.wait_until_drawn()
    wait_for_rows(tab, [STEPS] * 8)

    # Each seed by itself: 64 lines, of one task, by colour.
    page.get_by_role("button", name="each", exact=True).click()
    expect(page.locator("[data-testid^=contender-]")).to_have_count(64)
    expect(page.get_by_role("button", name="contenders", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(tab.chart("weights").locator(".gn-gloss")).to_contain_text("of task 1 alone")
    page.get_by_test_id("legend-1").click()
    expect(tab.chart("weights").locator(".gn-gloss")).to_contain_text("of task 2 alone")
    tab.wait_for_query("view.seeds=each")
    tab.wait_for_query("view.task=2")
    page.get_by_test_id("contender-63").click()
    expect(page.get_by_test_id("contender-63")).to_have_attribute("aria-pressed", "true")
    crowded = frame(tab, store, many, 64)
    assert crowded < 16 * usual + 20, f"{crowded} ms for 64 contenders, {usual} ms for 8"


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light")])
def test_a_large_race_can_be_seen_and_read(served, open_page, races, size, scheme):
    tab = open_page(f"{served.url}/?run={races[1][0]}&view.seeds=each", viewport=SIZES[size], color_scheme=scheme)
    expect(tab.page.locator("[data-testid^=contender-]")).to_have_count(64, timeout=PATIENCE)
    expect(tab.page.get_by_test_id("leaders").locator(".gn-star").first).to_be_visible(timeout=PATIENCE)
    check(tab.page)


def test_of_many_tasks_those_that_matter_are_lines_and_any_other_can_be_one(served, open_page):
    store = served.store
    spec = RunSpec.parse({**BASE, "tasks": 40, "sigmas": [1.0] * 40, "method": "gradnorm"})
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    store.append(run, list(rows(1, STEPS, 40, 0)))
    end(store, [run])
    tab = open_page(f"{served.url}/?run={run}")
    page = tab.page
    tab.wait_for_points(STEPS - 1, "weights")
    drawn = page.locator(".gn-chips > [data-testid^=legend-]")
    expect(drawn).to_have_count(10)
    # Tasks 7, 14, 21, … have the largest weights, and of the others 6, 13, 20, … the largest loss ratios.
    expect(drawn.first).to_have_text("task 6")
    others = page.get_by_test_id("other-tasks")
    expect(others).to_have_text("and 30 others")
    expect(tab.chart("weights").locator(".gn-gloss")).to_contain_text("grey: the range of 30 others")
    expect(page.get_by_test_id("legend-39")).to_be_hidden()
    others.focus()
    page.keyboard.press("Enter")
    expect(others).to_have_attribute("aria-expanded", "true")
    page.get_by_test_id("legend-38").click()
    expect(page.get_by_test_id("legend-38")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_test_id("legend-38")).to_be_focused()
    expect(drawn).to_have_count(11)
    tab.wait_for_query("view.forward=39")
    check(page)
    page.get_by_role("button", name="put back what I brought forward").click()
    expect(drawn).to_have_count(10)
