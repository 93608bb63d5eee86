"""The Playground's widgets, its address, and its buttons."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from gradnorm.config.options import options
from gradnorm.config.spec import PRESETS, RunSpec, preset
from gradnorm.ui import session
from gradnorm.ui.lab import lab
from gradnorm.ui.session import START
from tests.factories import ROOT, TINY, wait_for
from tests.pages.conftest import shown

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

TINY_QUERY = {k: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for k, v in TINY.items()}
LONG = {**TINY_QUERY, "steps": "100000", "pace": "200"}

# The kind of widget that shows each kind of option, and another value than its default.
KINDS = {"choice": "selectbox", "switch": "toggle", "number": "number_input", "integer": "number_input"}


def other_value(option, value):
    if option.kind == "choice":
        return next(c for c in option.choices if c != value)
    if option.kind == "switch":
        return not value
    if option.kind == "integer":
        return value + 1
    return round(value / 2 or 0.5, 6)


def plain_options(dataset: str, method: str):
    """Options with a widget of their own kind: not σ, not the number of tasks, not α, and no epochs without rows."""
    others = {"tasks", "epochs", "patience"}
    return [o for o in options(dataset, method) if o.kind in KINDS and "slider" not in o.extra and o.key not in others]


def test_the_first_page_shows_a_preset_and_its_address(tab):
    page = tab()
    assert page.spec == preset(START)
    assert page.widget("selectbox", "choice:preset").value == START
    assert page.widget("text_input", "option:sigmas").value == "1, 30"
    assert page.widget("slider", "option:alpha").value == 0.12
    assert page.enabled() == {"start", "step"}
    assert [part.key for part in page.at.get("bidi_component")] == ["live-panel", "address"]
    assert not page.errors
    assert "run" not in page.query


@pytest.mark.slow
def test_drawing_the_page_does_not_load_torch(home):
    program = """
import sys
from streamlit.testing.v1 import AppTest
from gradnorm.lab.lab import Lab
Lab.warm = lambda self: None
at = AppTest.from_file(sys.argv[1], default_timeout=60).run()
assert not at.exception, at.exception
at.switch_page("../../pages/runs.py").run()
assert not at.exception, at.exception
print(sorted(name for name in sys.modules if name.split(".")[0] == "torch")[:5])
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(ROOT / "gradnorm" / "ui" / "main.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "method"), [("toy", "gradnorm"), ("diamonds", "gradnorm"), ("digits", "uncertainty"), ("toy", "equal")]
)
def test_every_widget_changes_the_spec_and_the_address(tab, dataset, method):
    page = tab(dataset=dataset, method=method)
    # First what has an effect only beside other values, which then change.
    for option in sorted(plain_options(dataset, method), key=lambda option: "with" not in option.extra):
        if not option.counts(page.spec.flat()):
            continue
        value = other_value(option, page.spec.flat()[option.key])
        page.set(KINDS[option.kind], f"option:{option.key}", value)
        assert not page.errors, (option.key, page.errors)
        assert page.spec.flat()[option.key] == value, option.key
    again = tab(**page.query)
    assert again.spec == page.spec


def test_an_option_without_effect_cannot_be_set(tab):
    page = tab()
    disabled = {
        key: page.at.number_input(key=f"option:{key}").disabled for key in ("half_life", "weight_learning_rate")
    }
    assert disabled == {"half_life": False, "weight_learning_rate": True}
    page.set("selectbox", "option:update", "log")
    assert page.widget("number_input", "option:half_life").disabled
    page.set("number_input", "option:weight_learning_rate", 0.02)
    assert page.spec.flat()["weight_learning_rate"] == 0.02


def test_alpha_tasks_and_sigmas(tab):
    page = tab()
    page.set("slider", "option:alpha", 0.5)
    assert page.query["alpha"] == "0.5"
    assert page.widget("selectbox", "choice:preset").value == "Custom"
    page.set("number_input", "option:tasks", 4)
    assert page.spec.dataset.tasks == 4
    assert len(page.spec.flat()["sigmas"]) == 4
    page.set("text_input", "option:sigmas", "1 2;3")
    assert page.spec.flat()["sigmas"] == [1.0, 2.0, 3.0]
    assert page.widget("number_input", "option:tasks").value == 3
    page.set("select_slider", "each:1:sigmas", 50.0)
    assert page.spec.flat()["sigmas"] == [1.0, 50.0, 3.0]
    assert page.widget("text_input", "option:sigmas").value == "1, 50, 3"
    page.press("sigma draw")
    drawn = page.spec.flat()["sigmas"]
    assert len(drawn) == 3
    assert drawn != [1.0, 50.0, 3.0]


