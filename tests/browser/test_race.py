"""Races and time travel: contenders laid over each other, who leads, and a fork from a checkpoint."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from gradnorm.config.spec import RunSpec
from gradnorm.config.variants import contenders
from tests.browser.playground import CHARTS, PATIENCE, Playground
from tests.browser.test_looks import SIZES, check
from tests.factories import wait_for

BASE = {
    "dataset": "toy",
    "tasks": 2,
    "sigmas": [1.0, 100.0],
    "batch_size": 8,
    "width": 16,
    "depth": 1,
    "steps": 300,
    "eval_every": 20,
    "checkpoint_every": 50,
    "device": "cpu",
}
THREE = "equal,gradnorm:alpha=0.5,uncertainty"
NAMES = ["Equal weights", "GradNorm α 0.5", "Uncertainty weighting"]

# A number that stands for what a chart looks like.
_PICTURE = """async (chart) => {
  const found = () => document.querySelector(`[data-testid=chart-${chart}] canvas`);
  // A chart whose axes or size change is made anew.
  for (let i = 0; !found() && i < 300; i += 1) await new Promise(requestAnimationFrame);
  const canvas = found();
  return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.filter((_, i) => i % 4 === 3)]
    .reduce((hash, alpha, i) => (hash * 31 + alpha * (i % 97)) % 1000000007, 7);
}"""


def race(store, text=THREE, **changes):
    """Queue a race in another process than the server's; return its runs."""
    specs = contenders(RunSpec.parse({**BASE, **changes}), text)
    return store.create_race([(s.title, s.flat()) for s in specs], specs[0].dataset.task_names, queued=True)


def wait_for_rows(tab, counts: list[int]) -> None:
    """Wait until every contender has at least so many rows on the page."""
    script = """(counts) => counts.every((count, i) =>
      Number(document.querySelector(`[data-testid=contender-${i}]`)?.dataset.points ?? -1) >= count)"""
    tab.page.wait_for_function(script, arg=counts, timeout=PATIENCE)


@pytest.fixture(scope="module")
def warm(_shared, browser):
    """A server whose worker looks at the queue: it does once a page has been opened."""
    page = browser.new_page()
    Playground.open(page, f"{_shared.url}/")
    page.close()
    return _shared


@pytest.fixture(scope="module")
def over(warm):
    """A race that has ended."""
    runs = race(warm.store)
    wait_for(lambda: all(warm.store.info(run).ended for run in runs), PATIENCE / 1000)
    return runs


def test_a_race_is_watched_as_a_whole(server, open_page, warm):
    runs = race(server.store, steps=20000, pace=100)
    tab = open_page(f"{server.url}/?run={runs[1]}")
    tab.wait_for_state("running")
    wait_for_rows(tab, [40, 40, 40])
    assert tab.run == runs[1]
    for i, (run, name) in enumerate(zip(runs, NAMES, strict=True)):
        button = tab.page.get_by_test_id(f"contender-{i}")
        expect(button).to_have_attribute("data-run", run)
        expect(button).to_contain_text(name)
        expect(button).to_contain_text("running")
    expect(tab.page.get_by_test_id("contender-1")).to_have_attribute("aria-pressed", "true")

    # One line a contender, with its key at the end; who leads is said at a step that all have evaluated.
    tab.wait_for_points(1, *CHARTS)
    tab.page.wait_for_function(
        "() => ['A', 'B', 'C'].every((key) => window.written.get('chart-test')?.has(key))", timeout=PATIENCE
    )
    table = tab.page.get_by_test_id("leaders")
    expect(table).to_contain_text(re.compile("after step [0-9,]*[02468]0"))
    expect(table.locator("tbody tr")).to_have_count(3)
    stars = table.locator("tbody tr td:nth-child(2) .gn-star")
    expect(stars).to_have_count(1, timeout=PATIENCE)

    # Another one is brought to the front with the keyboard; the page watches the same run as before.
    expect(tab.page.get_by_test_id("task-table")).to_contain_text("task, B")
    tab.page.get_by_test_id("contender-1").focus()
    tab.page.keyboard.press("Tab")
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_test_id("contender-2")).to_have_attribute("aria-pressed", "true")
    expect(tab.page.get_by_test_id("contender-2")).to_be_focused()
    expect(tab.page.get_by_test_id("task-table")).to_contain_text("task, C")
    assert tab.run == runs[1]
    tab.press("Stop")
    tab.wait_for_state("stopped")
    for i in range(3):
        expect(tab.page.get_by_test_id(f"contender-{i}")).to_contain_text("stopped", timeout=PATIENCE)


def test_a_race_is_started_watched_and_forked_at_its_middle(server, open_page):
    changes = {**BASE, "method": "gradnorm", "alpha": 0.5, "sigmas": "1,100"}
    tab = open_page(f"{server.url}/?{urlencode(changes)}")
    tab.page.locator("[data-testid=stSidebar] details").filter(has_text="Contenders").locator("summary").click()
    tab.settle()
    tab.press("Start race")
    tab.wait_for_query("run=")
    expect(tab.panel).not_to_have_attribute("data-run", "", timeout=PATIENCE)
    family = server.store.family(tab.run)
    assert [info.spec["method"] for info in family] == ["equal", "gradnorm", "uncertainty"]
    assert tab.run == family[1].run
    tab.wait_for_state("finished")
    wait_for_rows(tab, [300, 300, 300])
    expect(tab.page.get_by_test_id("leaders").locator("tbody tr")).to_have_count(3)
    tab.nudge("Asymmetry α", "End")
    tab.wait_for_query("alpha=3")
    slider = tab.page.get_by_role("slider", name="Checkpoint to travel to")
    slider.focus()
    slider.press("Home")
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    tab.press("Fork from step 150")
    expect(tab.panel).not_to_have_attribute("data-run", family[1].run, timeout=PATIENCE)
    tab.wait_for_state("finished")
    child = server.store.info(tab.run)
    assert (child.parent, child.forked_at, child.spec["alpha"], child.steps) == (family[1].run, 150, 3.0, 300)
    wait_for_rows(tab, [300, 300, 300, 150])


