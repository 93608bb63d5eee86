"""One run: what it yields, in which order, and that the same spec gives the same numbers."""

import math
import statistics

import pytest
import torch

from gradnorm import Control, RunSpec, train
from gradnorm.config.spec import SpecError, methods, preset
from gradnorm.runs.records import Checkpoint, Evaluation, Outcome, StepRecord
from gradnorm.training.checkpoint import unpack
from gradnorm.training.pacer import Pacer
from gradnorm.training.run import Run, learning_rate, resolve_device
from tests.factories import trained_together


def small(**changes):
    return preset("toy-2", {"steps": 20, "eval_every": 8, "width": 12, "batch_size": 8, "device": "cpu", **changes})


@pytest.mark.parametrize("method", list(methods()))
def test_a_run_yields_steps_evaluations_and_one_outcome(method):
    records = list(train(small(method=method)))
    assert [r.step for r in records if isinstance(r, StepRecord)] == list(range(1, 21))
    assert [r.step for r in records if isinstance(r, Evaluation)] == [0, 8, 16, 20]
    assert isinstance(records[0], Evaluation)
    assert [r for r in records if isinstance(r, Outcome)] == [records[-1]]
    assert records[-1].kind == "finished"
    assert records[0].task_normalized_loss == 2


def test_a_record_holds_the_relations_of_the_algorithm():
    for r in train(small(alpha=0.7)):
        if not isinstance(r, StepRecord):
            continue
        assert sum(r.weights) == pytest.approx(2, rel=1e-5)
        assert sum(r.relative_rates) == pytest.approx(2, rel=1e-5)
        powers = [rate**0.7 for rate in r.relative_rates]
        for i in range(2):
            assert r.targets[i] == pytest.approx(sum(r.gradient_norms) * powers[i] / sum(powers), rel=1e-4)
        assert r.imbalance == pytest.approx(
            sum(abs(g - t) for g, t in zip(r.gradient_norms, r.targets, strict=True)), rel=1e-3, abs=1e-4
        )
        assert r.alpha == 0.7


def test_the_same_spec_gives_the_same_records():
    assert list(train(small(seed=5))) == list(train(small(seed=5)))
    assert list(train(small(seed=5))) != list(train(small(seed=6)))


def test_methods_start_from_the_same_network_and_see_the_same_batches():
    firsts = [next(r for r in train(small(method=m)) if isinstance(r, StepRecord)) for m in methods()]
    assert len({r.losses for r in firsts}) == 1


def test_alpha_changes_at_the_next_step_and_is_recorded():
    control = Control()
    seen = []
    for r in train(small(alpha=0.1), control):
        if isinstance(r, StepRecord):
            seen.append(r.alpha)
            if r.step == 5:
                control.retune(alpha=2.0)
    assert seen == [0.1] * 5 + [2.0] * 15


def test_stop_ends_at_the_next_boundary():
    control = Control()
    records = []
    for r in train(small(), control):
        records.append(r)
        if isinstance(r, StepRecord) and r.step == 7:
            control.stop()
    assert records[-1] == Outcome("stopped", 7, "Stopped by hand after 7 steps.")


def test_divergence_is_an_outcome_that_names_task_step_and_remedy():
    *_, last = train(small(learning_rate=10.0, steps=200))
    assert last.kind == "diverged"
    assert last.task in ("task 1", "task 2")
    assert not math.isfinite(last.value)
    assert f"step {last.step:,}" in last.message
    assert "learning rate" in last.message


def test_norms_are_measured_only_where_somebody_looks():
    quiet = [r for r in train(small(method="equal", watch_norms=False)) if isinstance(r, StepRecord)]
    assert quiet[0].gradient_norms is None
    watched = [r for r in train(small(method="equal")) if isinstance(r, StepRecord)]
    assert watched[0].gradient_norms is not None
    assert watched[0].targets is None
    # Watching changes nothing but the order of a sum.
    for one, other in zip(quiet, watched, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-3)