@pytest.mark.parametrize("text", ["1, x", "", "0, 1", "-1, 2", "1, 1e9", "nan, 1", ",".join(["1"] * 65)])
def test_wrong_sigmas_are_explained_and_change_nothing(tab, text, monkeypatch):
    page = tab()
    before = page.spec
    page.set("text_input", "option:sigmas", text)
    if text == "":
        assert not page.errors  # left out: drawn
        return
    (error,) = page.errors
    assert "igmas" in error or "asks" in error
    assert page.spec == before
    assert page.widget("text_input", "option:sigmas").value == "1, 30"
    page.rerun()
    assert page.errors == [error], "The page may draw itself anew before anybody has read it."
    monkeypatch.setattr(session, "FAULT_STAYS", 0.0)
    page.rerun()
    assert not page.errors, "A message is told once."


def test_a_message_goes_with_a_change_that_works(tab):
    page = tab()
    page.set("text_input", "option:sigmas", "1, x")
    assert page.errors
    page.set("text_input", "option:sigmas", "1, 2")
    assert not page.errors


def test_a_message_stays_on_its_page(tab):
    page = tab()
    page.set("text_input", "option:sigmas", "1, x")
    page.open("studies")
    assert not page.errors


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_sets_everything(tab, name):
    page = tab(dataset="toy", tasks="3", seed="9", width="7", optimizer="adam")
    page.set("selectbox", "choice:preset", name)
    assert page.spec == preset(name)
    assert page.widget("selectbox", "choice:preset").value == name
    assert tab(preset=name).spec == preset(name)


def test_another_data_set_drops_its_options_and_keeps_the_rest(tab):
    page = tab(dataset="toy", tasks="3", spread="deviation", seed="9", alpha="0.7", width="30")
    page.set("selectbox", "choice:dataset", "diamonds")
    spec = page.spec.flat()
    assert spec["dataset"] == "diamonds"
    assert not {"tasks", "sigmas", "spread"} & set(spec)
    assert (spec["seed"], spec["width"], spec["alpha"]) == (9, 30, 0.7)
    assert [box.value for box in page.at.info], "Raw units should come with a word of advice."
    page.set("toggle", "option:output_scale", True)
    assert not page.at.info
    page.set("selectbox", "choice:dataset", "toy")
    assert "units" not in page.query
    assert page.spec.flat()["seed"] == 9


def test_another_method_drops_its_hyperparameters(tab):
    page = tab(alpha="0.7", weight_learning_rate="0.02")
    page.set("selectbox", "choice:method", "uncertainty")
    assert "alpha" not in page.query
    assert page.spec.flat()["weight_learning_rate"] == 0.02
    assert not [slider for slider in page.at.slider if slider.key == "option:alpha"]
    page.set("selectbox", "choice:method", "gradnorm")
    assert page.widget("slider", "option:alpha").value == 0.12


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"alpha": "-4"}, "alpha should be"),
        ({"alpha": "nan"}, "alpha should be"),
        ({"alpha": ""}, "alpha should be"),
        ({"dataset": "foo"}, "dataset should be one of"),
        ({"method": "foo"}, "method should be one of"),
        ({"preset": "foo"}, "preset should be one of"),
        ({"preset": "toy-2", "tasks": "999"}, "tasks should be"),
        ({"sigmas": "1,x"}, "sigmas should be numbers"),
        ({"sigmas": "1,-100"}, "sigmas should be in"),
        ({"steps": "1e99"}, "steps should be"),
        ({"seed": "0.5"}, "seed should be"),
        ({"run": "../../etc/passwd"}, "There is no run"),
        ({"run": "\0"}, "There is no run"),
        ({"run": ""}, "There is no run"),
    ],
)
def test_a_broken_address_gives_one_sentence_and_a_preset(tab, query, words):
    page = tab(**query)
    (error,) = page.errors
    assert words in error
    assert page.spec == preset(query["preset"] if query.get("preset") in PRESETS else START)
    assert page.enabled() == {"start", "step"}


def test_one_bad_value_in_an_address_leaves_the_others(tab):
    page = tab(dataset="toy", tasks="3", sigmas="1,10", alpha="-4", seed="7", method="gradnorm", width="16")
    (error,) = page.errors
    assert "alpha should be in [0, 5]. Found '-4'. Change “Asymmetry α” on this page." in error
    assert "sigmas should have one value for each of the 3 tasks. Found 2." in error
    assert page.spec == RunSpec.parse({"dataset": "toy", "tasks": 3, "seed": 7, "width": 16})


