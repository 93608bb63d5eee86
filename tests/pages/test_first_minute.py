"""What a visitor without a run sees and can start: the race against equal weights, and weights held by hand."""

from __future__ import annotations

import json

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.ui.lab import lab
from gradnorm.ui.live import prepared
from tests.factories import wait_for
from tests.pages.test_playground_page import LONG, TINY_QUERY

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow


def panel(page) -> dict:
    (own,) = [each for each in page.at.get("bidi_component") if each.proto.component_name == "gradnorm_live_panel"]
    return json.loads(own.proto.json)


def test_without_a_run_the_prepared_race_is_shown(tab):
    page = tab()
    assert [title.value for title in page.at.title] == ["One network, many tasks, and all of them learn"]
    assert [button.label for button in page.at.button if button.key and button.key.startswith("start ")][:2] == [
        "Start the race",
        "Play the weights by hand",
    ]
    told = panel(page)
    assert (told["run"], told["prepared"]) == (None, prepared.NAME)
    assert [each["label"] for each in told["runs"]] == ["GradNorm α 0.12", "Equal weights"]


def test_the_race_is_run_live_with_the_settings_and_an_address_shows_it(tab):
    page = tab(**TINY_QUERY)
    page.press("start first")
    runs = {info.spec["method"]: info for info in lab().store.runs()}
    assert set(runs) == {"gradnorm", "equal"}
    assert page.query["run"] == runs["gradnorm"].run
    assert runs["gradnorm"].race == runs["equal"].race
    assert RunSpec.parse({**runs["equal"].spec, "method": "equal"}).steps == runs["gradnorm"].spec["steps"]
    page.wait_until("finished")
    other = tab(run=page.query["run"])
    assert not other.at.title
    assert panel(other)["prepared"] is None


def test_weights_are_held_by_hand_against_gradnorm(tab):
    page = tab(**{key: value for key, value in LONG.items() if key != "pace"})
    page.press("start by hand None")
    page.wait_until("running")
    runs = {info.spec["method"]: info for info in lab().store.runs()}
    assert set(runs) == {"static", "gradnorm"}
    assert page.query["run"] == runs["static"].run
    assert runs["static"].spec["pace"] == runs["gradnorm"].spec["pace"] > 0
    page.set("select_slider", "hand:0", 5.0)

    def moved() -> bool:
        weights = lab().store.read(runs["static"].run).vector("weights")
        return len(weights) > 0 and weights[-1][0] > 1.2

    wait_for(moved)
    assert "weights" in page.query
    page.press("stop")
    page.wait_until("stopped")
    # They stay, so that the charts do not jump, and can't be moved.
    assert [page.at.select_slider(key=f"hand:{i}").disabled for i in range(len(runs["static"].tasks))] == [True, True]
