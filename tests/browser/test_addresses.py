"""Addresses: every page is a first page, a copied one brings everything with it, a broken one says so."""

from __future__ import annotations

import json
import urllib.request
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from gradnorm.config.spec import RunSpec, preset
from gradnorm.ui.session import START
from tests.browser.playground import PATIENCE, SMALL
from tests.factories import start_python

NO_RUN = "A prepared race, recorded earlier"


def spec_of(url: str) -> RunSpec:
    query = dict(parse_qsl(urlsplit(url).query))
    query.pop("run", None)
    return RunSpec.parse(query)


@pytest.mark.parametrize(
    ("path", "heading"), [("/", NO_RUN), ("/runs", "Runs"), ("/?dataset=toy&tasks=3&sigmas=1,10,100", NO_RUN)]
)
def test_a_deep_link_may_be_the_first_request_of_all(fresh_server, open_page, path, heading):
    page = open_page.page()
    page.goto(f"{fresh_server.url}{path}")
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible(timeout=PATIENCE)
    for link in ("Playground", "Runs"):
        expect(page.get_by_role("link", name=link)).to_be_visible()
    if "tasks=3" in path:
        expect(page.get_by_label("Loss scales σ", exact=True)).to_have_value("1, 10, 100")


def test_a_copied_address_restores_every_control(server, open_page):
    tab = open_page(f"{server.url}/")
    tab.write("Tasks", "3")
    tab.write("Loss scales σ", "0.5, 20, 300")
    tab.nudge("Asymmetry α", "ArrowRight", times=3)
    tab.wait_for_query("alpha=0.15")
    tab.open_more()
    numbers = {
        "Steps": "1234",
        "Seed": "42",
        "Batch size": "32",
        "Learning rate": "0.005",
        "Half-life": "250",
        "Width": "24",
        "Depth": "2",
        "Evaluate every": "50",
        "Pace": "250",
        "CPU threads": "2",
        "Input scale": "0.5",
    }
    for label, text in numbers.items():
        tab.write(label, text)
    choices = {
        "Optimizer": "adam",
        "Weight update": "adam",
        "Initialisation": "xavier",
        "Reading of N(0, 10)": "deviation",
        "Input distribution": "uniform",
        "Device": "cpu",
    }
    for label, title in choices.items():
        tab.choose(label, title)
    tab.page.get_by_text("Watch gradient norms").click()
    tab.wait_for_query("watch_norms=false")

    shown = tab.controls()
    assert {label: shown[label] for label in numbers} == numbers
    assert {label: shown[label] for label in choices} == choices
    assert not shown["Watch gradient norms"]
    other = open_page(tab.page.url)
    assert other.controls() == shown
    assert other.page.url == tab.page.url

    spec = spec_of(tab.page.url).flat()
    assert spec["sigmas"] == [0.5, 20.0, 300.0]
    assert (spec["alpha"], spec["steps"], spec["seed"], spec["optimizer"]) == (0.15, 1234, 42, "adam")
    assert (spec["spread"], spec["update"], spec["watch_norms"]) == ("deviation", "adam", False)


