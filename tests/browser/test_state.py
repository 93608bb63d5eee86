"""What the page says is so: after Back and Forward, after a reload, and with several tabs that steer one run."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.playground import PATIENCE, SMALL

pytestmark = pytest.mark.slow

LONG = f"dataset=toy&tasks=2&sigmas=1,100&alpha=0.12&steps=100000&pace=40&{SMALL}"


def alpha(tab) -> str:
    return tab.controls()["Asymmetry α"]


def change(tab, act) -> str:
    """Do something that changes the address; return the new one."""
    before = tab.page.url
    act()
    tab.page.wait_for_function("(before) => location.href !== before", arg=before, timeout=PATIENCE)
    tab.settle()
    return tab.page.url


def test_back_and_forward_go_through_ten_changes(server, open_page):
    tab = open_page(f"{server.url}/?utm_source=x&alpha=0.3")
    before, start = tab.page.evaluate("history.length"), tab.controls()
    seen = [tab.page.url]
    for _ in range(4):
        seen.append(change(tab, lambda: tab.nudge("Asymmetry α", "ArrowRight")))
    for label, text in (("Tasks", "3"), ("Steps", "100000"), ("Seed", "5")):
        seen.append(change(tab, lambda label=label, text=text: tab.write(label, text)))
    seen.append(change(tab, lambda: tab.choose("Method", "Equal weights")))
    seen.append(change(tab, lambda: tab.press("Start")))
    run = tab.run
    seen.append(change(tab, lambda: tab.choose("Method", "GradNorm")))
    end = tab.controls()
    assert tab.page.evaluate("history.length") == before + 10
    for url in seen[-2::-1]:
        tab.page.go_back()
        tab.page.wait_for_url(url, timeout=PATIENCE)
        tab.settle()
        assert tab.page.url == url
        expect(tab.panel).to_have_attribute("data-run", run if "run=" in url else "", timeout=PATIENCE)
    assert tab.controls() == start
    for url in seen[1:]:
        tab.page.go_forward()
        tab.page.wait_for_url(url, timeout=PATIENCE)
        tab.settle()
        assert tab.page.url == url
    expect(tab.panel).to_have_attribute("data-run", run, timeout=PATIENCE)
    assert tab.controls() == end
    tab.press("Stop")
    tab.wait_for_state("stopped")


def test_two_tabs_that_steer_one_run_agree(server, open_page, wait):
    one = open_page(f"{server.url}/?{LONG}")
    one.press("Start")
    one.wait_for_step(3)
    two = open_page(f"{server.url}/?run={one.run}")
    for paused in (False, True):
        if paused:
            one.press("Pause")
            one.wait_for_state("paused")
            two.wait_for_state("paused")
        for mine, other in ((one, two), (two, one)):
            mine.nudge("Asymmetry α", "ArrowRight", times=3, pause=50)
            mine.settle()
            wait(lambda mine=mine, other=other: mine.page.wait_for_timeout(50) or alpha(mine) == alpha(other))
    assert alpha(one) == alpha(two) == "0.24"
    one.press("Resume")
    one.wait_for_step(one.step + 3)
    title = re.compile(r"α 0.12 → … → 0.24 at step")
    for tab in (one, two):
        expect(tab.panel.get_by_role("heading").first).to_have_text(title, timeout=PATIENCE)
        assert "alpha=0.24" in tab.page.url
    runs = open_page.page()
    runs.goto(f"{server.url}/runs")
    expect(runs.locator("table").get_by_text(title)).to_be_attached(timeout=PATIENCE)
    one.press("Stop")
    two.wait_for_state("stopped")


def test_reset_asks_what_becomes_of_a_run_and_start_queues_a_second(server, open_page):
    tab = open_page(f"{server.url}/?{LONG}")
    tab.press("Start")
    tab.wait_for_step(1)
    first = tab.run
    tab.press("Reset")
    tab.press("Cancel")
    expect(tab.button("Cancel")).to_have_count(0, timeout=PATIENCE)
    change(tab, lambda: tab.press("Start"))
    tab.wait_for_state("queued")
    assert server.store.info(first).state == "running"
    tab.press("Reset")
    change(tab, lambda: tab.press("Stop it"))
    assert server.store.info(first).state == "running"
    change(tab, tab.page.go_back)  # to the second run, which was stopped
    change(tab, tab.page.go_back)
    expect(tab.panel).to_have_attribute("data-run", first, timeout=PATIENCE)
    tab.press("Reset")
    change(tab, lambda: tab.press("Let it go on"))
    expect(tab.panel).to_have_attribute("data-run", "", timeout=PATIENCE)
    assert server.store.info(first).state == "running"
    change(tab, tab.page.go_back)
    tab.press("Stop")
    tab.wait_for_state("stopped")


def test_what_was_typed_wrongly_is_said(server, open_page):
    tab = open_page(f"{server.url}/?tasks=3&sigmas=1,10,100")
    tab.write("Tasks", "")
    tab.says(r"tasks should be a whole number in \[1, 64\]. Found nothing. Change “Tasks” on this page")
    expect(tab.page.get_by_label("Tasks", exact=True)).to_have_value("3")
    tab.write("Tasks", "2.5")
    tab.says(r"tasks should be a whole number .*Found 2.5")
    expect(tab.page.get_by_label("Tasks", exact=True)).to_have_value("3")
    tab.page.get_by_label("Tasks", exact=True).fill("1e3")
    tab.page.get_by_label("Tasks", exact=True).press("Enter")
    # Streamlit marks a number out of range itself, and hands over nothing.
    expect(tab.page.get_by_label("Tasks", exact=True)).to_have_attribute("aria-invalid", "true")
    assert "tasks=3" in tab.page.url
    tab.write("Steps", "1e3")
    tab.wait_for_query("steps=1000")


def shown(tab) -> dict[str, object]:
    """What the charts show, and of which run."""
    page, number = tab.page, [round(float(end or 0)) for end in tab.visible_range()]
    pressed = {name: page.get_by_test_id(name).get_attribute("aria-pressed") for name in ("legend-1", "contender-0")}
    return {
        "zoom": number,
        **pressed,
        "log": tab.chart("weights").get_by_role("button", name="log").get_attribute("aria-pressed"),
        "smoothing": page.get_by_test_id("smoothing").input_value(),
        "more": tab.chart("more").get_by_role("heading").inner_text(),
        "title": tab.panel.get_by_role("heading").first.inner_text(),
        "file": tab.panel.get_by_role("link", name="CSV").get_attribute("href"),
        "steered": page.get_by_test_id("in-front").inner_text(),
    }


def test_what_the_charts_show_is_in_the_address(server, open_page, wait):
    tab = open_page(f"{server.url}/?dataset=toy&tasks=3&sigmas=1,10,100&steps=200&{SMALL}&race=equal,gradnorm")
    tab.press("Start race")
    tab.wait_for_state("finished")
    equal = tab.page.get_by_test_id("contender-0")
    tab.page.get_by_test_id("legend-1").click()
    tab.chart("weights").get_by_role("button", name="log").click()
    tab.page.get_by_test_id("smoothing").fill("0.6")
    tab.chart("more").get_by_role("button", name="r", exact=True).click()
    tab.drag("weights", 0.25, 0.5)
    equal.click()
    tab.wait_for_query(
        r"view\.front=.*view\.zoom=.*view\.smooth=0\.6&view\.hidden=2&view\.log=weights&view\.chart=rates"
    )
    before, url = shown(tab), tab.page.url
    assert before["title"] == "toy-3 · Equal weights · seed 0"
    assert before["file"] == f"/live/{equal.get_attribute('data-run')}/export/csv"
    assert before["steered"] == "in front; the controls steer B"

    tab.page.reload()
    tab.wait_until_drawn()
    wait(lambda: tab.page.wait_for_timeout(100) or shown(tab) == before)
    assert tab.page.url == url
    # What Streamlit writes is without the view, which follows.
    change(tab, lambda: tab.nudge("Asymmetry α", "ArrowRight"))
    tab.wait_for_query(r"alpha=0\.13.*view\.chart=rates")
    assert shown(tab) == before
    change(tab, tab.page.get_by_test_id("reset-zoom").click)
    tab.page.go_back()
    tab.page.wait_for_url(url, timeout=PATIENCE)
    wait(lambda: tab.page.wait_for_timeout(100) or shown(tab) == before)

    # Whoever deletes a run that a tab watches leaves it with a word.
    server.store.catalogue.delete([tab.run])
    tab.says(r"Run \S+ was deleted")
    expect(tab.panel).to_have_attribute("data-run", "", timeout=PATIENCE)
