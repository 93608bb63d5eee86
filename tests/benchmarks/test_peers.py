"""The competitors do the same work, and what is said of them has the form that is promised."""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks import competitors, peers
from benchmarks.competitors import OURS, PEERS, Naive, network, packages, toy
from gradnorm import GradNorm
from gradnorm.metrics import task_losses

SIGMAS = (1.0, 10.0, 100.0)


def batches(spec, count):
    source = spec.dataset.load(spec.seed)
    return [source.batch(t, spec.batch_size) for t in range(1, count + 1)]


def installed(name):
    package, _ = PEERS.get(name, (None, None))
    return package is None or packages()[package] is not None


def detached(losses):
    return [loss.detach() if isinstance(loss, torch.Tensor) else loss for loss in losses]


@pytest.fixture
def moving(monkeypatch):
    """Steps that are large enough to tell."""

    def spec():
        return toy(len(SIGMAS), SIGMAS).model_copy(update={"learning_rate": 1e-4})

    return spec


def test_the_naive_step_has_the_library_s_gradients_and_weights(moving):
    spec = moving()
    model, source = network(spec)
    optimizer = torch.optim.SGD(model.parameters(), lr=spec.learning_rate, momentum=0.9)
    balancer = GradNorm(len(SIGMAS), alpha=0.12, update="adam", heads="weighted")
    naive = Naive(spec)
    for batch in batches(spec, 4):
        optimizer.zero_grad()
        losses = task_losses(model(batch.inputs), batch.targets, source.tasks)
        balancer.backward(losses, shared=model.last_shared_layer)
        theirs = naive(batch)
        torch.testing.assert_close(torch.stack(losses), torch.stack(list(theirs)), rtol=1e-4, atol=1e-5)
        for ours, other in zip(model.parameters(), naive.model.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, other.grad, rtol=1e-3, atol=1e-4)
        optimizer.step()
        torch.testing.assert_close(balancer.weights, naive.w.detach(), rtol=1e-4, atol=1e-5)
    assert naive.w.detach().sub(1).abs().max() > 0.01


@pytest.mark.parametrize("name", [*OURS, *PEERS])
def test_each_competitor_trains_the_same_network(name, moving):
    if not installed(name):
        pytest.skip(f"{PEERS[name][0]} is not installed: {competitors.INSTALL}")
    spec = moving()
    step = OURS[name](spec) if name in OURS else PEERS[name][1](spec)
    reference = Naive(spec)
    given = batches(spec, 3)
    losses = [torch.tensor([float(loss) for loss in detached(step(batch))]) for batch in given * 10]
    first, last = losses[0], losses[-3]  # of the same batch
    torch.testing.assert_close(first, torch.stack(detached(reference(given[0]))), rtol=1e-4, atol=1e-5)
    assert torch.stack(losses).isfinite().all()
    assert last[-1] < first[-1], "The network should have learnt something of the largest task."


def test_the_result_says_who_is_fastest_and_who_is_missing(monkeypatch):
    monkeypatch.setattr(peers, "sizes", lambda: {"toy-2": (1.0, 100.0)})
    monkeypatch.setattr(peers, "TURN_SECONDS", 0.001)
    monkeypatch.setattr(peers, "packages", lambda: dict.fromkeys(packages()))
    before = torch.get_num_threads()
    found = peers.run(rounds=2, batches=2)
    assert found["benchmark"] == "peers"
    assert found["packages"] == {}
    assert found["missing"] == dict.fromkeys(["gradnorm-pytorch", "LibMTL"], competitors.INSTALL)
    result = found["results"]["toy-2"]
    assert result["fastest_peer"].startswith("naive double backward")
    naive = {"naive double backward", "naive double backward, losses in one vector"}
    assert set(result["milliseconds"]) == {"engine", "library", *naive}
    assert set(result["ratios"]) == naive
    assert result["ratio"] == result["ratios"][result["fastest_peer"]]
    assert result["milliseconds"][result["fastest_peer"]] == min(result["milliseconds"][name] for name in naive)
    assert torch.get_num_threads() == before


def test_a_competitor_that_diverges_is_no_competitor():
    with pytest.raises(RuntimeError, match="losses of 'one' should be finite"):
        peers._warmed("one", lambda batch: [math.nan], [None])  # pyright: ignore


def test_the_sizes_are_the_presets_and_forty_tasks():
    assert [len(sigmas) for sigmas in peers.sizes().values()] == [2, 10, 40]
