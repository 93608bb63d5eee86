"""Studies on a real Lab, with real training in real threads."""

from __future__ import annotations

from collections import defaultdict

import pytest

from gradnorm.config.spec import SpecError
from gradnorm.lab.lab import Lab
from gradnorm.lab.study_keeper import TEAM, StudyKeeper, progress, results_of, teams
from gradnorm.runs.records import Outcome
from gradnorm.runs.store import RunStore
from gradnorm.runs.studies import UnknownStudyError
from gradnorm.studies.alpha import AlphaStudy
from gradnorm.studies.grid import FixedStudy, GridStudy
from tests.factories import TINY, start_python, wait_for

# Whole runs and processes: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

LONG = {**TINY, "steps": 1_000_000, "eval_every": 1_000_000, "checkpoint_every": 50}


@pytest.fixture
def labs(store):
    made = []

    def make():
        made.append(Lab(store, 1))
        return made[-1]

    yield make
    for lab in made:
        lab.close(30)


@pytest.fixture
def keeper(labs):
    return StudyKeeper(labs())


@pytest.fixture
def run_to(store):
    """Tends a study until it is in some state; gives its members."""

    def go(keeper, study, state="finished"):
        def there():
            keeper.tend(study)
            return store.studies.info(study).state == state

        wait_for(there, 120)
        return store.studies.members(study)

    return go


def check_whole(store, study, members):
    """The members are exactly those that the study wants, each trained to its end with each step recorded once."""
    results = results_of(members)
    wanted = {member.key: member.spec for member in study.wanted(results)}
    assert {member.key for member in members} == set(wanted) == set(results)
    assert len({member.run for member in members}) == len(members) == len(store.runs())
    for member in members:
        steps = wanted[member.key].steps
        assert store.read(member.run).scalar("step").tolist() == list(range(1, steps + 1))
        assert results[member.key].outcome == "finished"
        assert results[member.key].step == steps


STUDIES = {
    "alpha": AlphaStudy.parse(TINY, {"alphas": "0,1,2,3", "seeds": "1,2"}),
    "adaptive": AlphaStudy.parse(TINY, {"alphas": "0,1,2,3", "seeds": "1", "adaptive": True}),
    "grid": GridStudy.parse(TINY, {"count": 40, "seeds": "1,2"}),
    "fixed": FixedStudy.parse(TINY, {"around": 2, "seeds": "1"}),
}


def test_a_study_on_another_engine_is_left_to_whoever_has_that(keeper, store):
    study = keeper.launch(STUDIES["grid"])
    members = len(store.studies.members(study))
    store.studies.set_engine(study, "ray")
    for run in store.studies.members(study):
        store.withdraw(run.run)
    keeper.tend(study)
    keeper.tend_all()
    assert len(store.studies.members(study)) == members
    assert store.studies.info(study).state == "running"
    keeper.stop(study)
    assert store.studies.info(study).state == "stopped"


@pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)
def test_a_study_runs_to_its_end(study, keeper, store, run_to):
    made = keeper.launch(study)
    members = run_to(keeper, made)
    check_whole(store, study, members)
    now = progress(store, store.studies.info(made))
    assert (now.ended, now.count) == (study.size, study.size)
    assert now.steps == now.total == study.steps
    assert now.best == min(((k, r.loss) for k, r in results_of(members).items()), key=lambda entry: entry[1])
    report = study.report(results_of(members))
    if study.kind == "grid":
        assert len(report["points"]) == 40
        assert report["methods"]["GradNorm"]["change"] == {"median": 0.0, "least": 0.0, "most": 0.0, "runs": 2}
    # What it says outlives its runs.
    for member in members:
        store.delete(member.run)
    assert study.report(results_of(store.studies.members(made))) == report
    keeper.tend(made)
    assert store.runs() == []


def test_a_study_is_paused_with_what_waits_and_goes_on(keeper, store, run_to):
    study = GridStudy.parse({**TINY, "steps": 400}, {"count": 38, "seeds": "1"})
    made = keeper.launch(study)
    wait_for(lambda: keeper.tend(made) or store.studies.steps(made) > 100)
    wait_for(lambda: keeper.tend(made) or {"running", "queued"} <= {m.state for m in store.studies.members(made)})
    keeper.pause(made)

    def still():
        keeper.tend(made)
        return {member.state for member in store.studies.members(made)} <= {"paused", "stopped"}

    wait_for(still)
    before = store.studies.steps(made), len(store.runs())
    keeper.tend_all()
    assert (store.studies.steps(made), len(store.runs())) == before
    assert store.studies.info(made).state == "paused"
    keeper.resume(made)
    check_whole(store, study, run_to(keeper, made))


def test_a_study_is_stopped_and_resumed_by_another_lab(labs, keeper, store, run_to):
    study = AlphaStudy.parse({**TINY, "steps": 1000, "checkpoint_every": 20}, {"alphas": "0,1", "seeds": "1"})
    made = keeper.launch(study)
    wait_for(lambda: store.studies.steps(made) > 100)
    keeper.stop(made)
    wait_for(lambda: keeper.tend(made) or {m.state for m in store.studies.members(made)} == {"stopped"})
    keeper.tend(made)
    assert results_of(store.studies.members(made)) == {}
    runs = {info.run for info in store.runs()}
    other = StudyKeeper(labs())
    other.resume(made)
    check_whole(store, study, run_to(other, made))
    assert {info.run for info in store.runs()} == runs


