"""A training loop of somebody's own, watched live in the Playground while its script runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
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
            wait(lambda: all(tab.pixels(chart) > 100 for chart in ("weights", "norms", "test")))
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


KNOBS = """
import sys, time
from gradnorm import Knob, Recorder
fork = (sys.argv[1], int(sys.argv[2])) if sys.argv[1:] else None
with Recorder("steered", ["depth", "normals"], checkpoint=lambda: b"the network", fork=fork) as recorder:
    assert recorder.restored == (b"the network" if fork else None)
    while not recorder.stopped:
        now = recorder.knobs(alpha=Knob(0.12, 0, 3), learning_rate=0.01, priorities=[1.0, 2.0], augment=True)
        recorder.log(losses=[1 / (recorder.step + 1), 2.0], weights=now.priorities, alpha=now.alpha)
        time.sleep(0.02)
"""


def test_a_script_s_knobs_are_turned_and_it_is_paused_kept_and_stopped(server, open_page, wait):
    environment = {**os.environ, "GRADNORM_HOME": str(server.home), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", KNOBS], cwd=ROOT, env=environment) as script:
        try:
            run = wait(lambda: next((info.run for info in server.runs() if info.title == "steered"), None))
            tab = open_page(f"{server.url}/?run={run}")
            tab.wait_for_step(5)
            knobs = tab.page.locator(".st-key-knobs")
            expect(knobs.get_by_role("slider")).to_have_count(4, timeout=PATIENCE)
            expect(knobs).to_contain_text("learning rate")
            expect(knobs).to_contain_text("priorities, normals")
            expect(tab.page.get_by_text("It takes what you change at its next step")).to_be_visible()
            expect(tab.button("Step")).to_be_disabled()
            tab.button("Step").hover(force=True)
            expect(tab.page.get_by_text("A script takes its own steps.")).to_be_visible(timeout=PATIENCE)

            slider = knobs.get_by_role("slider", name="α")
            slider.focus()
            slider.press("ArrowRight")
            alpha = wait(lambda: server.store.wishes.newest(run).get("alpha"))
            assert 0.12 < alpha < 0.2
            wait(lambda: server.store.read(run).scalar("alpha")[-1] == np.float32(alpha))
            wait(lambda: f"α {alpha:.4g}" in tab.written("weights"))
            knobs.get_by_text("augment").click()
            wait(lambda: server.store.wishes.newest(run).get("augment") is False)

            tab.press("Pause")
            tab.wait_for_state("paused")
            paused_at = server.store.info(run).steps
            tab.press("Keep a checkpoint")
            assert wait(lambda: server.store.checkpoints.steps(run)) == [paused_at]
            tab.page.get_by_text("Fork from a checkpoint").click(timeout=PATIENCE)
            expect(tab.page.get_by_test_id("stCode")).to_contain_text(f"fork=('{run}', {paused_at})", timeout=PATIENCE)
            tab.page.keyboard.press("Escape")  # it lies over the button that is pressed next
            expect(tab.page.get_by_test_id("stPopoverBody")).to_have_count(0, timeout=PATIENCE)
            _fork(server, run, paused_at, open_page, wait, environment)
            tab.press(f"Fork from step {paused_at:,}")
            tab.says("so a run of the script goes on")
            assert server.store.info(run).steps == paused_at
            tab.press("Resume")
            tab.wait_for_step(paused_at + 5)
            tab.press("Stop")
            tab.wait_for_state("stopped")
            assert script.wait(30) == 0
        finally:
            script.kill()
    expect(knobs).to_have_count(0, timeout=PATIENCE)
    snapshot = server.store.read(run)
    assert snapshot.info.outcome.message.startswith("Stopped from a page")
    assert [event.key for event in snapshot.events] == ["alpha", "augment", "paused", "checkpoint", "paused"]
    np.testing.assert_array_equal(
        snapshot.scalar("alpha") == np.float32(alpha), snapshot.scalar("step") >= snapshot.events[0].step
    )
    assert server.store.checkpoints.read(run, paused_at).payload == b"the network"


def _fork(server, run, step, open_page, wait, environment):
    """Run the script again as the page says, and see the fork beside its parent, steered like it."""
    command = [sys.executable, "-c", KNOBS, run, str(step)]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as script:
        try:
            child = wait(lambda: next((info.run for info in server.runs() if info.parent == run), None))
            fork = open_page(f"{server.url}/?run={child}")
            fork.wait_for_step(step + 5)
            expect(fork.panel.get_by_text(f"fork at {step}").first).to_be_visible(timeout=PATIENCE)
            fork.press("Stop")
            fork.wait_for_state("stopped")
            assert script.wait(30) == 0
        finally:
            script.kill()
