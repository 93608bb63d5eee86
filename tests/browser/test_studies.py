"""A study in a real browser: started, watched, stopped, resumed and read after a reload."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from gradnorm.studies.grid import GridStudy
from tests.browser.playground import PATIENCE
from tests.browser.test_looks import FEW, SIZES, check
from tests.factories import TINY

_TABLES_ARE_WIDE = """() => {
  const tables = [...document.querySelectorAll("[data-testid=stDataFrame]")];
  return tables.length === 2 && tables.every((table) => table.clientWidth > 100);
}"""

SMALL = "dataset=toy&tasks=2&sigmas=1,2&batch_size=4&width=8&depth=1&eval_every=50&device=cpu&steps=1500"


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def bar(page, words: str):
    return expect(page.get_by_test_id("stProgress").get_by_text(re.compile(words))).to_be_visible(timeout=PATIENCE)


def test_a_study_is_started_watched_stopped_and_resumed(server, open_page, wait):
    page = open_page.page()
    page.goto(f"{server.url}/studies?{SMALL}")
    expect(button(page, "Start study")).to_be_enabled(timeout=PATIENCE)
    seeds = page.get_by_label("Seeds", exact=True)
    seeds.fill("1, 2")
    seeds.press("Enter")
    expect(page.get_by_text("12 runs with 18,000 steps")).to_be_visible(timeout=PATIENCE)
    button(page, "Start study").click()
    page.wait_for_url(re.compile(r"/studies\?study="), timeout=PATIENCE)
    study = page.url.partition("study=")[2]
    bar(page, r"running · 0 of 12 runs · [1-9]")
    button(page, "Stop").click()
    bar(page, "stopped · 0 of 12 runs")
    wait(lambda: all(info.ended for info in server.runs()))
    stopped = server.store.studies.steps(study)
    assert 0 < stopped < 18_000
    button(page, "Resume").click()
    bar(page, "running")
    page.reload()
    bar(page, "finished · 12 of 12 runs · 18,000 steps")
    expect(page.get_by_text(re.compile("Suggested α"))).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE)
    members = server.store.studies.members(study)
    assert len(members) == 12
    for member in members:
        assert server.store.read(member.run).scalar("step").tolist() == list(range(1, 1501))


@pytest.fixture(scope="module")
def finished(_shared):
    """A finished study of random weights, and the way to its page."""
    from gradnorm.lab.lab import Lab
    from gradnorm.lab.study_keeper import StudyKeeper
    from tests.factories import wait_for

    lab = Lab(_shared.store, 1)
    keeper = StudyKeeper(lab)
    study = keeper.launch(GridStudy.parse(TINY, {"count": 20, "seeds": "1"}))
    wait_for(lambda: keeper.tend(study) or lab.store.studies.info(study).state == "finished", PATIENCE / 1000)
    lab.close()
    return study


@FEW
def test_a_study_looks_well(server, open_page, finished, size, scheme):
    page = open_page.page(viewport=SIZES[size], color_scheme=scheme)
    page.goto(f"{server.url}/studies?study={finished}")
    bar(page, "finished")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    # Until a table has its width, its buttons hang out of the page on the left.
    page.wait_for_function(_TABLES_ARE_WIDE, timeout=PATIENCE)
    check(page)


@FEW
def test_the_list_and_the_form_look_well(server, open_page, finished, size, scheme):
    page = open_page.page(viewport=SIZES[size], color_scheme=scheme)
    page.goto(f"{server.url}/studies")
    expect(button(page, "Start study")).to_be_enabled(timeout=PATIENCE)
    check(page)
