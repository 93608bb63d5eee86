"""A class watches: the address from the Playground, a phone without a session, the end, and a run that is deleted."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.playground import PATIENCE
from tests.browser.test_race import race
from tests.factories import wait_for

PHONE = {"width": 390, "height": 844}


def test_a_race_is_watched_on_a_phone_from_its_link_to_its_end(server, open_page):
    runs = race(server.store, "equal,gradnorm", steps=20_000, pace=60)
    tab = open_page(f"{server.url}/?run={runs[1]}")
    tab.page.get_by_role("button", name="Watch link").click()
    link = tab.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    assert link == f"{server.url}/watch/{runs[1]}"

    page = open_page.page(viewport=PHONE, color_scheme="dark", has_touch=True)
    page.goto(link)
    panel = page.get_by_test_id("live-panel")
    # The page allows no script that is made of text, so nothing is waited for in it.
    expect(panel).to_have_attribute("data-step", re.compile("^[1-9]"), timeout=PATIENCE)
    seen = panel.get_attribute("data-step")
    expect(panel).not_to_have_attribute("data-step", seen, timeout=PATIENCE)
    expect(page.get_by_test_id("contender-1")).to_contain_text("GradNorm")
    assert page.title().startswith("running · ")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    # Nothing that steers or takes away.
    for hidden in (page.get_by_test_id("travel-bar"), page.get_by_text("Download", exact=True)):
        expect(hidden).to_be_hidden()

    assert page.get_by_test_id("live-panel").get_attribute("data-theme") == "dark"
    page.get_by_role("button", name="Light").click()
    expect(page.get_by_test_id("live-panel")).to_have_attribute("data-theme", "light")
    page.reload()
    expect(page.get_by_role("button", name="Dark")).to_be_visible()

    tab.page.keyboard.press("Escape")
    tab.press("Stop")
    expect(page).to_have_title(re.compile("^stopped · "), timeout=PATIENCE)
    expect(page.locator("#said")).to_contain_text("from the same start", timeout=PATIENCE)
    wait_for(lambda: server.store.info(runs[1]).ended, PATIENCE / 1000)
    open_page.expected.append("404")  # what is asked about a run that is not there
    server.store.delete(runs[1])
    expect(page.locator("#said")).to_contain_text("was deleted while you watched", timeout=PATIENCE)
    assert page.goto(link).status == 404
    expect(page.locator("#said")).to_contain_text("There is no run at this address.")
