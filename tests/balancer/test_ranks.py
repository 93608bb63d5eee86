"""Processes that train one network on parts of each batch do what one process does with the whole batch."""

import socket
import subprocess
import sys

import pytest
import torch

from tests.balancer.two_ranks import SURGERY, WAYS, Net, train
from tests.factories import ROOT

EXACT = {"rtol": 1e-10, "atol": 1e-10}
pytestmark = pytest.mark.slow


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    """What each of two processes found, by kind of wrapping and way to measure."""
    path, port = tmp_path_factory.mktemp("ranks"), free_port()
    command = [sys.executable, "-m", "tests.balancer.two_ranks"]
    processes = [
        subprocess.Popen([*command, str(rank), str(port), str(path)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], errors
    return [torch.load(path / f"{rank}.pt") for rank in range(2)]


def assert_as_one_process(ranks, kind, way):
    net = Net()
    whole = train(net, net, *{**WAYS, **SURGERY}[way], slice(None))
    for step, expected in enumerate(whole):
        first, second = (rank[kind, way][step] for rank in ranks)
        assert torch.equal(first["weights"], second["weights"])
        for found in (first, second):
            for name in ("weights", "losses", "gradients"):
                torch.testing.assert_close(found[name], expected[name], msg=lambda m, n=name: f"{n} {m}", **EXACT)


@pytest.mark.parametrize("kind", ["plain", "static", "unused"])
@pytest.mark.parametrize("way", WAYS)
def test_gradients_and_weights_are_those_of_the_whole_batch(ranks, kind, way):
    assert_as_one_process(ranks, kind, way)


@pytest.mark.parametrize("kind", ["plain", "unused"])
def test_surgery_is_that_of_the_whole_batch(ranks, kind):
    assert_as_one_process(ranks, kind, "surgery")


def test_surgery_on_a_static_graph_is_refused(ranks):
    assert "static_graph=False" in ranks[0]["static", "surgery"]
