"""The playground without a server: static files, a real browser, and no other address asked for anything."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from gradnorm import RunSpec, train
from gradnorm.runs.records import StepRecord
from tests.browser.playground import PATIENCE
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


@pytest.fixture
def site(tmp_path) -> Iterator[str]:
    """The address of a plain file server that has the site."""
    folder = tmp_path / "site"
    subprocess.run([sys.executable, "tools/static_site.py", str(folder)], cwd=ROOT, check=True, timeout=120)
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
