"""Runs stepped as one program leave the records that each leaves alone; each is steered and ends on its own."""

import math
import os
import subprocess
import sys
import threading
import time

import pytest

from gradnorm.config.spec import RunSpec, SpecError, methods
from gradnorm.lab.run_writer import record_group
from gradnorm.methods.base import Needs
from gradnorm.runs.records import Checkpoint, Evaluation, Event, Outcome, StepRecord
from gradnorm.training.autograd_stepper import AutogradStepper
from gradnorm.training.batched.group import Group, fits, partition
from gradnorm.training.control import Control
from gradnorm.training.engine import Entry, train, train_group
from gradnorm.training.run import Run
from gradnorm.training.together import iterators, train_together
from tests.factories import TINY

BASE = {**TINY, "tasks": 3, "sigmas": (1.0, 2.0, 4.0), "width": 12, "depth": 3, "steps": 30, "eval_every": 10}
TOGETHER = [name for name, method in methods().items() if method.needs is not Needs.GRAMIAN]


def spec(**changes):
    return RunSpec.parse({**BASE, "learning_rate": 0.01, **changes})


# Of GradNorm, in mixed company: heads of their own beside weighted ones, numbers that differ from run to run.
OPTIONS = [
    spec(update="closed", heads="own"),
    spec(update="closed", half_life=5.0, heads="own"),
    spec(update="closed", heads="weighted", every=3),
    spec(update="log", heads="own", priorities="1,2,4", weight_learning_rate=0.1),
    spec(update="log", heads="weighted", least=0.7, most=1.2, weight_learning_rate=0.1),
    spec(update="log", heads="weighted", least=0.9, weight_learning_rate=0.1),
    spec(update="closed", heads="own", least=0.5, most=1.5, every=10),
    spec(method="uncertainty", heads="own"),
]


def pulled(specs, controls=None, each=None):
    """Return every run's records, pulled in turn as the recorder does."""
    iterators = train_together(specs, controls)
    found = [[] for _ in specs]
    going = set(range(len(specs)))
    while going:
        for i in sorted(going):
            item = next(iterators[i], None)
            if item is None:
                going.discard(i)
                continue
            found[i].append(item)
            if each is not None:
                each(i, item)
    return found


def same(one, other, rel=2e-3):
    """Compare two runs' records: the same kinds and steps, and numbers within what single precision drifts apart."""
    assert [(type(a), a.step) for a in one] == [(type(b), b.step) for b in other]
    for a, b in zip(one, other, strict=True):
        if isinstance(a, StepRecord):
            assert a.alpha == b.alpha
            for name in ("losses", "weights", "loss_ratios", "relative_rates", "gradient_norms", "targets"):
                assert (getattr(a, name) is None) == (getattr(b, name) is None)
                if getattr(a, name) is not None:
                    assert getattr(a, name) == pytest.approx(getattr(b, name), rel=rel, nan_ok=True)
        elif isinstance(a, Evaluation):
            assert a.losses == pytest.approx(b.losses, rel=rel)
            assert a.constant_losses == b.constant_losses
        elif isinstance(a, Outcome):
            assert a == b


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_each_leaves_the_records_it_leaves_alone(optimizer):
    specs = [spec(method=name, optimizer=optimizer) for name in TOGETHER]
    specs += [
        spec(optimizer=optimizer, alpha=0.1),
        spec(optimizer=optimizer, alpha=3.0, weight_learning_rate=0.1, seed=1),
        spec(optimizer=optimizer, update="adam", learning_rate=0.003),
        spec(optimizer=optimizer, hold="2", schedule="cosine", initialization="uniform"),
        spec(optimizer=optimizer, method="dwa", period=3, temperature=1.0),
        spec(optimizer=optimizer, method="dwa", period=3, temperature=5.0),
        spec(optimizer=optimizer, method="static", weights="1,2,3", seed=2),
        spec(optimizer=optimizer, method="single", task=2),
        *OPTIONS,
    ]
    specs = [RunSpec.parse({**s.flat(), "optimizer": optimizer}) for s in specs]
    assert partition([Run.build(s) for s in specs]) == [list(range(len(specs)))]
    for one, alone in zip(pulled(specs), specs, strict=True):
        same(one, list(train(alone)))