def test_a_member_that_is_stopped_by_hand_stops_the_study_when_nothing_else_goes_on(keeper, store, run_to):
    study = AlphaStudy.parse({**TINY, "steps": 500}, {"alphas": "0", "seeds": "1"})
    made = keeper.launch(study)
    wait_for(lambda: store.studies.steps(made) > 10)
    keeper._lab.stop(store.studies.members(made)[0].run)
    run_to(keeper, made, "stopped")
    keeper.resume(made)
    check_whole(store, study, run_to(keeper, made))


def test_a_run_that_failed_counts_as_lost_and_resume_tries_it_again(keeper, store, run_to):
    study = AlphaStudy.parse(TINY, {"alphas": "0", "seeds": "1"})
    made = store.studies.create("alpha", "by hand", study.model_dump(mode="json"))
    entries = [(member.key, member.spec.title, member.spec.flat()) for member in study.wanted({})]
    runs = store.studies.add_team(made, entries, ["a", "b"])
    for info in store.claim():
        store.end(info.run, Outcome("failed", 0, "The disk was on fire."))
    members = run_to(keeper, made)
    assert [result.outcome for result in results_of(members).values()] == ["failed", "failed"]
    assert study.report(results_of(members))["suggested"] is None
    keeper.resume(made)
    members = run_to(keeper, made)
    check_whole(store, study, members)
    assert [member.run for member in members] == runs


def test_a_deleted_run_is_made_anew_while_the_study_lacks_what_it_came_to(keeper, store, run_to):
    study = AlphaStudy.parse(TINY, {"alphas": "0", "seeds": "1"})
    made = store.studies.create("alpha", "by hand", study.model_dump(mode="json"))
    (first, *_) = study.wanted({})
    (run,) = store.studies.add_team(made, [(first.key, "", first.spec.flat())], ["a", "b"])
    store.withdraw(run)
    store.delete(run)
    check_whole(store, study, run_to(keeper, made))


def test_a_study_that_diverges_ends(keeper, store, run_to):
    study = GridStudy.parse({**TINY, "learning_rate": 10, "sigmas": (1, 1e6)}, {"count": 2, "seeds": "1"})
    made = keeper.launch(study)
    results = results_of(run_to(keeper, made))
    assert {result.outcome for result in results.values()} == {"diverged"}
    assert study.report(results)["diverged"] == 2


def test_a_study_that_cannot_go_on_holds_up_no_other(keeper, store, run_to):
    broken = store.studies.create("of the future", "broken", {})
    made = keeper.launch(STUDIES["fixed"])
    wait_for(lambda: keeper.tend_all() or store.studies.info(made).state == "finished", 120)
    assert store.studies.info(broken).state == "stopped"


def test_code_of_a_user_is_refused(keeper, store, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("raise SystemExit('executed')")
    study = AlphaStudy.parse({"dataset": "problem", "file": str(file), "term_names": "a,b"}, {"seeds": "1"})
    with pytest.raises(SpecError, match="any server of the home may train"):
        keeper.launch(study)
    assert store.studies.all() == []


def test_an_unknown_study_is_said(keeper):
    with pytest.raises(UnknownStudyError, match="Found 'nix'"):
        keeper.resume("nix")


def test_teams_are_alike_and_of_equal_size():
    members = STUDIES["grid"].wanted({}) + STUDIES["adaptive"].wanted({})
    found = teams(members)
    assert [member for team in found for member in team] == sorted(members, key=lambda m: -m.spec.steps)
    sizes = defaultdict[int, list[int]](list)
    for team in found:
        (steps,) = {member.spec.steps for member in team}
        sizes[steps].append(len(team))
    assert len(sizes) == 2
    assert any(len(each) > 1 for each in sizes.values())
    for each in sizes.values():
        assert max(each) <= TEAM
        assert max(each) - min(each) <= 1


# Two of these at once on one home: each keeps the study that the first argument names.
TENDER = """
import sys, time
from gradnorm.lab.lab import Lab
from gradnorm.lab.study_keeper import StudyKeeper
from gradnorm.runs.store import RunStore
store = RunStore()
lab = Lab(store, 1)
keeper = StudyKeeper(lab)
print("here", flush=True)
sys.stdin.readline()
while store.studies.info(sys.argv[1]).state == "running":
    keeper.tend(sys.argv[1])
    time.sleep(0.001)
lab.close(30)
"""


def test_two_processes_that_keep_one_study_run_nothing_twice(store, home):
    study = GridStudy.parse(TINY, {"count": 50, "seeds": "1,2"})
    made = store.studies.create("grid", "both", study.model_dump(mode="json"))
    both = [start_python(home, "-c", TENDER, made) for _ in range(2)]
    for process in both:
        assert process.stdout.readline() == "here\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    check_whole(RunStore(home), study, store.studies.members(made))
