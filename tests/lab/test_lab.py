"""The Lab: real training in real threads, steered while it goes on."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from gradnorm.config.spec import RunSpec, SpecError
from gradnorm.lab.lab import Lab, NotHereError
from gradnorm.runs.checkpoint_files import CheckpointError
from gradnorm.runs.store import CannotGoOnError, RunStore, UnknownRunError
from tests.factories import TINY, evaluation, start_python, step_records, wait_for

# Whole runs, servers and commands: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

LONG = {**TINY, "steps": 1_000_000, "eval_every": 1_000_000}


def tiny(**changes):
    return RunSpec.parse({**TINY, **changes})


@pytest.fixture
def labs(store):
    """Makes labs of this home, and closes them."""
    made = []

    def make(workers=1):
        made.append(Lab(store, workers))
        return made[-1]

    yield make
    for lab in made:
        lab.close(30)


@pytest.fixture
def lab(labs):
    return labs()


@pytest.fixture
def ended(store):
    """Waits for the end of a run and gives its line of the catalogue."""

    def wait(run):
        wait_for(lambda: store.info(run).ended)
        return store.info(run)

    return wait


@pytest.fixture
def state(store):
    """Waits until a run is in some state."""
    return lambda run, wanted: wait_for(lambda: store.info(run).state == wanted)


@pytest.fixture
def going(store):
    """Waits until a run has taken some steps."""
    return lambda run, steps=5: wait_for(lambda: store.info(run).steps >= steps)


def test_a_launched_run_trains_to_its_end(lab, store, ended):
    run = lab.launch(tiny())
    info = ended(run)
    assert (info.state, info.steps, info.device) == ("finished", 100, "cpu")
    assert info.outcome.message == "Finished all 100 steps."
    assert info.seconds > 0
    snapshot = store.read(run)
    assert snapshot.rows[:, 0].tolist() == list(range(1, 101))
    assert np.isfinite(snapshot.rows).all()
    assert [e.step for e in snapshot.evaluations] == [0, 50, 100]
    wait_for(lambda: not lab.steers(run))


def test_the_catalogue_says_what_was_launched(lab, store, ended):
    spec = tiny(alpha=0.12, seed=7)
    run = lab.launch(spec)
    info = store.info(run)
    assert (info.title, info.tasks) == (spec.title, spec.dataset.task_names)
    assert RunSpec.parse(info.spec) == spec
    ended(run)


def test_a_run_gives_what_the_engine_gives(lab, store, ended):
    from gradnorm.runs.records import StepRecord
    from gradnorm.training.engine import train

    run = lab.launch(tiny())
    ended(run)
    alone = [item.row() for item in train(tiny()) if isinstance(item, StepRecord)]
    np.testing.assert_array_equal(store.read(run).rows, np.array(alone, np.float32))


def test_one_worker_serves_the_queue_in_order(lab, store, ended, going):
    first = lab.launch(RunSpec.parse(LONG))
    second, third = lab.launch(tiny(steps=10)), lab.launch(tiny(steps=20))
    going(first)
    time.sleep(0.1)
    assert [store.info(run).place for run in (first, second, third)] == [None, 1, 2]
    assert [store.info(run).state for run in (second, third)] == ["queued", "queued"]
    lab.stop(first)
    assert [ended(run).state for run in (first, second, third)] == ["stopped", "finished", "finished"]
    assert [store.info(run).steps for run in (second, third)] == [10, 20]


def test_two_workers_run_two_at_once(labs, store, going):
    lab = labs(2)
    runs = [lab.launch(RunSpec.parse(LONG)) for _ in range(3)]
    going(runs[0])
    going(runs[1])
    assert (store.info(runs[2]).state, store.info(runs[2]).place) == ("queued", 1)
    lab.stop(runs[1])
    going(runs[2])
    assert store.info(runs[0]).state == "running"


def test_a_run_launched_paused_takes_no_step(lab, store, state):
    run = lab.launch(RunSpec.parse(LONG), paused=True)
    state(run, "paused")
    time.sleep(0.1)
    assert (store.info(run).steps, len(store.read(run).rows)) == (0, 0)


def test_pause_step_and_resume(lab, store, state, going):
    run = lab.launch(RunSpec.parse(LONG))
    going(run)
    lab.pause(run)
    state(run, "paused")
    held = store.info(run).steps
    time.sleep(0.1)
    assert store.info(run).steps == held == len(store.read(run).rows)
    for extra in (1, 2):
        lab.step(run)
        wait_for(lambda extra=extra: store.info(run).steps >= held + extra)
        time.sleep(0.1)
        assert store.info(run).steps == held + extra
        assert store.info(run).state == "paused"
    lab.resume(run)
    state(run, "running")
    going(run, held + 20)


def test_a_running_run_is_stopped(lab, ended, going):
    run = lab.launch(RunSpec.parse(LONG))
    going(run)
    lab.stop(run)
    info = ended(run)
    assert (info.state, info.outcome.step) == ("stopped", info.steps)
    assert 5 <= info.steps < LONG["steps"]
    assert info.outcome.message == f"Stopped by hand after {info.steps:,} steps."


def test_a_paused_run_is_stopped_where_it_was(lab, store, ended, state, going):
    run = lab.launch(RunSpec.parse(LONG))
    going(run)
    lab.pause(run)
    state(run, "paused")
    held = store.info(run).steps
    lab.stop(run)
    assert (ended(run).state, store.info(run).steps) == ("stopped", held)


def test_a_queued_run_is_stopped_without_a_step(lab, store, ended, going):
    first, second = lab.launch(RunSpec.parse(LONG)), lab.launch(tiny())
    going(first)
    lab.stop(second)
    assert (store.info(second).state, store.info(second).steps) == ("stopped", 0)
    assert not lab.steers(second)
    lab.stop(first)
    ended(first)
    third = lab.launch(tiny(steps=5))
    assert ended(third).state == "finished"
    assert store.info(second).steps == 0


def test_retuning_changes_alpha_from_some_step_on(lab, store, state, going, ended):
    run = lab.launch(RunSpec.parse({**LONG, "alpha": 1.5}))
    going(run)
    lab.pause(run)
    state(run, "paused")
    held = store.info(run).steps
    lab.retune(run, alpha=0.25)
    lab.resume(run)
    going(run, held + 20)
    lab.stop(run)
    ended(run)
    alpha = store.read(run).scalar("alpha")
    assert set(alpha[:held].tolist()) == {1.5}
    assert set(alpha[held:].tolist()) == {0.25}


def test_retuning_a_running_run_takes_effect_at_a_step_boundary(lab, store, going):
    run = lab.launch(RunSpec.parse({**LONG, "alpha": 1.5}))
    going(run)
    lab.retune(run, alpha=3.0)
    asked = store.info(run).steps
    wait_for(lambda: 3.0 in store.read(run, asked).scalar("alpha"))
    alpha = store.read(run).scalar("alpha").tolist()
    first = alpha.index(3.0)
    assert first >= 5
    assert set(alpha[:first]) == {1.5}
    assert set(alpha[first:]) == {3.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alpha": 9.0}, r"alpha should be in \[0, 5\]. Found 9"),
        ({"alpha": -0.1}, r"alpha should be in \[0, 5\]"),
        ({"alpha": "much"}, "alpha should be"),
        ({"weight_learning_rate": 0}, "weight_learning_rate should be"),
        ({"beta": 1.0}, "beta"),
    ],
)
def test_a_wrong_value_is_refused_and_changes_nothing(lab, store, state, changes, message):
    run = lab.launch(RunSpec.parse({**LONG, "alpha": 1.5}), paused=True)
    state(run, "paused")
    with pytest.raises(SpecError, match=message):
        lab.retune(run, **changes)
    lab.step(run)
    wait_for(lambda: store.info(run).steps == 1)
    assert store.read(run).scalar("alpha").tolist() == [1.5]


@pytest.mark.parametrize("changes", [{"learning_rate": 0.1}, {"steps": 20}, {"update": "adam"}])
def test_what_cannot_change_live_does_not_end_the_run(lab, store, state, changes):
    run = lab.launch(RunSpec.parse(LONG), paused=True)
    state(run, "paused")
    with pytest.raises(SpecError):
        lab.retune(run, **changes)
    lab.step(run)
    wait_for(lambda: store.info(run).steps == 1 or store.info(run).ended)
    assert store.info(run).state == "paused"


def steer(lab):
    return [lab.pause, lab.resume, lab.step, lab.stop, lambda run: lab.retune(run, alpha=1.0)]


def test_a_run_of_another_process_is_watched_but_not_steered(lab, store, home):
    code = (
        "from gradnorm.runs.store import RunStore; from tests.factories import *\n"
        "store = RunStore(); run = store.create('t', SPEC, ['a', 'b'], queued=False)\n"
        "store.append(run, step_records(1, 3)); print(run, flush=True); input()"
    )
    other = start_python(home, "-c", code)
    try:
        run = other.stdout.readline().strip()
        for act in steer(lab):
            with pytest.raises(NotHereError, match="Found it in another process"):
                act(run)
        assert not lab.steers(run)
        assert (store.info(run).state, store.info(run).steps) == ("running", 3)
    finally:
        other.kill()
        other.communicate()


def test_an_ended_run_is_not_steered(lab, ended):
    run = lab.launch(tiny(steps=2))
    ended(run)
    wait_for(lambda: not lab.steers(run))
    for act in steer(lab):
        with pytest.raises(NotHereError, match="Found it finished"):
            act(run)


def test_a_run_somebody_else_queued_is_not_steered_yet_but_may_be_stopped(labs, store):
    lab = labs()
    run = store.create("t", dict(tiny().flat()), ("task 1", "task 2"), queued=True)
    with pytest.raises(NotHereError, match="waiting in the queue"):
        lab.pause(run)
    lab.stop(run)
    assert store.info(run).state == "stopped"


def test_an_unknown_run_is_not_steered(lab):
    for act in steer(lab):
        with pytest.raises(UnknownRunError):
            act("nope")


def test_what_another_process_queued_is_trained(lab, store, ended):
    run = store.create("t", tiny(steps=7).flat(), ("task 1", "task 2"), queued=True)
    lab.warm()
    info = ended(run)
    assert (info.state, info.steps) == ("finished", 7)


@pytest.mark.parametrize("hold", [False, True])
def test_closing_interrupts_with_all_records(lab, store, going, state, hold):
    run, waiting = lab.launch(RunSpec.parse(LONG)), lab.launch(tiny())
    going(run)
    if hold:
        lab.pause(run)
        # A run that is paused lets the next one train.
        wait_for(lambda: store.info(waiting).state != "queued")
    lab.close(30)
    info = store.info(run)
    assert (info.state, info.outcome.kind, info.outcome.step) == ("interrupted", "interrupted", info.steps)
    assert f"step {info.steps:,}" in info.outcome.message
    assert store.read(run).rows[:, 0].tolist() == list(range(1, info.steps + 1))
    assert store.info(waiting).state in (("finished", "interrupted") if hold else ("queued",))
    assert not [t for t in threading.enumerate() if t.name.startswith("gradnorm-worker")]


def test_the_next_lab_takes_up_the_queue(lab, labs, store, going, ended):
    first, second = lab.launch(RunSpec.parse(LONG)), lab.launch(tiny(steps=10))
    going(first)
    lab.close(30)
    assert store.info(second).state == "queued"
    labs().warm()
    assert (ended(second).state, store.info(second).steps) == ("finished", 10)


def test_a_lab_that_was_never_used_closes_at_once(store):
    start = time.monotonic()
    lab = Lab(store)
    lab.close()
    lab.warm()
    assert time.monotonic() - start < 5
    assert not [t for t in threading.enumerate() if t.name.startswith("gradnorm-worker")]


def test_a_run_that_diverges_says_which_task_and_when(lab, store, ended):
    run = lab.launch(tiny(learning_rate=10, sigmas=(1.0, 1000.0), tasks=2, eval_every=1000))
    info = ended(run)
    assert (info.state, info.outcome.kind) == ("diverged", "diverged")
    assert info.outcome.task in info.tasks
    assert not np.isfinite(info.outcome.value)
    assert info.outcome.step > info.steps
    assert f"{info.outcome.task!r} became" in info.outcome.message
    assert np.isfinite(store.read(run).rows[:-1]).all()
    assert lab.launch(tiny(steps=1)) is not None


def test_a_spec_of_an_unknown_kind_fails_with_its_fault(lab, store, ended):
    run = store.create("t", {"dataset": "toy", "gone": 1, "steps": 5}, ("task 1", "task 2"), queued=True)
    lab.warm()
    info = ended(run)
    assert (info.state, info.outcome.step) == ("failed", 0)
    assert "gone should be an option" in info.outcome.message


def test_a_run_whose_training_raises_fails_with_the_error(lab, store, ended, state):
    run = lab.launch(RunSpec.parse(LONG), paused=True)
    lab.step(run)
    wait_for(lambda: store.info(run).steps == 1)
    state(run, "paused")
    store.append(run, step_records(2, 2), [evaluation(2)])  # as a second writer that should not be there
    lab.resume(run)
    info = ended(run)
    assert (info.state, info.outcome.kind) == ("failed", "failed")
    assert info.outcome.message.startswith("ValueError: Records should continue at step 3")
    assert ended(lab.launch(tiny(steps=5))).state == "finished"


def test_a_run_deleted_while_it_waits_is_passed_over(lab, store, home, going, ended):
    first, second, third = lab.launch(RunSpec.parse(LONG)), lab.launch(tiny()), lab.launch(tiny(steps=5))
    going(first)
    other = RunStore(home)
    assert other.withdraw(second)
    other.delete(second)
    other.close()
    lab.stop(first)
    assert ended(third).state == "finished"
    assert second not in {info.run for info in store.runs()}


def test_a_run_withdrawn_by_another_process_is_no_longer_steered(lab, store, going):
    first, second = lab.launch(RunSpec.parse(LONG)), lab.launch(tiny())
    going(first)
    store.withdraw(second)
    store.delete(second)
    with pytest.raises(UnknownRunError):
        lab.pause(second)


def test_a_run_deleted_while_it_trains_does_not_stop_the_worker(lab, store, home, going, ended):
    run = lab.launch(RunSpec.parse(LONG))
    going(run)
    from gradnorm.runs.records import Outcome

    store.end(run, Outcome("interrupted", 0))  # as a process on another host may think
    store.delete(run)
    assert ended(lab.launch(tiny(steps=5))).state == "finished"
    assert not lab.steers(run)


def test_a_new_lab_reaps_the_runs_of_a_dead_process(store, home, labs):
    code = (
        "from gradnorm.runs.store import RunStore; from tests.factories import *\n"
        "print(RunStore().create('t', SPEC, ['a', 'b'], queued=False))"
    )
    process = start_python(home, "-c", code)
    run = process.communicate(timeout=60)[0].strip()
    labs()
    assert store.reap() == []
    assert store.info(run).state == "interrupted"


@pytest.mark.parametrize("given", ["0", "65", "two", "-1", "1.5"])
def test_the_number_of_workers_is_checked(store, monkeypatch, given):
    monkeypatch.setenv("GRADNORM_WORKERS", given)
    with pytest.raises(SpecError, match=r"GRADNORM_WORKERS should be a whole number in \[1, 64\]"):
        Lab(store)


def test_the_environment_says_how_many_workers(store, labs, monkeypatch, state):
    monkeypatch.setenv("GRADNORM_WORKERS", "2")
    lab = labs(None)
    runs = [lab.launch(RunSpec.parse(LONG), paused=True) for _ in range(2)]
    for run in runs:
        state(run, "paused")


def test_a_race_goes_in_lock_step_and_is_steered_as_one(lab, store, state, going, ended):
    specs = [RunSpec.parse({**LONG, "method": m}) for m in ("equal", "gradnorm", "uncertainty")]
    runs = lab.race(specs)
    going(runs[2])
    lab.pause(runs[1])
    for run in runs:
        state(run, "paused")
    held = [store.info(run).steps for run in runs]
    assert max(held) - min(held) <= 1
    lab.step(runs[0])
    wait_for(lambda: [store.info(run).steps for run in runs] == [max(held) + 1] * 3 or len(set(held)) > 1)
    lab.retune(runs[1], alpha=3.0)
    lab.resume(runs[2])
    wait_for(lambda: 3.0 in store.read(runs[1], held[1]).scalar("alpha"))
    lab.stop(runs[1])
    assert [ended(run).state for run in runs] == ["stopped"] * 3


def test_a_race_in_the_queue_is_withdrawn_as_one(lab, store, going):
    first = lab.launch(RunSpec.parse(LONG))
    going(first)
    runs = lab.race([tiny(method="equal"), tiny(method="gradnorm")])
    lab.stop(runs[1])
    assert [store.info(run).state for run in runs] == ["stopped"] * 2


def test_a_race_goes_on_when_one_of_it_diverges(lab, store, ended):
    runs = lab.race([tiny(method="equal"), tiny(method="equal", learning_rate=10.0, sigmas=(1e6, 1e6)).model_copy()])
    assert {ended(run).state for run in runs} == {"finished", "diverged"}


def test_a_fork_knows_its_parent_and_is_a_run_of_its_own(lab, store, ended):
    parent = lab.launch(tiny(steps=60, checkpoint_every=20))
    ended(parent)
    child = lab.fork(parent, 40, {"method": "equal", "learning_rate": 0.01})
    info = ended(child)
    assert (info.state, info.parent, info.forked_at, info.steps) == ("finished", parent, 40, 60)
    assert info.spec["method"] == "equal"
    store.delete(parent)
    assert [i.run for i in store.family(child)] == [child]
    assert store.checkpoints.steps(child) == [40, 60]


@pytest.mark.parametrize(
    ("step", "changes", "error"), [(30, {}, CheckpointError), (40, {"width": 3}, SpecError), (40, {"x": 1}, SpecError)]
)
def test_a_fork_that_cannot_be_leaves_nothing(lab, store, ended, step, changes, error):
    parent = lab.launch(tiny(steps=60, checkpoint_every=20))
    ended(parent)
    with pytest.raises(error):
        lab.fork(parent, step, changes)
    assert [info.run for info in store.runs()] == [parent]


def test_static_repeats_the_run_with_its_mean_weights(lab, store, ended):
    parent = lab.launch(tiny(method="gradnorm", steps=60))
    ended(parent)
    child = ended(lab.static(parent))
    mean = store.read(parent).vector("weights").mean(0)
    assert (child.parent, child.forked_at, child.spec["method"]) == (parent, 0, "static")
    assert store.read(child.run).vector("weights")[0].tolist() == pytest.approx(mean.tolist(), rel=1e-4)
    assert store.read(child.run).evaluations[0] == store.read(parent).evaluations[0]
    waiting = lab.launch(RunSpec.parse(LONG), paused=True)
    with pytest.raises(ValueError, match="should have steps"):
        lab.static(waiting)


@pytest.mark.slow
def test_a_stopped_run_goes_on_where_it_was(lab, store, going, ended):
    run = lab.launch(tiny(steps=600, checkpoint_every=50))
    going(run)
    lab.stop(run)
    stopped = ended(run)
    lab.go_on(run)
    wait_for(lambda: store.info(run).state == "finished")
    rows = store.read(run).rows
    assert 0 < stopped.steps < 600
    assert rows[:, 0].tolist() == list(range(1, 601))
    with pytest.raises(CannotGoOnError, match="Found it finished"):
        lab.go_on(run)


@pytest.mark.slow
def test_an_interrupted_race_goes_on_together(labs, store, going):
    lab = labs()
    runs = lab.race(
        [RunSpec.parse({**TINY, "steps": 500, "checkpoint_every": 20, "method": m}) for m in ("equal", "gls")]
    )
    going(runs[0])
    lab.close(30)
    assert [store.info(run).state for run in runs] == ["interrupted"] * 2
    again = labs()
    again.go_on(runs[1])
    wait_for(lambda: [store.info(run).state for run in runs] == ["finished"] * 2)
    assert [len(store.read(run).rows) for run in runs] == [500, 500]


def test_a_race_whose_first_contender_has_ended_can_be_paused_and_stepped(lab, store, ended, state):
    first, second = lab.race([tiny(steps=20), RunSpec.parse(LONG)])
    assert ended(first).state == "finished"
    lab.pause(second)
    state(second, "paused")
    steps = store.info(second).steps
    lab.step(second)
    wait_for(lambda: store.info(second).steps == steps + 1)
    state(second, "paused")
    lab.stop(second)
    assert ended(second).state == "stopped"


def test_all_that_comes_of_a_step_is_seen_before_the_pace_lets_the_next_one_come(lab, store):
    run = lab.launch(tiny(pace=0.1, eval_every=1))
    wait_for(lambda: store.read(run).evaluations[-1:] and store.read(run).evaluations[-1].step == 1)
    assert store.info(run).steps == 1
    lab.stop(run)
