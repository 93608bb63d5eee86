"""What people do to a page without meaning harm, and what happens to the server under it."""

from __future__ import annotations

import signal

from playwright.sync_api import expect

from tests.browser.playground import PATIENCE, SMALL

PACED = f"dataset=toy&tasks=3&sigmas=1,10,100&{SMALL}&steps=4000&pace=120&alpha=0.5"
SHORT = f"dataset=toy&tasks=2&sigmas=1,10&{SMALL}&steps=40"


def test_start_pressed_twice_starts_one_run(server, open_page):
    before = len(server.runs())
    tab = open_page(f"{server.url}/?{PACED}")
    tab.button("Start").dblclick()
    tab.wait_for_step(5)
    tab.press("Reset")
    tab.press("Stop it")
    expect(tab.panel).to_have_attribute("data-run", "", timeout=PATIENCE)
    presses = "() => { for (let i = 0; i < 3; i += 1) document.querySelector('.st-key-start button').click(); }"
    tab.page.evaluate(presses)
    tab.wait_for_step(5)
    tab.settle()
    assert len(server.runs()) == before + 2


def test_short_runs_one_after_another_free_the_buttons(server, open_page):
    tab = open_page(f"{server.url}/?{SHORT}".replace("steps=40", "steps=1"))
    seen: set[str] = set()
    for _ in range(6):
        tab.press("Start")
        ended = """(seen) => {
          const { run, state } = document.querySelector("[data-testid=live-panel]").dataset;
          return !seen.includes(run) && state === "finished";
        }"""
        tab.page.wait_for_function(ended, arg=["", *seen], timeout=PATIENCE)
        seen.add(tab.run)
        expect(tab.button("Pause")).to_be_disabled(timeout=PATIENCE)
        expect(tab.button("Start")).to_be_enabled(timeout=PATIENCE)


def test_settings_changed_in_mid_run_are_for_the_next_one(server, open_page):
    tab = open_page(f"{server.url}/?{PACED}")
    tab.press("Start")
    tab.wait_for_step(5)
    tab.tag()
    tab.write("Tasks", "5")
    expect(tab.page.get_by_text("They apply to the next run")).to_be_visible(timeout=PATIENCE)
    tab.wait_for_step(tab.step + 20)
    assert tab.is_tagged()
    assert len(server.store.info(tab.run).tasks) == 3
    expect(tab.page.locator("[data-testid^=legend-]")).to_have_count(3)


def test_a_run_deleted_under_a_watching_tab(server, open_page):
    tab = open_page(f"{server.url}/?{SHORT}")
    tab.press("Start")
    tab.wait_for_state("finished")
    expect(tab.button("Start")).to_be_enabled(timeout=PATIENCE)
    address = tab.page.url
    server.store.delete(tab.run)
    tab.nudge("Asymmetry α", "ArrowRight")
    expect(tab.panel).to_have_attribute("data-run", "", timeout=PATIENCE)
    other = open_page(address)
    other.says("There is no run")


def test_a_tab_outlives_its_server(fresh_server, open_page):
    open_page.expected += ["ERR_CONNECTION", "ERR_FAILED", "reaching server", "not responding", "disconnected"]
    tab = open_page(f"{fresh_server.url}/?{PACED}")
    tab.press("Start")
    tab.wait_for_step(60)
    run, tasks = tab.run, tab.controls()["Tasks"]
    # Streamlit finds the new server later than the panel does.
    tab.page.route("**/_stcore/**", lambda route: route.abort())
    fresh_server.stop(signal.SIGKILL)
    expect(tab.panel).to_contain_text("reconnecting", timeout=PATIENCE)
    assert tab.points("weights") >= 60, "What was drawn should stay."
    fresh_server.start()
    tab.wait_for_state("interrupted")
    expect(tab.panel).to_contain_text("Its process ended", timeout=PATIENCE)
    tab.page.unroute("**/_stcore/**")
    expect(tab.button("Start")).to_be_enabled(timeout=PATIENCE)
    expect(tab.button("Stop")).to_be_disabled(timeout=PATIENCE)
    kept = fresh_server.store.info(run).steps
    expect(tab.chart("weights")).to_have_attribute("data-points", str(kept), timeout=PATIENCE)
    assert tab.controls()["Tasks"] == tasks
    tab.press("Start")
    tab.wait_for_state("running")
    assert tab.run != run


def test_back_and_forward_leave_a_page_that_agrees_with_its_address(server, open_page):
    tab = open_page(f"{server.url}/?{PACED}")
    for seed in ("1", "2"):
        tab.write("Seed", seed)
        tab.wait_for_query(f"seed={seed}")
    agrees = """() => {
      const seed = document.querySelector('input[aria-label="Seed"]').value;
      return new URLSearchParams(location.search).get("seed") === seed;
    }"""
    for move in ("back", "forward"):
        tab.page.evaluate(f"history.{move}()")
        tab.settle()
        tab.page.wait_for_function(agrees, timeout=PATIENCE)
    tab.page.get_by_role("link", name="Runs").click()
    expect(tab.page.get_by_role("heading", name="Runs", exact=True)).to_be_visible(timeout=PATIENCE)
    tab.page.go_back()
    tab.wait_until_drawn()
    expect(tab.page.get_by_label("Seed", exact=True)).to_have_value("2", timeout=PATIENCE)


def test_a_tick_stays_with_its_run_when_a_new_one_arrives(server, open_page):
    tab = open_page(f"{server.url}/?{SHORT}")
    tab.press("Start")
    tab.wait_for_state("finished")
    first = tab.run
    page = open_page.page()
    page.goto(f"{server.url}/runs")
    table = page.get_by_test_id("stDataFrame")
    expect(page.locator("table").get_by_text(first)).to_be_attached(timeout=PATIENCE)
    # The box of the first row, below the heads.
    table.click(position={"x": 16, "y": 52})
    links = page.locator(".gradnorm-links a").first
    expect(links).to_have_attribute("href", f"/live/{first}/export/csv", timeout=PATIENCE)
    expect(tab.button("Start")).to_be_enabled(timeout=PATIENCE)
    tab.press("Start")
    expect(tab.panel).not_to_have_attribute("data-run", first, timeout=PATIENCE)
    tab.wait_for_state("finished")
    page.keyboard.press("r")
    expect(page.locator("table").get_by_text(tab.run)).to_be_attached(timeout=PATIENCE)
    page.wait_for_timeout(500)
    ticked = links.get_attribute("href") if links.count() else None
    assert ticked in (None, f"/live/{first}/export/csv"), "Delete would now remove another run than was ticked."