@pytest.mark.slow
def test_the_general_way_leaves_the_same_records():
    """The program against autograd: the same run, stepped by `AutogradStepper`."""
    for name in TOGETHER:
        run = AutogradStepper(Run.build(spec(method=name)))
        general = [run.step()[0] for _ in range(30)]
        same([r for r in train(spec(method=name)) if isinstance(r, StepRecord)], general)


@pytest.mark.slow
@pytest.mark.parametrize("watched", [True, False])
def test_the_options_leave_the_records_that_autograd_leaves(watched):
    specs = [RunSpec.parse({**s.flat(), "watch_norms": watched}) for s in OPTIONS]
    for one in specs:
        run = AutogradStepper(Run.build(one))
        same(steps_of(train(one)), [run.step()[0] for _ in range(30)])


def test_own_heads_in_mixed_company_are_as_alone():
    specs = [spec(heads="own"), spec(heads="weighted"), spec(heads="own", update="closed")]
    for records, alone in zip(pulled(specs), specs, strict=True):
        same(records, list(train(alone)))
    own, weighted = (steps_of(records) for records in pulled(specs[:2]))
    assert own[-1].losses != pytest.approx(weighted[-1].losses, rel=1e-6)


def test_priorities_and_half_life_are_retuned_live_in_a_group():
    specs = [spec(alpha=1.5, half_life=50.0, checkpoint_every=0) for _ in range(2)]
    controls = [Control(), Control()]

    def move(i, item):
        if i == 1 and isinstance(item, StepRecord) and item.step == 10:
            controls[0].retune(priorities=[1, 2, 4], half_life=3.0)

    moved, left = pulled(specs, controls, move)
    same(left, list(train(specs[1])))
    control, alone = Control(), []
    for item in train(specs[0], control):
        alone.append(item)
        if isinstance(item, StepRecord) and item.step == 10:
            control.retune(priorities=[1, 2, 4], half_life=3.0)
    same(moved, alone)
    # α = 1.5 leaves the rates' part; the priorities' is a factor of 4 between the first task and the last.
    before, after = (steps_of(records)[-1].weights for records in (left, moved))
    assert after[2] / after[0] > 2 * before[2] / before[0]


@pytest.mark.parametrize("name", ["digits", "diamonds"])
def test_classes_and_numbers_together(name):
    base = {"dataset": name, "steps": 12, "batch_size": 16, "width": 10, "depth": 2, "device": "cpu"}
    base |= {"eval_every": 50, "checkpoint_every": 0, "output_scale": name == "diamonds"}
    specs = [RunSpec.parse({**base, "alpha": alpha}) for alpha in (0.0, 2.0)]
    for records, alone in zip(pulled(specs), specs, strict=True):
        run = AutogradStepper(Run.build(alone))
        general = [run.step()[0] for _ in range(12)]
        same([r for r in records if isinstance(r, StepRecord)], general, rel=1e-2)


def test_alpha_of_one_leaves_the_others_alone():
    controls = [Control(), Control()]

    def move(i, item):
        if i == 1 and isinstance(item, StepRecord) and item.step == 5:
            controls[0].retune(alpha=3.0)

    specs = [spec(alpha=0.5, checkpoint_every=0), spec(alpha=1.0, checkpoint_every=0)]
    moved, left = pulled(specs, controls, move)
    assert [r.alpha for r in moved if isinstance(r, StepRecord)] == [0.5] * 5 + [3.0] * 25
    same(left, list(train(specs[1])))
    control, alone = Control(), []
    for item in train(specs[0], control):
        alone.append(item)
        if isinstance(item, StepRecord) and item.step == 5:
            control.retune(alpha=3.0)
    same(moved, alone)