def test_a_copied_address_restores_data_set_and_method(server, open_page):
    tab = open_page(f"{server.url}/")
    tab.choose("Data set", "Diamonds")
    tab.wait_for_query("dataset=diamonds")
    tab.choose("Target units", "standardised")
    tab.page.get_by_text("Scale the outputs", exact=True).click()
    tab.wait_for_query("output_scale=true")
    tab.choose("Method", "Uncertainty weighting")
    tab.wait_for_query("method=uncertainty")
    other = open_page(tab.page.url)
    assert other.controls() == tab.controls()
    spec = spec_of(tab.page.url).flat()
    assert (spec["dataset"], spec["units"], spec["output_scale"]) == ("diamonds", "standardised", True)
    assert spec["method"] == "uncertainty"
    assert "alpha" not in spec


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("alpha=-4", r"alpha should be .*\[0, 5\].*Found '-4'"),
        ("dataset=foo", r"dataset should be one of .*toy.*Found 'foo'"),
        ("run=nope", r"There is no run nope here"),
        ("tasks=999", r"tasks should be .*\[1, 64\].*Found '999'"),
        ("alpha=-4&fbclid=x&%00=%00", r"alpha should be .*Change “Asymmetry α” on this page"),
    ],
)
def test_a_broken_address_says_so_and_the_page_can_be_used(server, open_page, query, sentence):
    tab = open_page(f"{server.url}/?{query}")
    tab.says(sentence)
    expect(tab.page.get_by_test_id("stException")).to_have_count(0)
    expect(tab.button("Start")).to_be_enabled()
    assert spec_of(tab.page.url) == preset(START)
    # The next thing that is done clears the message.
    tab.nudge("Asymmetry α", "ArrowRight")
    tab.wait_for_query("alpha=0.13")
    expect(tab.page.get_by_test_id("stAlertContentError")).to_have_count(0, timeout=PATIENCE)


def test_streamlits_own_parameters_are_no_fault(server, open_page):
    tab = open_page(f"{server.url}/?embed=true&tasks=3")
    expect(tab.page.get_by_test_id("stAlertContentError")).to_have_count(0)
    expect(tab.page.get_by_label("Tasks", exact=True)).to_have_value("3")


def test_a_runs_address_opens_it_with_its_settings(server, open_page):
    address = f"{server.url}/?dataset=toy&tasks=3&sigmas=1,10,100&alpha=0.7&seed=5&steps=60&{SMALL}"
    tab = open_page(address)
    tab.press("Start")
    tab.wait_for_state("finished")
    other = open_page(f"{server.url}/?run={tab.run}")
    other.wait_for_state("finished")
    expect(other.chart("weights")).to_have_attribute("data-points", "60", timeout=PATIENCE)
    assert other.controls() == tab.controls()
    assert other.page.url == tab.page.url
    with urllib.request.urlopen(f"{server.url}/live/{tab.run}/export/spec") as answer:
        assert RunSpec.parse(json.load(answer)) == spec_of(address)


def test_a_run_of_the_command_line_is_watched_but_not_steered(server, open_page, wait):
    settings = "dataset=toy tasks=2 sigmas=1,100 steps=4000 pace=60 batch-size=8 width=16 depth=1 device=cpu"
    flags = [part for pair in settings.split() for part in (f"--{pair.split('=')[0]}", pair.split("=")[1])]
    process = start_python(server.home, "-m", "gradnorm", "train", *flags)
    try:
        info = wait(lambda: next((i for i in server.runs() if i.state == "running" and i.steps), None))
        page = open_page.page()
        page.goto(f"{server.url}/runs")
        # The table is a canvas; its cells are there for those who cannot see it.
        expect(page.locator("table").get_by_text(info.run)).to_be_attached(timeout=PATIENCE)
        expect(page.locator("table").get_by_text("running")).to_be_attached()

        tab = open_page(f"{server.url}/?run={info.run}")
        seen = tab.wait_for_step(info.steps)
        tab.wait_for_step(seen + 30)
        tab.wait_for_points(seen, "weights", "norms")
        expect(tab.page.get_by_text("Another process trains this run")).to_be_visible()
        for name in ("Pause", "Step", "Stop"):
            expect(tab.button(name)).to_be_disabled()
        expect(tab.button("Start")).to_be_enabled()
        # A change here is for the next run: this one keeps its α.
        tab.nudge("Asymmetry α", "ArrowRight", times=2)
        tab.wait_for_query("alpha=0.14")
        tab.wait_for_step(tab.step + 20)
        assert float(server.store.read(info.run).scalar("alpha")[-1]) == pytest.approx(0.12)

        process.terminate()
        tab.wait_for_state("stopped")
        process.communicate(timeout=60)
        expect(tab.button("Step")).to_be_enabled(timeout=PATIENCE)
        assert tab.wait_for_step(server.store.info(info.run).steps) == server.store.info(info.run).steps
    finally:
        process.kill()
        process.communicate()
