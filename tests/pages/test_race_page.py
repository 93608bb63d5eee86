"""The race's controls, Static, Continue, and the notice of a task that cannot improve."""

from dataclasses import replace

import pytest

from gradnorm.config.spec import RunSpec, preset
from gradnorm.runs.records import Evaluation, Outcome
from gradnorm.runs.troubles import troubles
from gradnorm.ui.lab import lab
from tests.factories import TINY, step_records, wait_for
from tests.pages.conftest import shown

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

QUICK = {key: str(value) for key, value in TINY.items() if key != "sigmas"} | {"sigmas": "1,2", "steps": "40"}


def start_race(tab):
    tab.start_race()
    return lab().store.family(tab.query["run"])


def test_a_race_starts_with_its_contenders_and_the_page_s_settings(tab):
    opened = tab(**QUICK, method="gradnorm", alpha="0.5", seed="3")
    family = start_race(opened)
    assert [i.spec["method"] for i in family] == ["equal", "gradnorm", "uncertainty"]
    assert {(i.spec["seed"], i.spec["width"], i.spec["steps"]) for i in family} == {(3, 8, 40)}
    assert family[1].spec["alpha"] == 0.5
    # The settings' own method is the one that is watched.
    assert opened.query["run"] == family[1].run
    wait_for(lambda: all(lab().store.info(i.run).ended for i in family))
    opened.rerun()
    assert not opened.errors


def test_contenders_are_methods_by_alphas_by_seeds_and_stand_in_the_address(tab):
    opened = tab(**QUICK, method="gradnorm")
    opened.set("multiselect", "race", ["gradnorm", "mgda"])
    opened.set("text_input", "race_alpha", "0, 1.5")
    opened.set("text_input", "race_seed", "1 2")
    query = opened.query
    assert (query["race"], query["race_alpha"], query["race_seed"]) == ("gradnorm,mgda", "0, 1.5", "1 2")
    started = [(i.spec["method"], i.spec.get("alpha"), i.spec["seed"]) for i in start_race(tab(**query))]
    expected = [("gradnorm", 0.0), ("gradnorm", 1.5), ("mgda", None)]
    assert started == [(method, alpha, seed) for seed in (1, 2) for method, alpha in expected]


def test_a_wrong_race_is_told_and_starts_nothing(tab):
    opened = tab(**QUICK, method="gradnorm")
    for key, value, message in (("race_alpha", "9", "alpha should be in"), ("race_seed", "1.5", "seed should be")):
        opened.set("text_input", key, value)
        opened.start_race()
        assert message in opened.errors[0]
        opened.set("text_input", key, "")
    assert lab().store.runs() == []


def test_contenders_are_counted_and_more_than_can_race_are_told_before_they_start(tab):
    opened = tab(**QUICK, method="gradnorm")

    def said(kind, key, value):
        opened.set(kind, key, value)
        (button,) = [b for b in opened.at.button if str(b.key).startswith("start race")]
        return next(
            c.value for c in opened.at.caption if "contenders" in c.value or "numbers" in c.value
        ), button.disabled

    assert said("text_input", "race_seed", "1, 2") == ("6 contenders, of 64 at most.", False)
    wrong = "A race should have 2 to 64 contenders. Found {}. {}"
    many = ",".join(map(str, range(22)))
    assert said("text_input", "race_seed", many) == (wrong.format(66, "Take out methods, α values or seeds."), True)
    assert said("text_input", "race_seed", "") == ("3 contenders, of 64 at most.", False)
    assert said("text_input", "race_alpha", "0, x")[0].startswith("α should be numbers with commas between")
    opened.set("text_input", "race_alpha", "")
    for chosen in ([], ["equal"]):
        told = said("multiselect", "race", chosen)
        assert told == (wrong.format(len(chosen), "Add a method, an α or a seed."), True)


def test_an_unknown_contender_in_the_address_is_passed_over(tab):
    opened = tab(**QUICK, race="equal,nothing,gls")
    assert [i.spec["method"] for i in start_race(opened)] == ["equal", "gls"]