def test_one_is_stopped_and_the_others_go_on():
    controls = [Control(), Control(), Control()]

    def stop(i, item):
        if i == 2 and isinstance(item, StepRecord) and item.step == 7:
            controls[1].stop()

    specs = [spec(alpha=alpha) for alpha in (0.0, 0.5, 1.0)]
    first, second, third = pulled(specs, controls, stop)
    assert second[-1] == Outcome("stopped", 7, "Stopped by hand after 7 steps.")
    assert isinstance(second[-2], Checkpoint)
    for records, alone in ((first, specs[0]), (third, specs[2])):
        same(records, list(train(alone)))
    # What was stopped goes on by itself.
    rest = list(train(specs[1], start=second[-2]))
    same([r for r in second + rest if isinstance(r, StepRecord)], steps_of(train(specs[1])))


def steps_of(records):
    return [r for r in records if isinstance(r, StepRecord)]


def test_one_diverges_and_the_others_do_not_notice():
    loud = {"sigmas": (100.0, 200.0, 400.0), "learning_rate": 1e-6}
    specs = [spec(**loud, seed=3), spec(**{**loud, "learning_rate": 10.0}), spec(**loud, alpha=0.1)]
    good, bad, other = pulled(specs)
    assert bad[-1].kind == "diverged"
    assert not math.isfinite(bad[-1].value)
    assert steps_of(bad)[-1].step == bad[-1].step - 1
    same(good, list(train(specs[0])))
    same(other, list(train(specs[2])))


def test_one_that_nobody_pulls_any_more_is_left_behind():
    specs = [spec(alpha=0.0), spec(alpha=1.0)]
    first, second = train_together(specs)
    for _ in range(4):
        next(first), next(second)
    second.close()
    rest = list(first)
    assert rest[-1].kind == "finished"
    assert list(second) == []


def test_one_that_cannot_be_built_fails_alone():
    def broken():
        raise SpecError("no such thing")

    first, second = iterators([lambda: Entry(spec()), broken])
    with pytest.raises(SpecError, match="no such thing"):
        next(second)
    same(list(first), list(train(spec())))


@pytest.mark.slow
def test_runs_that_have_too_little_in_common_go_by_themselves():
    told = []
    specs = [spec(), spec(alpha=0.1), spec(width=11), spec(method="mgda"), spec(batch_size=5), spec(optimizer="adam")]
    entries = [lambda s=s: Entry(s, on_device=told.append) for s in specs]
    assert partition([Run.build(s) for s in specs]) == [[0, 1], [2], [3], [4], [5]]
    for records, alone in zip([list(r) for r in iterators(entries)], specs, strict=True):
        same(records, list(train(alone)))
    assert told.count("cpu, 2 runs as one program") == 2
    assert told.count("cpu") == 4


def test_large_networks_go_by_themselves():
    wide = {"width": 1024, "depth": 2, "steps": 1}
    runs = [Run.build(spec(alpha=alpha, **wide)) for alpha in (0.0, 1.0)]
    assert all(fits(run) for run in runs)
    assert partition(runs) == [[0], [1]]


def test_a_group_goes_on_from_its_checkpoints():
    specs = [spec(alpha=alpha, seed=seed, checkpoint_every=10) for alpha, seed in ((0.2, 0), (1.5, 1))]
    whole = pulled(specs)
    starts = [next(r for r in records if isinstance(r, Checkpoint) and r.step == 20) for records in whole]
    entries = [lambda s=s, c=c: Entry(s, start=c) for s, c in zip(specs, starts, strict=True)]
    for rest, records in zip(iterators(entries), whole, strict=True):
        after = [r for r in records if isinstance(r, StepRecord) and r.step > 20]
        assert [r for r in rest if isinstance(r, StepRecord)] == after


def test_a_checkpoint_holds_one_run_alone():
    alone = [r for r in train(spec()) if isinstance(r, Checkpoint)]
    together = [r for r in pulled([spec(seed=seed) for seed in range(6)])[0] if isinstance(r, Checkpoint)]
    assert len(together[-1].payload) == pytest.approx(len(alone[-1].payload), rel=0.05)
    parameters = sum(p.numel() for p in Run.build(spec()).model.parameters())
    assert len(alone[-1].payload) < 3 * 4 * parameters + 20_000


