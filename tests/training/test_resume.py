"""A run that goes on from a checkpoint is the run that was never interrupted; a fork branches off."""

import numpy as np
import pytest
import torch

from gradnorm.config.spec import RunSpec, methods
from gradnorm.lab.resume import mean_weights
from gradnorm.lab.run_writer import record
from gradnorm.runs.records import Checkpoint, Evaluation, Outcome, StepRecord
from gradnorm.training.checkpoint import unpack
from gradnorm.training.control import Control
from gradnorm.training.engine import train
from tests.factories import TINY, going_on

CPU = torch.device("cpu")


def tiny(**changes):
    return RunSpec.parse({**TINY, "steps": 40, "eval_every": 15, "checkpoint_every": 10, **changes})


def same_state(a, b):
    """Whether two checkpoints hold the same numbers, bit for bit."""

    def flat(value):
        if isinstance(value, dict):
            return [x for key in value for x in flat(value[key])]
        if isinstance(value, list | tuple):
            return [x for item in value for x in flat(item)]
        return [value]

    one, two = (flat(vars(unpack(c, CPU))) for c in (a, b))
    return len(one) == len(two) and all(
        torch.equal(x.nan_to_num(), y.nan_to_num()) if isinstance(x, torch.Tensor) else x == y
        for x, y in zip(one, two, strict=True)
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", list(methods()))
def test_every_method_goes_on_bit_for_bit(method):
    spec = tiny(method=method, optimizer="adam", schedule="cosine")
    whole = list(train(spec))
    at = next(i for i, item in enumerate(whole) if isinstance(item, Checkpoint) and item.step == 20)
    rest = list(train(spec, start=whole[at]))
    expected = whole[at + 1 :]
    plain = (StepRecord, Evaluation, Outcome)
    # NaN is no part of these: what is not measured is None.
    assert [r for r in rest if isinstance(r, plain)] == [r for r in expected if isinstance(r, plain)]
    ends = [[r for r in items if isinstance(r, Checkpoint)][-1] for items in (rest, expected)]
    assert same_state(*ends)


def test_a_change_on_the_way_is_in_a_checkpoint_before_it_has_effect():
    control, items = Control(), []
    for item in train(tiny(), control):
        items.append(item)
        if isinstance(item, StepRecord) and item.step == 13:
            control.retune(alpha=3.0)
    at = next(i for i, item in enumerate(items) if isinstance(item, Checkpoint) and item.step == 13)
    assert items[at + 1].alpha == 3.0
    again = [r for r in train(tiny(), start=items[at]) if isinstance(r, StepRecord)]
    assert again == [r for r in items[at:] if isinstance(r, StepRecord)]


def test_a_stop_leaves_a_checkpoint_to_go_on_from():
    control, items = Control(), []
    for item in train(tiny(), control):
        items.append(item)
        if isinstance(item, StepRecord) and item.step == 17:
            control.stop()
    assert [type(item) for item in items[-2:]] == [Checkpoint, Outcome]
    assert (items[-2].step, items[-1].kind) == (17, "stopped")


def test_no_checkpoints_where_none_are_wanted():
    assert not any(isinstance(item, Checkpoint) for item in train(tiny(checkpoint_every=0)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"alpha": 3.0},
        {"update": "adam"},
        {"method": "equal"},
        {"method": "famo"},
        {"learning_rate": 0.01},
        {"optimizer": "adam"},
        {"steps": 60},
    ],
)
def test_a_branch_starts_where_it_was_forked_and_goes_its_own_way(changes):
    spec = tiny(method="gradnorm")
    whole = list(train(spec))
    start = next(item for item in whole if isinstance(item, Checkpoint) and item.step == 20)
    flat = {**spec.flat(), **changes}
    if "method" in changes:
        flat = {k: v for k, v in flat.items() if k not in type(spec.method).model_fields}
    items = list(train(RunSpec.parse(flat), start=start, branch=True))
    first, step = items[0], items[1]
    assert (first.step, step.step, items[-1].kind) == (20, 21, "finished")
    # The network is the parent's at that step: its losses, by the parent's L_i(0), are what the parent would have had.
    parent = next(
        e for e in train(tiny(method="gradnorm", eval_every=20)) if isinstance(e, Evaluation) and e.step == 20
    )
    assert first == parent
    later = [r for r in whole if isinstance(r, StepRecord) and r.step > 20]
    assert [r for r in items if isinstance(r, StepRecord)] != later


def test_records_go_on_in_the_store_without_gap_or_repeat(store):
    spec = tiny()
    left_alone = store.create("left alone", spec.flat(), spec.dataset.task_names, queued=False)
    run = store.create("interrupted", spec.flat(), spec.dataset.task_names, queued=False)
    list(record(store, left_alone, going_on(store, left_alone, Control()), Control()))
    for until in (7, 25, 26, 33):
        recorded = record(store, run, going_on(store, run, Control()), Control())
        for item in recorded:
            if isinstance(item, StepRecord) and item.step == until:
                break
        recorded.close()
        assert store.info(run).steps == until
    list(record(store, run, going_on(store, run, Control()), Control()))
    one, two = store.read(left_alone), store.read(run)
    np.testing.assert_array_equal(one.rows, two.rows)
    assert one.evaluations == two.evaluations
    assert two.info.state == "finished"
    assert mean_weights(store, run) == pytest.approx(one.vector("weights").mean(0).tolist())


def test_a_damaged_checkpoint_is_passed_over(store, caplog):
    spec = tiny()
    run = store.create("damaged", spec.flat(), spec.dataset.task_names, queued=False)
    recorded = record(store, run, going_on(store, run, Control()), Control())
    for item in recorded:
        if isinstance(item, StepRecord) and item.step == 35:
            break
    recorded.close()
    path = store.home / "checkpoints" / run / "0000000030.ckpt"
    content = bytearray(path.read_bytes())
    content[-100] ^= 4
    path.write_bytes(content)
    items = list(record(store, run, going_on(store, run, Control()), Control()))
    assert items[0].step == 21
    assert "should have the SHA-256" in caplog.text
    expected = [r for r in train(spec) if isinstance(r, StepRecord)]
    np.testing.assert_array_equal(store.read(run).rows, np.array([r.row() for r in expected], dtype=np.float32))


def test_a_fork_that_lost_its_checkpoint_fails_with_a_sentence(store):
    spec = tiny()
    run = store.create("parent", spec.flat(), spec.dataset.task_names, queued=False)
    list(record(store, run, going_on(store, run, Control()), Control()))
    child = store.create("fork", spec.flat(), ("a", "b"), queued=False, parent=run, forked_at=20)
    store.checkpoints.delete(child)
    (outcome,) = record(store, child, going_on(store, child, Control()), Control())
    assert (outcome.kind, outcome.message) == ("failed", f"The fork of run {child} has lost its checkpoint.")
