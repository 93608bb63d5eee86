"""Processes that train one network on parts of each batch do what one process does with the whole batch."""

import socket
import subprocess
import sys

import pytest
import torch

from tests.balancer.two_ranks import ABSENT, KINDS, WAYS, Net, train
from tests.factories import ROOT

EXACT = {"rtol": 1e-10, "atol": 1e-10}
# What takes several backward passes, where only one is allowed.
REFUSED = {
    ("static", "surgery"),
    ("sharded", "surgery"),
    ("sharded", "separate passes"),
    ("sharded", "own heads, separate passes"),
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes found, by how the network is wrapped and how it is measured."""
    path = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.balancer.two_ranks"]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(port), str(path / str(rank))], cwd=ROOT, stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=180)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    return [torch.load(path / str(rank)) for rank in range(2)]


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize(("kind", "way"), [(kind, way) for kind in KINDS for way in WAYS])
def test_gradients_and_weights_are_those_of_the_whole_batch(ranks, kind, way, normalized):
    first, second = (rank[kind, way, normalized] for rank in ranks)
    if (kind, way) in REFUSED:
        assert "which allow one" in first
        assert first == second
        return
    net = Net(normalized)
    whole = train(net, net, way, slice(None))
    for i, expected in enumerate(whole):
        assert torch.equal(first[i]["weights"], second[i]["weights"])
        for found in (first[i], second[i]):
            for name in ("weights", "losses", "gradients"):
                torch.testing.assert_close(found[name], expected[name], msg=lambda m, n=name: f"{n} {m}", **EXACT)


@pytest.mark.parametrize("way", ABSENT)
def test_a_task_that_one_process_lacks_is_there_for_both(ranks, way):
    first, second = (rank["absent", way] for rank in ranks)
    for ours, theirs in zip(first, second, strict=True):
        assert torch.equal(ours["weights"], theirs["weights"])
        assert torch.equal(ours["losses"], theirs["losses"])
        assert bool(ours["losses"].isfinite().all())


def test_a_group_of_its_own_keeps_a_process_apart(ranks):
    first, second = (rank["apart"] for rank in ranks)
    assert not torch.equal(first[0]["losses"], second[0]["losses"])


def test_a_loss_that_is_not_finite_in_one_process_ends_both(ranks):
    assert ranks[0]["diverged"] == ranks[1]["diverged"]
