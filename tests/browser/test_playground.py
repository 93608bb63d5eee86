"""The journey that the dashboard is for: choose, start, watch, steer, come back, take away."""

from __future__ import annotations

import csv
import time
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.playground import CHARTS, PATIENCE, SMALL
from tests.factories import wait_for

PACED = f"dataset=toy&tasks=3&sigmas=1,10,100&{SMALL}&steps=20000&pace=120&alpha=0.5"


def alphas_of(path: Path) -> tuple[list[int], list[float]]:
    with path.open() as file:
        _, *rows = csv.DictReader(file)  # without the evaluation before the first step
    return [int(row["step"]) for row in rows], [float(row["alpha"]) for row in rows]


def download(tab, path: Path) -> Path:
    with tab.page.expect_download(timeout=PATIENCE) as waiting:
        tab.page.get_by_role("link", name="CSV").click()
    waiting.value.save_as(path)
    return path


def test_a_run_is_chosen_started_watched_steered_and_taken_away(server, open_page, tmp_path):
    tab = open_page(f"{server.url}/")
    tab.write("Tasks", "3")
    tab.wait_for_query("tasks=3")
    tab.write("Loss scales σ", "1, 10, 100")
    tab.wait_for_query("sigmas=1%2C10%2C100")
    tab.open_more()
    for label, text in (("Steps", "4000"), ("Pace", "100"), ("Width", "16"), ("Depth", "2"), ("Evaluate every", "20")):
        tab.write(label, text)
    tab.wait_for_query("pace=100")

    tab.press("Start")
    tab.wait_for_state("running")
    tab.wait_for_points(2)
    before = {chart: tab.points(chart) for chart in CHARTS}
    tab.wait_for_points(max(before.values()) + 2, "weights", "norms")
    tab.wait_for_points(before["test"] + 1, "test")
    tab.wait_for_query("run=")
    assert {f"legend-{i}" for i in range(3)} == set(
        tab.page.locator("[data-testid^=legend-]").evaluate_all("(nodes) => nodes.map((node) => node.dataset.testid)")
    )

    # α moves, with the keyboard, while the run goes on.
    tab.tag()
    tab.nudge("Asymmetry α", "ArrowRight", times=4)
    tab.wait_for_query("alpha=0.16")
    tab.page.wait_for_function("() => [...window.written.get('chart-norms')].includes('α 0.16')", timeout=PATIENCE)
    for chart in CHARTS:
        assert "α 0.16" in tab.written(chart)
    assert tab.is_tagged(), "The panel was mounted again by a change of α."

    # The page is reloaded; the run neither stops nor starts again.
    run, step, address = tab.run, tab.step, tab.page.url
    tab.page.reload()
    tab.wait_until_drawn()
    tab.wait_for_step(step + 20)
    assert tab.run == run
    assert tab.points("weights") >= step, "Steps from before the reload should be there."

    # The address, copied into another browser, shows the same run grow.
    other = open_page(address)
    seen = other.wait_for_step(step)
    other.wait_for_step(seen + 20)
    assert other.run == run
    assert other.page.url == tab.page.url
    assert other.controls() == tab.controls()

    # Pause, one step, resume.
    tab.press("Pause")
    tab.wait_for_state("paused")
    other.wait_for_state("paused")
    held = server.store.info(run).steps
    tab.wait_for_step(held)
    tab.press("Step")
    tab.wait_for_step(held + 1)
    other.wait_for_step(held + 1)
    time.sleep(1.0)
    assert server.store.info(run).steps == held + 1
    assert tab.step == other.step == held + 1
    tab.press("Resume")
    tab.wait_for_state("running")
    tab.wait_for_step(held + 20)

    tab.press("Stop")
    tab.wait_for_state("stopped")
    other.wait_for_state("stopped")
    taken = server.store.info(run).steps
    for each in (tab, other):
        each.wait_for_step(taken)
        expect(each.chart("weights")).to_have_attribute("data-points", str(taken), timeout=PATIENCE)

    steps, alphas = alphas_of(download(tab, tmp_path / "run.csv"))
    assert steps == list(range(1, taken + 1))
    changes = [b for a, b in pairwise(alphas) if a != b]
    assert changes, "α should have changed on the way."
    assert alphas[0] == pytest.approx(0.12)
    assert alphas[-1] == pytest.approx(0.16)


def test_zoom_and_legend_stay_while_data_stream_and_alpha_moves(server, open_page):
    tab = open_page(f"{server.url}/?{PACED}")
    tab.press("Start")
    tab.wait_for_step(150)
    tab.tag()
    tab.drag("weights", 0.02, 0.12)
    expect(tab.chart("weights")).not_to_have_attribute("data-min", "0", timeout=PATIENCE)
    zoomed = tab.visible_range()
    assert 0 < float(zoomed[0]) < float(zoomed[1]) < 1250
    expect(tab.chart("norms")).to_have_attribute("data-min", zoomed[0], timeout=PATIENCE)
    tab.page.get_by_test_id("legend-1").click()
    tab.page.mouse.move(5, 5)
    orange = (213, 94, 0)

    step = tab.step
    tab.nudge("Asymmetry α", "ArrowRight", times=3)
    tab.wait_for_query("alpha=0.53")
    tab.wait_for_step(step + 100)
    assert tab.visible_range() == zoomed
    for chart in CHARTS:
        assert tab.visible_range(chart) == zoomed

    tab.page.get_by_test_id("reset-zoom").click()
    tab.page.mouse.move(5, 5)
    expect(tab.chart("weights")).to_have_attribute("data-min", "0", timeout=PATIENCE)
    expect(tab.page.get_by_test_id("legend-1")).to_have_attribute("aria-pressed", "false")
    tab.wait_for_step(tab.step + 20)
    for chart in CHARTS:
        tab.chart(chart).scroll_into_view_if_needed()
        tab.wait_for_step(tab.step + 20)
        assert tab.pixels(chart, orange) == 0, f"A hidden task is drawn in {chart}."
    tab.page.get_by_test_id("legend-1").click()
    tab.page.mouse.move(5, 5)
    for chart in CHARTS:
        tab.chart(chart).scroll_into_view_if_needed()
        tab.wait_for_step(tab.step + 20)
        wait_for(lambda chart=chart: tab.pixels(chart, orange) > 20, PATIENCE / 1000)
    assert tab.is_tagged()
    assert tab.panel.get_attribute("data-mounts") == "1"