def test_all_contenders_are_drawn(server, open_page, over):
    tab = open_page(f"{server.url}/?run={over[0]}")
    wait_for_rows(tab, [300, 300, 300])
    tab.page.mouse.move(5, 5)
    chart = tab.chart("weights")
    chart.scroll_into_view_if_needed()
    expect(chart).to_have_attribute("data-points", "300", timeout=PATIENCE)
    # What is pointed at stands out: with each contender the picture is another one.
    pictures = {tab.page.evaluate(_PICTURE, "weights")}
    for i in range(3):
        tab.page.get_by_test_id(f"contender-{i}").hover()
        tab.page.wait_for_timeout(300)
        pictures.add(tab.page.evaluate(_PICTURE, "weights"))
    assert len(pictures) == 4
    # The cursor reads off other runs, too.
    box = chart.locator(".u-over").bounding_box()
    assert box is not None
    seen = set()
    for part in range(2, 40):
        tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + part / 40 * box["height"])
        if chart.locator(".gn-tag").is_visible():
            seen.add(chart.locator(".gn-tag").text_content().strip()[0])
    assert seen == {"A", "B", "C"}
    # Zoomed, and back.
    tab.drag("weights", 0.3, 0.6)
    expect(chart).not_to_have_attribute("data-min", "0", timeout=PATIENCE)
    tab.page.get_by_test_id("reset-zoom").click()
    expect(chart).to_have_attribute("data-min", "0", timeout=PATIENCE)


def test_a_fork_from_the_middle_is_drawn_from_there(server, open_page, over):
    store = server.store
    tab = open_page(f"{server.url}/?run={over[1]}")
    wait_for_rows(tab, [300, 300, 300])
    tab.tag()
    tab.nudge("Asymmetry α", "End")
    tab.wait_for_query("alpha=3")
    steps = store.checkpoints.steps(over[1])
    slider = tab.page.get_by_role("slider", name="Checkpoint to travel to")
    fork = tab.page.get_by_test_id("fork")
    slider.focus()
    slider.press("Home")
    expect(fork).to_have_text(f"Fork from step {steps[0]}")
    for _ in range(steps.index(150)):
        slider.press("ArrowRight")
    expect(fork).to_have_text("Fork from step 150")
    assert slider.get_attribute("aria-valuetext") == "step 150"
    expect(tab.chart("weights").locator(".gn-readout-step")).to_have_text("step 150, smoothed")
    for chart in ("weights", "norms"):
        tab.chart(chart).scroll_into_view_if_needed()
        wait_for(lambda chart=chart: "step 150" in tab.written(chart), PATIENCE / 1000)

    fork.click()
    expect(tab.panel).not_to_have_attribute("data-run", over[1], timeout=PATIENCE)
    child = store.info(tab.run)
    assert (child.parent, child.forked_at, child.spec["alpha"]) == (over[1], 150, 3.0)
    tab.wait_for_query(f"run={child.run}")
    tab.wait_for_state("finished")
    # Its own records begin at the branching point; the others are as they were.
    wait_for_rows(tab, [300, 300, 300, 150])
    assert store.read(child.run).rows[0, 0] == 151
    expect(tab.page.get_by_test_id("contender-3")).to_contain_text("GradNorm α 3, fork at 150")
    tab.page.wait_for_function("() => window.written.get('chart-weights').has('fork at 150')", timeout=PATIENCE)
    expect(tab.page.get_by_test_id("contender-3")).to_have_attribute("aria-pressed", "true")
    assert tab.is_tagged(), "The panel was mounted again by a fork."
    assert tab.panel.get_attribute("data-mounts") == "1"


def test_a_fork_that_cannot_be_made_says_why(server, open_page, over):
    changed = RunSpec.parse({**server.store.info(over[1]).spec, "width": 24}).query()
    tab = open_page(f"{server.url}/?{urlencode({**changed, 'run': over[1]})}")
    wait_for_rows(tab, [300, 300, 300])
    before = len(server.runs())
    tab.page.get_by_test_id("fork").click()
    tab.says("width should be 16 as in the run that is forked. Found 24")
    assert tab.run == over[1]
    assert len(server.runs()) == before


def test_one_run_alone_looks_as_it_did(server, open_page, warm):
    tab = open_page(
        f"{server.url}/?preset=toy-2&steps=120&checkpoint_every=50&batch_size=8&width=16&depth=1&device=cpu"
    )
    tab.press("Start")
    tab.wait_for_state("finished")
    tab.wait_for_points(100, "weights")
    expect(tab.page.get_by_test_id("contenders")).to_be_hidden()
    expect(tab.page.get_by_test_id("leaders")).to_be_hidden()
    expect(tab.page.get_by_test_id("travel-bar")).to_be_visible(timeout=PATIENCE)
    expect(tab.page.get_by_test_id("fork")).to_have_text("Fork from step 100")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light"), ("phone", "dark")])
def test_a_race_can_be_seen_and_read(server, open_page, over, size, scheme):
    tab = open_page(f"{server.url}/?run={over[1]}", viewport=SIZES[size], color_scheme=scheme)
    wait_for_rows(tab, [300, 300, 300])
    expect(tab.page.get_by_test_id("leaders").locator(".gn-star").first).to_be_visible(timeout=PATIENCE)
    check(tab.page)
