"""What is said of a run that has ended: hand-derived cases, and which runs of a home it is measured against."""

from __future__ import annotations

import pytest

from gradnorm.comparison.loading import load
from gradnorm.comparison.rivals import rivals, verdict_on
from gradnorm.comparison.verdict import verdict
from gradnorm.config.spec import preset
from gradnorm.config.variants import equal_twin
from gradnorm.runs.records import Evaluation, Event, Outcome, StepRecord

SPEC = preset("toy-2", {"steps": 20}).flat()
EQUAL = equal_twin(preset("toy-2", {"steps": 20})).flat()


def at(step: int, ratios: tuple[float, ...]) -> Evaluation:
    return Evaluation(step, ratios, ratios, sum(ratios), tuple({} for _ in ratios))


def made(store, spec, *ratios, kind="finished", pulls=None, changes=(), queue=None, tasks=None, steps=20, **links):
    """Put a run into the store that was tested before it, and after equal parts of its steps; return its id.

    ratios: L_i/L_i(0) at each test.  pulls: G_i at every step.  queue: an id that it gets in its place.
    """
    count = len(ratios[0]) if ratios else 2
    names = tasks or [f"task {i + 1}" for i in range(count)]
    run = queue or store.create("made", spec, names, queued=False, **links)
    ones = (1.0,) * len(names)
    records = [
        StepRecord(
            step=t, losses=ones, weights=ones, loss_ratios=ones, relative_rates=ones, gradient_norms=pulls, targets=None
        )
        for t in range(1, steps + 1)
    ]
    apart = steps // max(1, len(ratios) - 1)
    store.append(run, records, [at(i * apart, each) for i, each in enumerate(ratios)], 1.0, changes)
    store.end(run, Outcome(kind, steps, "Done."))
    return run


ONES = (1.0, 1.0)


def test_a_run_beside_equal_weights_from_the_same_start(store):
    own = made(store, SPEC, ONES, (0.3, 0.65), pulls=(4.0, 5.0))
    made(store, EQUAL, ONES, (0.8, 0.6), pulls=(2.0, 60.0))
    made(store, {**EQUAL, "seed": 1}, ONES, (0.1, 0.1))
    made(store, {**EQUAL, "learning_rate": 0.5}, ONES, (0.1, 0.1))
    found = verdict_on(store, own)
    # 0.3 + 0.65 and 0.8 + 0.6; 0.8 − 0.3 gained, 0.65 − 0.6 lost; 60/2 and 5/4.
    assert found.text == (
        "GradNorm α 0.12 won: Σ 0.95 against Equal weights 1.4, from the same start. "
        "Beside Equal weights, task 1 gained most (it has 0.3 of its first test loss left instead of 0.8); "
        "task 2 lost 0.05. "
        "Why: with Equal weights the gradient of task 2 was on average 30 times that of task 1 at the shared layer; "
        "with GradNorm α 0.12 the largest was 1.2 times the smallest."
    )
    assert not found.wants_equal


def test_the_equal_run_tells_the_same_story_of_its_parent(store):
    parent = made(store, SPEC, ONES, (0.3, 0.6))
    child = made(store, EQUAL, ONES, (0.5, 0.6), parent=parent)
    assert [each.run for each in rivals(store, store.info(child))] == [parent]
    assert verdict_on(store, child) == verdict_on(store, parent)
    assert verdict_on(store, child).text.endswith("left instead of 0.5); no task lost.")


def test_equal_weights_may_win_and_a_draw_is_called_one(store):
    own = made(store, SPEC, ONES, (0.7, 0.6))
    equal = made(store, EQUAL, ONES, (0.5, 0.6))
    assert verdict_on(store, own).text.startswith("Equal weights won: Σ 1.1 against GradNorm α 0.12 1.3")
    store.delete(equal)
    made(store, EQUAL, ONES, (0.701, 0.6))
    draw = "A draw: GradNorm α 0.12 Σ 1.3, Equal weights 1.3, from the same start. No task lost."
    assert verdict_on(store, own).text == draw


def test_a_run_without_a_rival_says_how_its_tasks_stand_and_asks_for_one(store):
    found = verdict_on(store, made(store, SPEC, ONES, (0.4, 0.2)))
    assert found.text == (
        "GradNorm α 0.12 ends at Σ 0.6, having begun at 2: "
        "task 2 learnt most and has 0.2 of its first test loss left, task 1 least, 0.4."
    )
    assert found.wants_equal


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ((1.0, 1.2), ": no task learnt anything."),
        ((0.5, 0.501), ": each task has 0.5 of its first test loss left."),
        ((0.5, 1.02), "task 2 learnt nothing."),
    ],
)
def test_tasks_that_cannot_improve_are_named(store, last, words):
    assert verdict_on(store, made(store, SPEC, ONES, last)).text.endswith(words)


def test_a_stuck_task_of_a_race_is_named(store):
    own = made(store, SPEC, ONES, (0.3, 1.0))
    made(store, EQUAL, ONES, (0.5, 0.99))
    assert "; task 2 lost 0.01; task 2 learnt nothing in either." in verdict_on(store, own).text


def test_runs_that_ended_at_different_steps_are_measured_where_both_were_tested(store):
    own = made(store, SPEC, ONES, (0.5, 0.5), kind="stopped", steps=10)
    made(store, EQUAL, ONES, (0.9, 0.9), (0.1, 0.1))
    assert verdict_on(store, own).text.startswith("GradNorm α 0.12 won at step 10: Σ 1 against Equal weights 1.8")


