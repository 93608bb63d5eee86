"""The priorities of tasks beside α: set before a run, and moved while one trains."""

from __future__ import annotations

import pytest

from gradnorm.config.spec import preset
from gradnorm.ui.lab import lab
from gradnorm.ui.session import START
from tests.factories import wait_for
from tests.pages.conftest import shown
from tests.pages.test_playground_page import LONG

pytestmark = pytest.mark.slow


def sliders(page):
    own = [slider for slider in page.at.select_slider if ":priorities" in slider.key]
    return {slider.key.split(" ")[0]: slider.value for slider in own}


def test_each_task_has_a_slider_that_is_part_of_the_address(tab):
    page = tab()
    assert sliders(page) == {"each:0:priorities": 1.0, "each:1:priorities": 1.0}
    page.set("select_slider", "each:1:priorities", 2.5)
    assert page.query["priorities"] == "1,2.5"
    assert page.widget("text_input", "option:priorities").value == "1, 2.5"
    assert page.widget("selectbox", "choice:preset").value == "Custom"
    assert sliders(tab(**page.query)) == {"each:0:priorities": 1.0, "each:1:priorities": 2.5}
    page.set("select_slider", "each:1:priorities", 1.0)
    assert page.spec == preset(START)


def test_a_value_that_was_typed_is_a_stop_of_its_slider(tab):
    page = tab(tasks="2", priorities="0.037,300")
    assert sliders(page) == {"each:0:priorities": 0.037, "each:1:priorities": 300.0}
    page.set("select_slider", "each:0:priorities", 0.3)
    assert page.spec.method.priorities == (0.3, 300.0)


@pytest.mark.parametrize(
    ("moved", "value", "expected"),
    [
        (("select_slider", "each:1:priorities"), 2.5, (1.0, 2.5)),
        (("text_input", "option:priorities"), "1 2.5", (1.0, 2.5)),
        (("slider", "option:alpha"), 0.7, ()),
    ],
)
def test_what_the_browser_says_of_the_other_widgets_before_it_has_drawn_them_is_no_wish(tab, moved, value, expected):
    page = tab()
    late = page.states()
    widget = page.widget(*moved).set_value(value)
    late.widgets.append(widget._widget_state)  # of a widget that is there twice the last one counts
    widget.run()
    flat = page.spec.flat()
    page.rerun(late)
    assert page.spec.flat() == flat
    assert page.spec.method.priorities == expected
    assert page.widget("selectbox", "choice:preset").value == "Custom"


@pytest.mark.parametrize(("tasks", "folded"), [("3", False), ("4", True)])
def test_many_sliders_are_folded_away(tab, tasks, folded):
    page = tab(dataset="toy", tasks=tasks)
    assert len(sliders(page)) == int(tasks)
    assert any(expander.label == "Priorities" for expander in page.at.expander) == folded


def test_a_method_without_priorities_has_no_sliders(tab):
    page = tab(priorities="1,3")
    page.set("selectbox", "choice:method", "equal")
    assert not sliders(page)
    assert "priorities" not in page.query


def test_a_running_run_takes_them_at_its_next_step(tab):
    page = tab(**LONG, alpha="0")
    page.press("start")
    page.wait_until("running")
    store, run = lab().store, page.query["run"]
    wait_for(lambda: store.info(run).steps > 1)
    page.set("select_slider", "each:0:priorities", 4.0)
    assert [shown(toast) for toast in page.at.toast] == ["Priorities: 4, 1 from the next step on."]
    (event,) = wait_for(lambda: store.read(run).events)
    assert (event.key, event.value, event.label) == ("priorities", [4.0, 1.0], "priorities 4, 1")
    wait_for(lambda: store.info(run).steps > event.step)
    targets = store.read(run).vector("targets")
    assert targets[event.step - 2].tolist() == pytest.approx([targets[event.step - 2, 0]] * 2)
    assert targets[event.step - 1, 0] == pytest.approx(4 * targets[event.step - 1, 1])
    assert not any("have changed" in caption.value for caption in page.at.caption)
    page.press("stop")


def test_a_fork_takes_the_priorities_of_the_controls(tab):
    page = tab(**{**LONG, "steps": "10", "pace": "0", "checkpoint_every": "5", "eval_every": "5"})
    page.press("start")
    parent = page.wait_until("finished").run
    page.set("select_slider", "each:1:priorities", 3.0)
    fork = lab().fork(parent, 5, {"priorities": page.spec.flat()["priorities"]})
    info = wait_for(lambda: (i := lab().store.info(fork)).state == "finished" and i)
    assert info.spec["priorities"] == [1.0, 3.0]


def test_in_a_race_the_contenders_that_have_priorities_get_them(tab):
    page = tab(**LONG, race="equal,gradnorm", priorities="2,1")
    page.start_race()
    specs = {info.spec["method"]: info.spec for info in lab().store.runs()}
    assert specs["gradnorm"]["priorities"] == [2.0, 1.0]
    assert "priorities" not in specs["equal"]
    page.wait_until("running")
    page.press("stop")


@pytest.mark.parametrize(
    ("of_run", "change"),
    [({"method": "equal"}, ("selectbox", "choice:method", "gradnorm")), ({}, ("number_input", "option:tasks", 3))],
)
def test_what_the_watched_run_cannot_take_is_for_the_next_one(tab, of_run, change):
    page = tab(**LONG, **of_run)
    page.press("start")
    page.wait_until("running")
    page.set(*change)
    page.set("select_slider", "each:0:priorities", 2.0)
    assert not page.at.toast
    assert any("next run" in caption.value for caption in page.at.caption)
    assert not lab().store.read(page.query["run"]).events
    page.press("stop")