@pytest.mark.slow
def test_a_run_s_first_step_does_not_wait_for_torch_s_compiler():
    code = (
        "import sys, itertools; from gradnorm import RunSpec, train; from gradnorm.config.spec import preset;"
        "list(itertools.islice(train(preset('toy-2')), 3)); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_asked_for_counts_from_the_next_step_however_often_it_was_asked(store):
    """A slider that moves one contender's α at every step leaves all of them in step, and is obeyed at once."""
    specs = [spec(alpha=0.5, steps=20), spec(alpha=1.0, steps=20)]
    runs = store.create_race([(s.title, s.flat()) for s in specs], ("a", "b", "c"), queued=False)
    controls = [Control(), Control()]
    found = {run: [] for run in runs}
    entries = [lambda s=s, c=c: Entry(s, c) for s, c in zip(specs, controls, strict=True)]
    for run, item in record_group(store, runs, train_group(entries), controls):
        if isinstance(item, StepRecord):
            found[run].append(item)
            if run == runs[1]:
                assert [len(records) for records in found.values()] == [item.step] * 2
                controls[0].retune(alpha=item.step / 10)
    assert [r.alpha for r in found[runs[0]]] == [0.5, *(step / 10 for step in range(1, 20))]


def test_a_change_that_cannot_be_ends_its_run_alone():
    controls = [Control() for _ in range(3)]
    three = train_together([spec(alpha=a) for a in (0.1, 0.2, 0.3)], controls)
    for records in three:
        assert [next(records).step for _ in range(2)] == [0, 1]
    controls[1].retune(alpha=99)
    controls[2].retune(alpha=3.0)
    assert next(three[0]).alpha == 0.1
    with pytest.raises(ValueError, match=r"alpha should be in \[0, 5\]"):
        next(three[1])
    assert [type(next(three[2])) for _ in range(2)] == [Event, Checkpoint]
    assert next(three[2]).alpha == 3.0
    assert [list(records)[-1].kind for records in (three[0], three[2])] == ["finished"] * 2


def test_a_contender_whose_store_is_gone_fails_alone():
    def gone(device):
        raise OSError("disk full")

    entries = [lambda: Entry(spec(), on_device=gone), lambda: Entry(spec(alpha=0.3)), lambda: Entry(spec(width=11))]
    first, *others = iterators(entries)
    assert next(first).step == 0
    with pytest.raises(OSError, match="disk full"):
        list(first)
    for records, alone in zip(others, (spec(alpha=0.3), spec(width=11)), strict=True):
        same(list(records), list(train(alone)))


def test_a_team_that_fails_leaves_no_gap_in_the_others(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    step = Group.step

    def failing(self):
        if self.runs[0].spec.seed == 1 and self.runs[0].taken == 5:
            raise OSError("disk gone")
        return step(self)

    monkeypatch.setattr(Group, "step", failing)
    first, second = train_together([spec(seed=0), spec(seed=1)])
    assert len([next(second) for _ in range(6)]) == 6
    with pytest.raises(OSError, match="disk gone"):
        next(second)
    assert [r.step for r in first if isinstance(r, StepRecord)] == list(range(1, 31))


def test_one_that_is_closed_before_it_began_is_never_stepped():
    before = threading.active_count()
    first, second = train_together([spec(), spec(seed=1)])
    second.close()
    same(list(first), list(train(spec())))
    assert list(second) == []
    del first, second
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_a_run_left_out_in_the_middle_of_a_round_leaves_the_others_going():
    left, kept = set(), []
    entries = [lambda w=w: Entry(spec(width=w, steps=6)) for w in (10, 11)]
    for index, item in train_group(entries, left):
        kept += [item] if index == 0 else []
        if index == 0 and isinstance(item, StepRecord) and item.step == 3:
            left.add(1)
    assert kept[-1].kind == "finished"
