"""The playground without a server: static files, a real browser, and no other address asked for anything."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from gradnorm import RunSpec, train
from gradnorm.runs.records import StepRecord
from gradnorm.ui.lesson.contents import steps
from tests.browser.playground import PATIENCE
from tests.browser.test_axe import violations
from tests.browser.test_looks import SIZES
from tests.factories import ROOT, wait_for

SPEC = {"dataset": "toy", "sigmas": (1, 5), "steps": 12, "checkpoint_every": 0, "device": "cpu"}

# Trains one spec in a worker of the site, and returns its rows.
TRAIN = """async (spec) => {
    const { Trainer } = await import("./assets/toy/client.js");
    const rows = [];
    return new Promise((resolve) => {
        const style = { light: "", dark: "", dash: [] };
        const ended = (state) => state === "finished" && resolve(rows);
        const trainer = new Trainer([spec], ["one"], spec.sigmas.map(() => style), ended);
        trainer.connect({
            run: "0", onText: () => {}, onLink: () => {},
            onRows: ({ values, width }) => {
                for (let at = 0; at < values.length; at += width) {
                    rows.push([...values.subarray(at, at + width)].map((x) => (Number.isNaN(x) ? null : x)));
                }
            },
        });
    });
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[str]:
    """The address of a plain file server that has the site."""
    folder = tmp_path_factory.mktemp("built") / "site"
    subprocess.run([sys.executable, "-m", "tools.static_site", str(folder)], cwd=ROOT, check=True, timeout=120)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "-d", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_for(listening, PATIENCE / 1000)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.kill()
        server.wait()


def test_a_race_runs_and_draws_in_the_browser_alone(site, open_page):
    page = open_page.page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}?steps=60&sigmas=1,5,10&race=gradnorm,equal,uncertainty&alpha=9&utm_source=letter")
    said = page.locator("#verdict")
    expect(said).to_contain_text("Asymmetry α should be a number from 0 to 5. Found “9”.", timeout=PATIENCE)
    page.wait_for_selector("body[data-state=finished]", timeout=PATIENCE)
    for place, name in enumerate(("GradNorm", "Equal weights", "Uncertainty weighting")):
        contender = page.get_by_test_id(f"contender-{place}")
        assert contender.get_attribute("data-points") == "60"
        assert name in contender.inner_text()
    expect(said).to_contain_text("After 60 steps")
    expect(said).to_contain_text("Found “9”.")
    # Charts are drawn where they are on screen.
    page.wait_for_function("() => document.querySelectorAll('.gn-chart:not(.gn-is-empty) canvas').length >= 2")

    # What is trained here is what Python trains.
    for method in ("gradnorm", "equal", "uncertainty"):
        spec = RunSpec.parse({**SPEC, "method": method})
        rows = np.array(page.evaluate(TRAIN, spec.flat()), float)
        wanted = np.array([record.row() for record in train(spec) if isinstance(record, StepRecord)])
        losses = slice(3 + 3 * 2, 3 + 6 * 2)
        np.testing.assert_allclose(rows[:, losses], wanted[:, losses], rtol=1e-5)

    assert all(urlsplit(url).netloc == urlsplit(site).netloc for url in asked), asked


def test_a_race_is_steered_and_handed_to_the_lab(site, open_page):
    page = open_page.page()
    page.goto(f"{site}?steps=20000")
    page.wait_for_selector("body[data-state=running]", timeout=PATIENCE)
    page.locator("#alpha").fill("1.5")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_selector("body[data-state=paused]", timeout=PATIENCE)
    points = "() => Number(document.querySelector('[data-testid=contender-0]').dataset.points)"
    page.wait_for_function(f"{points} > 0")
    before = page.evaluate(points)
    page.get_by_role("button", name="One step").click()
    page.wait_for_function(f"(before) => ({points})() === before + 1", arg=before)
    page.get_by_label("Uncertainty weighting").check()
    sigmas = page.get_by_label("Loss scales σ")
    sigmas.fill("1, -5")
    assert "Found “1, -5”." in page.locator("#sigmas-note").inner_text()
    sigmas.fill("1, 2, 3")
    assert page.locator("output[for=tasks]").inner_text() == "3"
    page.get_by_label("Address of the lab").fill("http://lab.example/")
    link = urlsplit(page.get_by_role("link", name="Open this in the lab").get_attribute("href"))
    query = dict(parse_qsl(link.query))
    assert query.pop("race") == "gradnorm,equal,uncertainty"
    wanted = {"dataset": "toy", "sigmas": (1, 2, 3), "alpha": 1.5, "steps": 20000}
    assert RunSpec.parse(query) == RunSpec.parse(wanted)
    # The address gives the same settings to whoever opens it.
    assert urlsplit(page.url).query == "alpha=1.5&steps=20000&sigmas=1,2,3&race=gradnorm,equal,uncertainty"
    page.get_by_role("button", name="Start with these settings").click()
    page.wait_for_selector("[data-testid=contender-2]", timeout=PATIENCE)

    page.get_by_role("button", name="Nothing to balance").click()
    assert urlsplit(page.url).query == "try=6"
    assert sigmas.input_value() == "5, 5"
    assert "nothing to gain" in page.locator("#watch").inner_text()
    # What is said to be seen is not said of other settings.
    page.get_by_label("Uncertainty weighting").check()
    page.get_by_role("button", name="Start with these settings").click()
    assert page.locator("#watch").inner_text() == ""


