"""The best network by its validation loss: when it is kept, when a run ends for it, and weight decay."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from gradnorm.config.spec import RunSpec
from gradnorm.runs.records import Checkpoint, Evaluation, Outcome, StepRecord
from gradnorm.training.autograd_stepper import shrink
from gradnorm.training.best import validation_loss
from gradnorm.training.checkpoint import unpack
from gradnorm.training.engine import train
from gradnorm.training.run import Run
from tests.training.test_resume import same_state

# Whole pages and runs: part of `make test`, too long for `make check`.
pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture
def noise(tmp_path, monkeypatch):
    """A table from which there is nothing to learn but by heart."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(120, 6)), columns=[*"abcdef"])
    frame.to_csv(tmp_path / "noise.csv", index=False)
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path))

    def spec(**changes):
        given = {"dataset": "table", "file": "noise.csv", "targets": "e,f", "width": 32, "depth": 2, "eval_every": 20}
        return RunSpec.parse({**given, "learning_rate": 0.01, "device": "cpu", "checkpoint_every": 20, **changes})

    return spec


def of_kind(items, kind):
    return [item for item in items if isinstance(item, kind)]


def test_a_run_that_gets_no_better_ends_with_its_best_network(noise):
    spec = noise(eval_every=10)
    items = list(train(spec))
    outcome, last, end = items[-1], of_kind(items, Evaluation)[-1], of_kind(items, Checkpoint)[-1]
    assert outcome.kind == "finished"
    assert outcome.step == last.step == end.step < spec.settled().steps
    best = unpack(end, CPU).best
    assert outcome.message == (
        f"Finished after {outcome.step:,} of 2,000 steps, which are {outcome.step * 100 / 86:.3g} epochs, "
        f"without a better validation loss. The network is the best one, of step {best['step']:,}."
    )
    # The last evaluation is that of the best step once more, and the checkpoint holds its network.
    (then,) = (e for e in of_kind(items, Evaluation) if e.step == best["step"])
    assert last.losses == pytest.approx(then.losses)
    run = Run.build(spec)
    run.model.load_state_dict(unpack(end, CPU).model)
    assert validation_loss(run.model, run.source.validation, run.source.tasks, (0, 1)) == pytest.approx(best["score"])


def test_a_single_task_is_judged_by_itself(noise):
    end = of_kind(train(noise(method="single", task=2)), Checkpoint)[-1]
    best, run = unpack(end, CPU).best, Run.build(noise())
    run.model.load_state_dict(unpack(end, CPU).model)
    losses = [validation_loss(run.model, run.source.validation, run.source.tasks, (task,)) for task in (0, 1)]
    assert losses[1] == pytest.approx(best["score"])
    assert losses[0] != pytest.approx(best["score"])


def test_it_goes_on_bit_for_bit(noise):
    spec = noise()
    whole = list(train(spec))
    at = next(i for i, item in enumerate(whole) if isinstance(item, Checkpoint) and item.step == 40)
    rest, expected = list(train(spec, start=whole[at])), whole[at + 1 :]
    plain = (StepRecord, Evaluation, Outcome)
    assert of_kind(rest, plain) == of_kind(expected, plain)
    assert same_state(of_kind(rest, Checkpoint)[-1], of_kind(expected, Checkpoint)[-1])


def test_without_patience_a_run_takes_all_its_steps_and_keeps_the_last_network(noise):
    items = list(train(noise(patience=0, steps=100)))
    assert items[-1].message == "Finished all 100 steps."
    assert unpack(of_kind(items, Checkpoint)[-1], CPU).best is None


def test_a_checkpoint_of_before_there_was_a_best_network_is_read(noise):
    whole = of_kind(train(noise(steps=20, patience=0)), Checkpoint)[-1]
    found = torch.load(io.BytesIO(whole.payload), weights_only=True)
    del found["best"]
    buffer = io.BytesIO()
    torch.save(found, buffer)
    assert unpack(Checkpoint(20, buffer.getvalue()), CPU).best is None


def test_a_length_in_epochs_is_settled_by_the_rows(noise):
    spec = noise(epochs=5000, batch_size=10)
    assert spec.dataset.examples() == 86
    assert spec.settled().steps == 43_000
    assert noise(epochs=1).settled().steps == 2000
    assert noise(steps=70).settled().steps == 70


@pytest.mark.parametrize("method", ["gradnorm", "pcgrad"])
def test_weight_decay_shrinks_the_network(noise, method):
    """Stepped as one program, and by autograd."""
    sizes = []
    for decay in (0.0, 5.0):
        items = train(noise(steps=200, patience=0, method=method, weight_decay=decay, optimizer="adam"))
        model = unpack(of_kind(items, Checkpoint)[-1], CPU).model
        sizes.append(sum(float(value.square().sum()) for value in model.values()))
    assert sizes[1] < 0.2 * sizes[0]


def test_weight_decay_is_that_of_adamw():
    random = torch.Generator().manual_seed(0)
    start = torch.randn(5, generator=random)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    plain, reference = torch.optim.Adam([ours], lr=0.01), torch.optim.AdamW([theirs], lr=0.01, weight_decay=0.3)
    for _ in range(4):
        for parameter, optimizer in ((ours, plain), (theirs, reference)):
            optimizer.zero_grad()
            parameter.pow(3).sum().backward()
        shrink([ours], 0.01 * 0.3)
        plain.step()
        reference.step()
    assert torch.allclose(ours, theirs)


def test_the_defaults_learn_what_a_small_table_teaches(tmp_path, monkeypatch):
    """Half of the variance can be told by a plane: 350 rows teach that, and the rest is not learnt by heart."""
    random = np.random.default_rng(3)
    x = random.normal(size=(440, 10))
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(10)])
    for name in ("one", "two"):
        told = x @ random.normal(size=10)
        frame[name] = 50 + told + random.normal(0, told.std(), len(x))
    frame.to_csv(tmp_path / "plane.csv", index=False)
    monkeypatch.setenv("GRADNORM_DATA", str(tmp_path))
    spec = RunSpec.parse({"dataset": "table", "file": "plane.csv", "targets": "one,two", "checkpoint_every": 0})
    last = of_kind(train(spec), Evaluation)[-1]
    assert min(metrics["r2"] for metrics in last.metrics) > 0.3
