"""The first minute of a visitor: a race that moves at once, one button, the network step by step, and a verdict."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.playground import PATIENCE, SMALL

RACE = f"dataset=toy&tasks=2&sigmas=1,30&{SMALL}&steps=60&checkpoint_every=20"


def test_from_the_prepared_race_to_a_verdict(server, open_page):
    before = len(server.runs())
    tab = open_page(f"{server.url}/?{RACE}")
    page = tab.page
    expect(page.get_by_role("heading", level=1)).to_have_text("One network, many tasks, and all of them learn")
    tab.wait_for_points(10, "test")
    expect(page.locator(".gn-net-pull[visibility=visible]")).to_have_count(4, timeout=PATIENCE)
    expect(page.get_by_test_id("answers")).to_be_visible(timeout=PATIENCE)
    assert len(server.runs()) == before, "What is replayed is no run."
    _step_through(page)
    tab.press("Start the race")
    tab.wait_for_state("finished")
    assert len(server.runs()) == before + 2
    verdict = page.locator(".st-key-verdict")
    expect(verdict).to_contain_text(re.compile("won: Σ|A draw: "), timeout=PATIENCE)
    expect(verdict).to_contain_text("from the same start")
    expect(page.get_by_test_id("answers")).to_contain_text("after step 60", timeout=PATIENCE)
    page.reload()
    tab.wait_for_state("finished")
    expect(page.get_by_role("heading", level=1)).to_have_count(0)
    expect(verdict).to_be_visible(timeout=PATIENCE)


def _step_through(page) -> None:
    """Hold a step and go through Algorithm 1 by keyboard."""
    card, hold = page.get_by_test_id("network"), page.get_by_test_id("hold-step")
    hold.click()
    expect(card).to_have_attribute("data-line", "losses")
    page.get_by_role("button", name="Next line", exact=True).click()
    expect(card).to_have_attribute("data-line", "norms")
    page.keyboard.press("ArrowDown")
    expect(card.locator("[aria-current=step]")).to_contain_text("How much of its first loss")
    step = card.locator(".gn-held").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(card.locator(".gn-held")).not_to_have_text(step)
    page.keyboard.press("Escape")
    expect(hold).to_have_text("Step through Algorithm 1")


def test_who_wants_less_motion_sees_the_end_at_once(server, open_page):
    page = open_page(f"{server.url}/", reduced_motion="reduce").page
    expect(page.get_by_test_id("contender-0")).to_contain_text("finished · 800", timeout=PATIENCE)