def test_what_others_add_to_a_link_is_no_setting(tab):
    page = tab(tasks="3", sigmas="1,10,100", utm_source="mail", fbclid="x", **{"\0": "\0", "view.zoom": "1-2"})
    assert not page.errors
    assert page.spec == RunSpec.parse({"tasks": 3, "sigmas": "1,10,100"})
    assert tab(utm_source="mail").spec == preset(START)


def test_a_run_is_started_and_finishes(tab):
    page = tab(**TINY_QUERY)
    page.press("start")
    (info,) = lab().store.runs()
    assert page.query["run"] == info.run
    assert RunSpec.parse(info.spec) == RunSpec.parse(TINY)
    assert page.wait_until("finished").steps == TINY["steps"]
    assert page.enabled() == {"start", "step", "reset"}
    rows = lab().store.read(info.run).rows
    assert rows[:, 0].tolist() == list(range(1, TINY["steps"] + 1))


def test_a_run_is_paused_stepped_retuned_and_stopped(tab):
    page = tab(**LONG)
    page.press("start")
    page.wait_until("running")
    assert page.enabled() == {"start", "pause", "step", "stop", "reset"}
    page.press("pause")
    held = page.wait_until("paused")
    assert page.at.button(key="pause").label == "Resume"
    page.press("step")
    store, run = lab().store, held.run
    wait_for(lambda: store.info(run).steps == held.steps + 1)
    page.set("slider", "option:alpha", 0.25)
    assert len(page.at.toast) == 1
    page.press("step")
    wait_for(lambda: store.info(run).steps == held.steps + 2)
    assert store.read(run).scalar("alpha")[-1] == 0.25
    assert store.info(run).state == "paused"
    page.set("number_input", "option:width", 12)
    assert any("have changed" in caption.value for caption in page.at.caption)
    page.press("stop")
    page.wait_until("stopped")
    assert page.enabled() == {"start", "pause", "step", "reset"}  # "pause" is now "Continue"
    page.press("reset")
    assert "run" not in page.query
    assert page.spec.flat()["width"] == 12


def test_a_run_that_ends_while_the_page_is_drawn(tab, monkeypatch):
    page = tab(**TINY_QUERY)
    page.press("start")
    ended = page.wait_until("finished")
    infos = iter([replace(ended, state="running", outcome=None)])
    monkeypatch.setattr(lab().store, "info", lambda run: next(infos, ended))
    monkeypatch.setattr(lab(), "steers", lambda run: True)
    page.rerun()
    (panel,) = page.at.get("bidi_component")
    told = json.loads(panel.proto.json)["state"]
    # The panel reports what differs from what it was told; told of the end, it would leave the buttons as they are.
    assert ("stop" in page.enabled()) == (told != "finished")


def test_a_first_step_from_nothing(tab):
    page = tab(**LONG)
    page.press("step")
    wait_for(lambda: lab().store.info(page.query["run"]).steps == 1)
    page.wait_until("paused")
    page.press("reset")
    assert page.query["run"]
    page.press("reset stop")
    assert "run" not in page.query
    wait_for(lambda: lab().store.runs()[0].state == "stopped")


def test_a_second_run_waits_and_can_be_withdrawn(tab):
    first, second = tab(**LONG), tab(**LONG)
    first.press("start")
    first.wait_until("running")
    second.press("start")
    assert lab().store.info(second.query["run"]).place == 1
    second.rerun()
    second.press("stop")
    assert lab().store.info(second.query["run"]).state == "stopped"
    first.press("stop")
    first.wait_until("stopped")


def test_the_address_of_a_run_opens_it_with_its_settings(tab):
    page = tab(**{**TINY_QUERY, "seed": "5"})
    page.press("start")
    run = page.wait_until("finished").run
    other = tab(run=run)
    assert other.spec == page.spec
    assert other.query == page.query
    assert not other.errors


def test_a_deleted_run_is_let_go(tab):
    page = tab(**TINY_QUERY)
    page.press("start")
    run = page.wait_until("finished").run
    lab().store.delete(run)
    page.rerun()
    assert "run" not in page.query
    assert page.enabled() == {"start", "step"}


def test_an_address_shows_no_pictures_or_links_of_others(tab):
    """A value from the address is repeated in an error, where Markdown would load the picture for every viewer."""
    page = tab(preset="![x](https://evil.example/x.png)")
    (error,) = page.at.error
    assert r"\!\[x\]\(" in error.value
    assert "![x](" in shown(error)
