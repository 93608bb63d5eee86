"""What is timed is what is said, and the figures made of it are the medians they claim to be."""

import json

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


@pytest.mark.slow
def test_throughput_and_batched_say_what_they_promise():
    for found, names in (
        (throughput.run(rounds=2), {"share", "share_with_the_targets_product", "share_on_one_core"}),
        (batched.run(contenders=3, rounds=2), {"ratio", "contenders", "cores"}),
    ):
        assert {"benchmark", "environment", "results"} <= found.keys()
        assert names <= found["results"].keys()
        assert all(value > 0 for value in found["results"].values())
        json.dumps(found)


@pytest.mark.slow
def test_overhead_maps_each_network_to_its_ratio(monkeypatch):
    monkeypatch.setattr("benchmarks.segnet.ratio", lambda rounds: {"ratio": 1.0, "gradnorm_ms": 1, "plain_ms": 1})
    found = overhead.run(rounds=1)
    assert found["benchmark"] == "overhead"
    assert list(found["results"]) == ["toy-2", "toy-10", "toy-40", "segnet-3"]
    assert all(0.3 < ratio < 5 for ratio in found["results"].values())


@pytest.mark.slow
def test_rooms_are_counted_a_second_at_both_sizes():
    found = rooms.run(rounds=1)
    assert found["benchmark"] == "rooms"
    small, full = (found["results"][f"images_per_second_{size}"] for size in ("128x128", "480x640"))
    assert small > full > 0
    assert found["details"]["layout types"] == list(range(11))
    assert found["details"]["milliseconds an image"]["128x128"] == pytest.approx(1e3 / small, rel=0.02)
    json.dumps(found)
