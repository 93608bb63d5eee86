"""What the page says is so: after Back and Forward, after a reload, and with several tabs that steer one run."""

from __future__ import annotations

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
