"""What is timed is what is said, and the figures made of it are the medians they claim to be."""

import json
import os

import pytest
import torch

from benchmarks import batched, overhead, rooms, rounds, throughput
from gradnorm.config.spec import preset


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(rounds, "BLOCK_SECONDS", 0.002)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_each_thing_takes_its_turn_in_each_round():
    log = []
    found = rounds.timed({"a": lambda: log.append("a"), "b": lambda: log.append("b")}, rounds=3)
    assert [len(found[name]) for name in "ab"] == [3, 3]
    turns = [name for i, name in enumerate(log) if i == 0 or log[i - 1] != name]
    assert turns[-6:] == ["a", "b"] * 3


def test_figures_by_hand():
    times = {"slow": [2.0, 9.0, 4.0], "fast": [1.0, 3.0, 4.0]}
    assert rounds.ratio(times, "slow", "fast") == 2.0
    assert rounds.medians(times) == {"slow": 4000.0, "fast": 3000.0}
    assert rounds.fastest(times, ["slow", "fast"]) == "fast"


def test_the_steps_that_are_compared_train_on_the_same_batches():
    steps = overhead.steps(2)
    assert [name for name in steps if name.startswith("plain")]
    for step in steps.values():
        step()
    (result,) = steps["gradnorm"]()
    (equal,) = steps["equal weights, as one program"]()
    assert result.step == equal.step == 2
    assert result.gradient_norms is not None
    assert equal.gradient_norms is None
    assert result.losses == pytest.approx(equal.losses, rel=0.2)


def test_the_toys_have_their_tasks():
    assert [len(overhead.toy(t).dataset.task_names) for t in overhead.TOYS.values()] == [2, 10, 40]


def test_the_products_of_a_step_are_counted():
    products, operations = throughput.step_products(preset("toy-2"))
    # 100 examples; forward and gradient of each layer, the way down past two layers and W, and two tasks at W.
    forward = 100 * (250 * 100 + 3 * 100 * 100 + 100 * 200)
    gradients = 100 * (250 * 100 + 2 * 100 * 100 + 100 * 200) + 2 * 100 * 100 * 100
    down = 100 * (3 * 100 * 100 + 2 * 100 * 100)
    assert operations == 2 * (forward + gradients + down)
    products()
    _, more = throughput.step_products(preset("toy-2"), targets=True)
    assert more - operations == 2 * 100 * 250 * 200


def clock(seconds, others=None):
    """Return a `timed` that calls each thing once and gives the seconds written down for it."""

    def timed(things, rounds):
        for thing in things.values():
            thing()
        return {name: seconds.get(name, others) for name in things}

    return timed


@pytest.mark.slow
def test_throughput_by_hand(monkeypatch):
    seconds = {"step": [0.002, 0.004, 0.004], "products": [0.001] * 3, "products, the targets' too": [0.0015] * 3}
    monkeypatch.setattr(throughput, "timed", clock(seconds))
    result = throughput.run(rounds=3)
    assert result["benchmark"] == "throughput"
    assert result["results"] == {
        "share": 0.25,  # the median of 1/2, 1/4, 1/4
        "share_with_the_targets_product": 0.375,
        "steps_per_second": 250,
        "products_per_second": 1000,
        "share_on_one_core": 0.25,
        "steps_per_second_on_one_core": 250,
    }
    json.dumps(result)


@pytest.mark.slow
def test_batched_by_hand(monkeypatch):
    monkeypatch.setattr(batched, "timed", clock({"one after another": [0.3, 0.6, 0.9], "one program": [0.1, 0.1, 0.3]}))
    result = batched.run(contenders=3, rounds=3)
    assert result["benchmark"] == "batched"
    assert result["results"] == {"contenders": 3, "cores": os.cpu_count(), "ratio": 3.0}  # of 3, 6 and 3
    json.dumps(result)


@pytest.mark.slow
def test_overhead_is_over_the_fastest_plain_step(monkeypatch):
    monkeypatch.setattr("benchmarks.segnet.ratio", lambda rounds: {"ratio": 1.25, "gradnorm_ms": 5, "plain_ms": 4})
    seconds = {
        "gradnorm": [0.003, 0.003, 0.006],
        "equal weights, as one program": [0.0025] * 3,
        "plain, one head for all": [0.002] * 3,
    }
    monkeypatch.setattr(overhead, "timed", clock(seconds, others=[0.004] * 3))
    result = overhead.run(rounds=3)
    assert result["benchmark"] == "overhead"
    assert result["results"] == {"toy-2": 1.5, "toy-10": 1.5, "toy-40": 1.5, "segnet-3": 1.25}
    for name in ("toy-2", "toy-10", "toy-40"):
        assert result["details"][name]["fastest plain"] == "plain, one head for all"
        assert result["details"][name]["over equal weights"] == 1.2


@pytest.mark.slow
def test_rooms_are_counted_a_second_at_both_sizes():
    found = rooms.run(rounds=1)
    assert found["benchmark"] == "rooms"
    small, full = (found["results"][f"images_per_second_{size}"] for size in ("128x128", "480x640"))
    assert small > full > 0
    assert found["details"]["layout types"] == list(range(11))
    assert found["details"]["milliseconds an image"]["128x128"] == pytest.approx(1e3 / small, rel=0.02)
    json.dumps(found)