def test_static_trains_again_with_the_mean_weights(tab):
    opened = tab(**QUICK, method="gradnorm")
    opened.press("start")
    parent = opened.wait_until("finished")
    opened.press("static")
    child = opened.wait_until("finished")
    assert (child.parent, child.spec["method"]) == (parent.run, "static")
    assert opened.spec.method.name == "static"
    # Which is no GradNorm run itself.
    assert "static" not in {button.key for button in opened.at.button}


def test_a_stopped_run_continues(tab):
    opened = tab(**{**QUICK, "steps": "100000"}, method="equal")
    opened.press("start")
    wait_for(lambda: lab().store.info(opened.query["run"]).steps > 20)
    opened.press("stop")
    stopped = opened.wait_until("stopped")
    assert opened.at.button(key="pause").label == "Continue"
    opened.press("pause")
    wait_for(lambda: lab().store.info(stopped.run).steps > stopped.steps)
    opened.rerun()
    opened.press("stop")
    opened.wait_until("stopped")


def stuck_run(ended):
    """Return a run whose third task has learnt nothing."""
    spec = preset("noise", {"steps": 3000, "width": 8, "depth": 1, "batch_size": 4, "device": "cpu"})
    store = lab().store
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    store.append(run, step_records(1, 2000, 3))
    metrics = ({"r2": 0.5}, {"r2": 0.5}, {"r2": 0.0})
    evaluations = [
        Evaluation(s, (50.0, 50.0, 101.0), (0.5, 0.5, 0.99), 1.99, metrics, (100.0,) * 3) for s in range(0, 2001, 100)
    ]
    store.append(run, [], evaluations)
    if ended:
        store.end(run, Outcome("finished", 2000))
    return run


def test_a_stuck_task_is_named_with_the_reason(tab):
    opened = tab(run=stuck_run(ended=True))
    (warning,) = [shown(w) for w in opened.at.warning]
    assert warning.startswith("task 3 cannot improve, it seems: after 2,000 steps its test loss, 101, is no better")
    assert "GradNorm keeps raising its weight" in warning


def test_a_first_loss_near_0_is_named_too(tab):
    spec = preset("toy-2", {"steps": 1000, "width": 8, "depth": 1, "batch_size": 4, "device": "cpu"})
    store = lab().store
    run = store.create(spec.title, spec.flat(), spec.dataset.task_names, queued=False)
    rows = [replace(row, losses=(0.5, 0.01), loss_ratios=(0.5, 1e4)) for row in step_records(1, 100)]
    store.append(run, rows)
    store.end(run, Outcome("stopped", 100))
    (warning,) = [shown(w) for w in tab(run=run).at.warning]
    assert warning.startswith("task 2 began with a loss near 0, it seems: 1e-06 at first, 0.01 now, 10,000 times")


@pytest.mark.slow
def test_holding_a_stuck_task_reaches_the_run_that_goes_on(tab, monkeypatch):
    opened = tab(preset="noise", width="8", depth="1", batch_size="4", device="cpu", steps="1000000", eval_every="20")
    opened.press("start")
    run = opened.query["run"]
    held = stuck_run(ended=True)
    told = troubles(lab().store, held)
    monkeypatch.setattr("gradnorm.ui.playground.notice.troubles", lambda *_: told)
    wait_for(lambda: lab().store.info(run).steps > 20)
    opened.rerun()
    opened.press("hold 3")
    before = lab().store.info(run).steps
    assert opened.query["hold"] == "3"
    wait_for(lambda: lab().store.info(run).steps > before + 200)
    weights = lab().store.read(run, before + 100).vector("weights")
    assert set(weights[:, 2]) == {weights[0, 2]}
    assert len(set(weights[:, 0])) > 1
    assert RunSpec.parse({k: v for k, v in opened.query.items() if k != "run"}).method.hold == (3,)
    opened.press("stop")
    opened.wait_until("stopped")


def test_nothing_is_said_of_methods_without_targets(tab):
    opened = tab(**QUICK, method="equal")
    opened.press("start")
    opened.wait_until("finished")
    assert not opened.at.warning