def test_equal_weights_are_a_plain_training_loop():
    spec = small(method="equal", steps=6)
    items = list(train(spec))
    records = [r for r in items if isinstance(r, StepRecord)]
    plain = Run.build(spec)
    optimizer = torch.optim.SGD(plain.model.parameters(), lr=spec.learning_rate, momentum=0.9)
    for step, record in enumerate(records, 1):
        batch = plain.source.batch(step, 8)
        optimizer.zero_grad()
        losses = [(y - t).square().mean() for y, t in zip(plain.model(batch.inputs), batch.targets, strict=True)]
        sum(losses).backward()
        optimizer.step()
        assert record.losses == pytest.approx([loss.item() for loss in losses], rel=1e-5)
    last = unpack(next(r for r in items if isinstance(r, Checkpoint)), torch.device("cpu"))
    for name, p in plain.model.named_parameters():
        torch.testing.assert_close(last.model[name], p.detach(), rtol=1e-4, atol=1e-5)


def test_step_schedule():
    spec = small(schedule="steps", learning_rate=0.1, rate_decay=0.5, rate_decay_every=3, steps=10)
    assert [learning_rate(spec, step) for step in range(1, 8)] == pytest.approx([0.1] * 3 + [0.05] * 3 + [0.025])


def test_cosine_schedule():
    spec = small(schedule="cosine", learning_rate=0.1, steps=10)
    assert learning_rate(spec, 1) == pytest.approx(0.1)
    assert learning_rate(spec, 6) == pytest.approx(0.05)
    assert learning_rate(spec, 10) == pytest.approx(0.1 * 0.5 * (1 - math.cos(math.pi / 10)))
    assert learning_rate(small(learning_rate=0.2), 19) == 0.2


def test_pacer_keeps_the_pace_and_forgets_pauses(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("gradnorm.training.pacer.time.monotonic", lambda: clock[0])

    def sleep(seconds):
        clock[0] += seconds

    monkeypatch.setattr("gradnorm.training.pacer.time.sleep", sleep)
    pacer = Pacer(10)
    start = clock[0]
    for _ in range(50):
        pacer.wait()
    assert clock[0] - start == pytest.approx(4.9)
    clock[0] += 1000
    start = clock[0]
    for _ in range(50):
        pacer.wait()
    # Of the pause a second, ten intervals, is caught up and no more.
    assert clock[0] - start == pytest.approx(3.9)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(SpecError, match=r"cuda.*--device cpu"):
        resolve_device("cuda")
    assert resolve_device("auto").type == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_cpu_s_numbers():
    cpu = [r for r in train(small(device="cpu", steps=5)) if isinstance(r, StepRecord)]
    gpu = [r for r in train(small(device="cuda", steps=5)) if isinstance(r, StepRecord)]
    for a, b in zip(cpu, gpu, strict=True):
        assert a.losses == pytest.approx(b.losses, rel=1e-3)
        assert a.weights == pytest.approx(b.weights, rel=1e-3)


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param((1,), marks=pytest.mark.slow, id="one seed"),
        pytest.param((1, 2, 3), marks=pytest.mark.long, id="three seeds"),
    ],
)
def test_gradnorm_beats_equal_and_uncertainty_weighting_on_toy_2(seeds):
    """On each seed, each method at its own best rate; over the run the loss is less than half of equal weights'.

    Measured: 0.91 to 0.95 times the final loss of equal weights, and 0.36 to 0.38 times their mean over the run.
    """
    rates = {"gradnorm": 3e-3, "equal": 3e-4, "uncertainty": 3e-3}
    kinds = [(seed, method) for seed in seeds for method in rates]
    fixed = {"watch_norms": False, "checkpoint_every": 0}
    specs = [preset("toy-2", {**fixed, "method": m, "seed": seed, "learning_rate": rates[m]}) for seed, m in kinds]
    lasts, means = {}, {}
    for kind, records in zip(kinds, trained_together(specs), strict=True):
        _, *losses = [record.task_normalized_loss for record in records if isinstance(record, Evaluation)]
        lasts[kind], means[kind] = losses[-1], statistics.fmean(losses)
    for seed in seeds:
        assert lasts[seed, "gradnorm"] < 0.98 * lasts[seed, "equal"]
        assert lasts[seed, "gradnorm"] < 0.90 * lasts[seed, "uncertainty"]
        assert means[seed, "gradnorm"] < 0.5 * means[seed, "equal"]


def test_specs_are_needed_whole():
    with pytest.raises(SpecError):
        RunSpec.parse({"dataset": "toy", "stepz": 3})
