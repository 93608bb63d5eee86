"""Forking from the page: what the controls show otherwise is what the fork has otherwise."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.config.variants import MOST_CONTENDERS
from gradnorm.runs.records import Checkpoint
from gradnorm.ui import session
from gradnorm.ui.live import panel
from gradnorm.ui.live.family import contenders
from gradnorm.ui.playground import time_travel
from tests.factories import TINY, finished, step_records


@pytest.fixture
def state(monkeypatch):
    """A tab's session, outside Streamlit."""
    state = {"gradnorm.config.spec": RunSpec.parse(TINY), "gradnorm.run": None, "gradnorm.fault": ""}
    for module in (session, panel):
        monkeypatch.setattr(module.st, "session_state", state)
    return state


@pytest.fixture
def lab(monkeypatch, store):
    """A Lab that creates forks and trains nothing."""
    from gradnorm.lab.lab import Lab

    lab = Lab(store)
    monkeypatch.setattr(lab._workers, "start", lambda: None)
    for module in (session, time_travel, panel):
        monkeypatch.setattr(module, "lab", lambda: lab)
    return lab


def make(lab, spec=TINY, steps=20, **lineage):
    """A run with a checkpoint after each tenth step."""
    spec = RunSpec.parse(spec)
    run = lab.store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False, **lineage)
    for step in range(0, steps + 1, 10):
        lab.store.checkpoints.write(run, Checkpoint(step, b"state"))
    lab.store.append(run, step_records(lineage.get("forked_at", 0) + 1, steps))
    return run


def test_a_fork_has_what_the_controls_show_and_is_watched(lab, state):
    run = make(lab)
    state["gradnorm.config.spec"] = RunSpec.parse({**TINY, "alpha": 0.9, "learning_rate": 0.02})
    time_travel.fork(run, 10)
    child = lab.store.info(state["gradnorm.run"])
    assert (child.parent, child.forked_at, child.state) == (run, 10, "queued")
    assert (child.spec["alpha"], child.spec["learning_rate"]) == (0.9, 0.02)
    assert state["gradnorm.fault"] == ""
    assert lab.store.checkpoints.steps(child.run) == [10]


@pytest.mark.parametrize("method", ["equal", "uncertainty"])
def test_a_fork_may_have_another_method(lab, state, method):
    run = make(lab)
    state["gradnorm.config.spec"] = RunSpec.parse({**{k: v for k, v in TINY.items() if k != "alpha"}, "method": method})
    time_travel.fork(run, 20)
    spec = lab.store.info(state["gradnorm.run"]).spec
    assert spec["method"] == method
    assert "alpha" not in spec


def test_unchanged_settings_repeat_the_run(lab, state, monkeypatch):
    run = make(lab)
    told = []
    monkeypatch.setattr(lab, "fork", lambda *given: told.append(given) or "child")
    time_travel.fork(run, 10)
    assert told == [(run, 10, {})]
    assert state["gradnorm.run"] == "child"


@pytest.mark.parametrize(
    ("step", "spec", "sentence"),
    [
        (15, {}, r"The step should be one with a checkpoint \(0, 10, 20\). Found 15"),
        (10, {"width": 12}, "width should be 8 as in the run that is forked. Found 12"),
        (10, {"dataset": "diamonds"}, "as in the run that is forked"),
    ],
)
def test_what_cannot_be_forked_is_said(lab, state, step, spec, sentence):
    run = make(lab)
    base = TINY if "dataset" not in spec else {}
    state["gradnorm.config.spec"] = RunSpec.parse({**base, **spec})
    time_travel.fork(run, step)
    assert re.search(sentence, session.fault())
    assert state["gradnorm.run"] is None
    assert [info.run for info in lab.store.runs()] == [run]


def test_a_run_that_is_gone_is_said(lab, state):
    time_travel.fork("nope", 10)
    assert "Found no run 'nope'" in session.fault()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"run": "a", "step": 7}, ("a", 7)),
        ({"run": "a", "step": 0}, ("a", 0)),
        ({"run": "a", "step": True}, None),
        ({"run": "a", "step": -1}, None),
        ({"run": "a", "step": 1.5}, None),
        ({"run": 3, "step": 1}, None),
        ({"step": 1}, None),
        ("fork", None),
        (None, None),
    ],
)
def test_only_a_run_and_a_step_are_taken(message, expected):
    assert time_travel.fork_request(message) == expected


def test_the_panels_message_forks(lab, state):
    run = make(lab)
    state["live-panel"] = {"fork": {"run": run, "step": 20}}
    panel._fork()
    assert lab.store.info(state["gradnorm.run"]).forked_at == 20
    state["live-panel"] = SimpleNamespace(get=lambda _: None)
    panel._fork()


def drawn(run, label):
    """Return what the panel gets of a run that no other differs from in the seed alone."""
    return {"run": run, "label": label, "team": label, "method": "gradnorm"}


def test_a_run_on_its_own_is_drawn_alone(lab, state):
    run = make(lab)
    assert contenders(lab.store, lab.store.info(run)) == [drawn(run, "GradNorm α 0.12")]


def test_a_fork_is_drawn_with_its_parent(lab, state):
    run = make(lab)
    child = make(lab, {**TINY, "alpha": 0.5}, parent=run, forked_at=10)
    same = make(lab, parent=child, forked_at=20, steps=30)
    assert contenders(lab.store, lab.store.info(same)) == [
        drawn(run, "GradNorm α 0.12"),
        drawn(child, "GradNorm α 0.5, fork at 10"),
        drawn(same, "GradNorm α 0.12, fork at 20"),
    ]
    assert [c["run"] for c in contenders(lab.store, lab.store.info(run))] == [run]


def test_a_large_family_is_drawn_in_part(lab, state):
    specs = [RunSpec.parse({**TINY, "seed": seed}) for seed in range(MOST_CONTENDERS + 2)]
    runs = lab.store.create_race([(s.title, s.flat()) for s in specs], specs[0].dataset.task_names, queued=True)
    found = contenders(lab.store, lab.store.info(runs[1]))
    assert [each["run"] for each in found] == [runs[1], *runs[3:]]
    assert found[1]["label"] == "GradNorm α 0.12 seed 3"
    assert {each["team"] for each in found} == {"GradNorm α 0.12"}


def test_a_run_deleted_in_between_is_no_fault(lab, state):
    run = make(lab)
    info = lab.store.info(run)
    lab.store.end(run, finished(20))
    lab.store.delete(run)
    assert [c["run"] for c in contenders(lab.store, info)] == [run]