def test_one_that_diverged_has_no_result(store):
    own = made(store, SPEC, ONES, (0.5, 0.5), kind="diverged", steps=10)
    assert verdict_on(store, own).text == "This run diverged at step 10, so it has no result."
    assert not verdict_on(store, own).wants_equal
    made(store, EQUAL, ONES, (0.9, 0.8))
    assert verdict_on(store, own).text == (
        "Equal weights ends at Σ 1.7, having begun at 2: task 2 learnt most and has 0.8 of its first test loss left, "
        "task 1 least, 0.9. GradNorm α 0.12 diverged at step 10, so it has no result."
    )


def test_one_without_a_test_after_its_start_has_none_either(store):
    own = made(store, SPEC, ONES, kind="stopped", steps=5)
    assert verdict_on(store, own).text == "This run ended at step 5, before its first test, so it has no result."


def test_nothing_is_said_of_a_run_that_goes_on(store):
    run = store.create("made", SPEC, ["task 1", "task 2"], queued=False)
    assert verdict_on(store, run).text == ""


def test_with_one_task_there_is_nothing_to_balance(store):
    one = preset("toy-2", {"tasks": 1, "steps": 20}).flat()
    text = verdict_on(store, made(store, one, (1.0,), (0.25,))).text
    assert text == "task 1 has 0.25 of its first test loss left. There is one task, so there was nothing to balance."
    single = preset("toy-2", {"method": "single", "task": 2, "steps": 20}).flat()
    text = verdict_on(store, made(store, single, ONES, (1.0, 0.5))).text
    assert text.startswith("task 2 has 0.5 of its first test loss left. It was trained alone")


def test_a_race_names_the_others_and_leaves_out_single_tasks(store):
    specs = {name: preset("toy-2", {"method": name, "steps": 20}).flat() for name in ("gls", "uncertainty", "single")}
    runs = store.create_race([("made", each) for each in (SPEC, *specs.values())], ["task 1", "task 2"], queued=False)
    for run, ratios in zip(runs, [(0.5, 0.6), (0.5, 0.5), (0.6, 0.6), (0.1, 0.1)], strict=True):
        made(store, None, ONES, ratios, queue=run)
    found = verdict_on(store, runs[0])
    assert found.text.startswith("Geometric loss (GLS) won: Σ 1 against GradNorm α 0.12 1.1, ")
    assert found.wants_equal
    assert verdict_on(store, runs[1]).text == found.text


def test_seeds_of_a_race_are_averaged(store):
    specs = [{**spec, "seed": seed} for spec in (SPEC, EQUAL) for seed in (0, 1)]
    runs = store.create_race([("made", each) for each in specs], ["task 1", "task 2"], queued=False)
    for run, ratio in zip(runs, (0.2, 0.4, 0.5, 0.7), strict=True):
        made(store, None, ONES, (ratio, 0.5), queue=run)
    text = verdict_on(store, runs[0]).text
    assert text.startswith(
        "GradNorm α 0.12 won on average over 2 seeds: Σ 0.8 against Equal weights 1.1, from the same"
    )


def test_weights_that_were_moved_by_hand_are_called_so(store):
    hand = preset("toy-2", {"method": "static", "weights": (1, 1), "steps": 20}).flat()
    runs = store.create_race([("made", each) for each in (hand, SPEC)], ["task 1", "task 2"], queued=False)
    made(store, None, ONES, (0.2, 0.2), queue=runs[0], changes=[Event(5, "weights", [2.0, 1.0], 0.0)])
    made(store, None, ONES, (0.4, 0.4), queue=runs[1])
    assert verdict_on(store, runs[0]).text.startswith(
        "Weights by hand won: Σ 0.4 against GradNorm α 0.12 0.8, from the"
    )


def test_hand_and_gradnorm_are_measured_by_each_other_though_equal_weights_were_run_too(store):
    hand = preset("toy-2", {"method": "static", "weights": (1, 1), "steps": 20}).flat()
    runs = store.create_race([("made", each) for each in (hand, SPEC)], ["task 1", "task 2"], queued=False)
    made(store, None, ONES, (0.4, 0.4), queue=runs[0], changes=[Event(5, "weights", [2.0, 1.0], 0.0)])
    made(store, None, ONES, (0.3, 0.3), queue=runs[1])
    made(store, EQUAL, ONES, (0.5, 0.5))
    text = verdict_on(store, runs[0]).text
    assert text.startswith(
        "GradNorm α 0.12 won: Σ 0.6 against Weights by hand 0.8, Equal weights 1, from the same start."
    )
    assert "Beside Weights by hand, task 1 gained most" in text


def test_a_run_is_no_rival_of_itself(store):
    parent = made(store, SPEC, ONES, (0.3, 0.6))
    assert rivals(store, store.info(parent)) == []


def test_a_script_s_run_says_what_it_tested(store):
    recorded = {"recorded": "mine", "metrics": [[], []], "targets": False}
    run = made(store, recorded, ONES, (0.4, 0.2))
    found = verdict_on(store, run)
    assert found.text.startswith("mine ends at Σ 0.6")
    assert not found.wants_equal


def test_what_cannot_be_measured_is_left_out(store):
    own = made(store, SPEC, ONES, (float("nan"), 0.5))
    (run,) = load(store, [own]).runs
    assert "before its first test" in verdict(run, [], {}).text
