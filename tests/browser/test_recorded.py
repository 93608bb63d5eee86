"""A training loop of somebody's own, watched live in the Playground while its script runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from playwright.sync_api import expect

from tests.browser.playground import PATIENCE
from tests.factories import ROOT

STEPS = 400


def test_a_script_s_run_is_drawn_while_it_logs(server, open_page, wait):
    environment = {
        **os.environ,
        "GRADNORM_HOME": str(server.home),
        "PYTHONPATH": str(ROOT),
        "OWN_STEPS": str(STEPS),
        "OWN_PAUSE": "0.05",
    }
    command = [sys.executable, str(ROOT / "tests" / "own_loop.py")]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as script:
        try:
            run = wait(lambda: next((info.run for info in server.runs() if info.title == "my network"), None))
            tab = open_page(f"{server.url}/?run={run}")
            tab.wait_for_state("running")
            before = tab.wait_for_step(5)
            assert script.poll() is None
            tab.wait_for_points(3, "weights", "norms", "test")
            assert tab.wait_for_step(before + 30) < STEPS
            expect(tab.panel.get_by_role("heading", name="my network")).to_be_visible()
            for word in ("depth", "normals", "rmse"):
                expect(tab.panel.get_by_test_id("task-table")).to_contain_text(word, ignore_case=True)
            expect(tab.page.get_by_text("A script records this run")).to_be_visible(timeout=PATIENCE)
            for name in ("Pause", "Step", "Stop"):
                expect(tab.button(name)).to_be_disabled()
            assert all(tab.pixels(chart) > 100 for chart in ("weights", "norms", "test"))
            tab.page.screenshot(path=str(server.home / "live.png"))
            tab.wait_for_state("finished")
            assert tab.step == STEPS
        finally:
            script.kill()
    assert server.store.info(run).outcome.message == "Finished after 400 steps."


def test_a_killed_script_shows_as_interrupted_and_cannot_go_on(server, open_page, wait):
    code = "import time\nfrom gradnorm import Recorder\nr = Recorder('killed', ['a', 'b'])\n"
    code += "for t in range(10**6): r.log(losses=[1.0, 2 / (t + 1)]); time.sleep(0.02)"
    environment = {**os.environ, "GRADNORM_HOME": str(server.home), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment) as script:
        try:
            run = wait(lambda: next((info.run for info in server.runs() if info.title == "killed"), None))
            tab = open_page(f"{server.url}/?run={run}")
            tab.wait_for_step(20)
            # How many steps there will be is not known: no total is shown.
            expect(tab.panel.locator(".gn-detail")).to_have_text(re.compile(r"^[\d,]+ steps( |$)"), timeout=PATIENCE)
        finally:
            script.kill()
    tab.wait_for_state("interrupted")
    expect(tab.button("Continue")).to_be_disabled(timeout=PATIENCE)