def test_a_reload_keeps_the_alpha_that_the_run_was_given(server, open_page):
    tab = open_page(f"{server.url}/?{PACED}")
    tab.press("Start")
    tab.wait_for_step(5)
    tab.nudge("Asymmetry α", "ArrowRight", times=5)
    tab.wait_for_query("alpha=0.55")
    address, shown = tab.page.url, tab.controls()
    tab.page.reload()
    tab.wait_until_drawn()
    assert tab.controls() == shown
    assert tab.page.url == address


def test_fast_moves_of_the_slider_are_not_lost(server, open_page):
    tab = open_page(f"{server.url}/?{PACED}")
    tab.nudge("Asymmetry α", "ArrowRight", times=25, pause=70)
    tab.settle()
    tab.page.wait_for_timeout(1000)
    assert tab.controls()["Asymmetry α"] == "0.75"
    tab.wait_for_query("alpha=0.75")


def test_one_step_from_nothing(server, open_page):
    tab = open_page(f"{server.url}/?{PACED}")
    tab.press("Step")
    tab.wait_for_step(1)
    tab.wait_for_state("paused")
    tab.press("Step")
    tab.wait_for_step(2)
    time.sleep(1.0)
    assert server.store.info(tab.run).steps == 2
    tab.press("Reset")
    tab.press("Stop it")
    expect(tab.panel).to_have_attribute("data-run", "", timeout=PATIENCE)
    expect(tab.button("Start")).to_be_enabled(timeout=PATIENCE)
    assert "run=" not in tab.page.url


def test_a_run_that_ends_by_itself_says_so(server, open_page, tmp_path):
    tab = open_page(f"{server.url}/?{PACED}&steps=150&pace=0".replace("steps=20000&pace=120&", ""))
    tab.press("Start")
    tab.wait_for_state("finished")
    expect(tab.panel).to_contain_text("Finished all 150 steps.", timeout=PATIENCE)
    expect(tab.button("Start")).to_be_enabled(timeout=PATIENCE)
    expect(tab.button("Pause")).to_be_disabled()
    assert alphas_of(download(tab, tmp_path / "run.csv"))[0] == list(range(1, 151))


def test_two_runs_take_turns(server, open_page):
    first = open_page(f"{server.url}/?{PACED}")
    first.press("Start")
    first.wait_for_step(5)
    second = open_page(f"{server.url}/?{PACED}&seed=7")
    second.press("Start")
    second.wait_for_state("queued")
    expect(second.panel).to_contain_text("place 1 in the queue", timeout=PATIENCE)
    second.page.reload()
    second.wait_until_drawn()
    second.wait_for_state("queued")
    first.press("Stop")
    first.wait_for_state("stopped")
    second.wait_for_state("running")
    second.wait_for_step(5)
    assert first.run != second.run
    expect(second.button("Pause")).to_be_enabled(timeout=PATIENCE)


def test_priorities_are_moved_while_a_run_measures_every_twentieth_step(server, open_page):
    tab = open_page(f"{server.url}/?{PACED.replace('alpha=0.5', 'alpha=0')}&every=20&watch_norms=false")
    tab.press("Start")
    tab.wait_for_step(5)
    norm = tab.page.get_by_test_id("task-table").locator("td:nth-child(3)").last
    expect(norm).not_to_have_text("–", timeout=PATIENCE)
    # Between two measurements the table and the charts show the last one.
    watch = """() => {
      window.gaps = 0;
      const table = document.querySelector("[data-testid=task-table]");
      const norms = () => [...table.querySelectorAll("td:nth-child(3)")];
      const look = () => { window.gaps += norms().filter((cell) => cell.textContent === "–").length; };
      look();
      new MutationObserver(look).observe(table, { subtree: true, childList: true, characterData: true });
    }"""
    tab.page.evaluate(watch)
    tab.nudge("Priority of task 2", "ArrowRight", times=3)
    tab.wait_for_query("priorities=1%2C2%2C1")
    tab.page.wait_for_function(
        "() => [...window.written.get('chart-norms')].includes('priorities 1, 2, 1')", timeout=PATIENCE
    )
    tab.wait_for_step(tab.step + 45)
    assert tab.page.evaluate("window.gaps") == 0
    events = [event for event in server.store.read(tab.run).events if event.key == "priorities"]
    assert events[-1].value == [1.0, 2.0, 1.0]
    snapshot = server.store.read(tab.run)
    measured = [row for row in snapshot.vector("targets").tolist() if row[0] == row[0]]
    assert measured[-1] == pytest.approx([measured[-1][0] * p for p in (1, 2, 1)], rel=1e-5)