def shown(page: Page, step: str, place: str) -> None:
    """Wait until the lesson has drawn a step, for the values of its controls as the address spells them."""
    expect(page.locator("#lesson")).to_have_attribute("data-drawn", f"{step} {place}", timeout=PATIENCE)


def test_the_lesson_is_walked_by_keys_without_a_server(site, open_page):
    page = open_page.page(viewport={"width": 1280, "height": 720})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site}lesson.html?step=nowhere")
    expect(page.locator("#fault")).to_contain_text("There is no step “nowhere”", timeout=PATIENCE)
    shown(page, "data", "1")
    scrolls = (
        "() => document.documentElement.scrollHeight > innerHeight || document.documentElement.scrollWidth > innerWidth"
    )
    seen = []
    for number in range(11):
        seen.append(page.locator("#lesson").get_attribute("data-step"))
        page.wait_for_function(
            "(name) => document.querySelector('#lesson').dataset.drawn?.startsWith(name)", arg=seen[-1]
        )
        assert page.locator(".js-plotly-plot .main-svg").count() > 0
        assert not page.evaluate(scrolls), f"Step {seen[-1]} should be on one screen."
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).not_to_be_empty()
        assert not page.evaluate(scrolls), f"The answer of {seen[-1]} should be on one screen."
        if number < 10:
            page.keyboard.press(("ArrowRight", "PageDown")[number % 2])
            expect(page.locator("#lesson")).not_to_have_attribute("data-step", seen[-1])
    assert seen == [step.name for step in steps()]
    page.go_back()
    shown(page, "equation", "0")
    page.keyboard.press("p")
    expect(page.locator("#playground")).to_be_hidden()
    assert dict(parse_qsl(urlsplit(page.url).query)) == {"step": "equation", "present": "1"}
    assert all(urlsplit(url).netloc == urlsplit(site).netloc for url in asked), asked


def test_a_slider_of_the_lesson_moves_its_picture_and_the_address(site, open_page):
    page = open_page.page()
    page.goto(f"{site}lesson.html?step=by-hand&lang=de")
    shown(page, "by-hand", "1")
    marks = "() => document.querySelectorAll('.js-plotly-plot .scatterlayer .point').length"
    assert page.evaluate(marks) == 1
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(2):
        slider.press("ArrowUp")
    shown(page, "by-hand", "10")
    page.wait_for_function(f"() => ({marks})() === 3")
    expect(page.locator(".reading")).to_contain_text("Ihr bisher bestes Verhältnis ist 10")
    query = dict(parse_qsl(urlsplit(page.url).query))
    assert query == {"step": "by-hand", "ratio": "10", "lang": "de"}
    link = urlsplit(page.get_by_role("link", name="Dies im Labor öffnen").get_attribute("href"))
    spec = RunSpec.parse(dict(parse_qsl(link.query)))
    assert spec.method.name == "static"
    assert tuple(spec.flat()["weights"]) == (10, 1)
    # The lesson goes on by itself, to the last stop.
    page.keyboard.press(" ")
    shown(page, "by-hand", "1000")
    expect(page.locator(".st-key-lesson-play button")).to_have_text("Abspielen", timeout=PATIENCE)
    page.reload()
    shown(page, "by-hand", "1000")


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_the_lesson_breaks_no_rule_of_access(site, open_page, size, scheme):
    page = open_page.page(viewport=SIZES[size], color_scheme=scheme, bypass_csp=True)
    for step in ("by-hand", "target", "limits"):
        page.goto(f"{site}lesson.html?step={step}")
        expect(page.locator("#lesson")).to_have_attribute("data-drawn", re.compile(step), timeout=PATIENCE)
        page.get_by_role("button", name="Answer").click()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
