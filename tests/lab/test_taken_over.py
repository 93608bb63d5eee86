"""A process that was held up for so long that another host took its run over: it stops, and spoils nothing."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager, suppress

import apsw
import psutil
import pytest

from gradnorm.runs.store import RunStore
from tests.factories import TINY, start_python, wait_for

pytestmark = pytest.mark.slow

# A server without its pages, on a host of this name. It takes other hosts' processes for dead after half a second of
# silence. It trains what is in the queue, or takes over the run that it is given.
SERVER = """
import logging, platform, sys, time
name, run = sys.argv[1:]
platform.node = lambda: name
from gradnorm.lab.lab import Lab
from gradnorm.runs import owner_process
from gradnorm.runs.store import RunStore
logging.basicConfig(level=logging.WARNING, format="%(message)s")
owner_process.SILENCE = 0.5
store = RunStore()
lab = Lab(store, 1)
if run:
    while store.info(run).state != "interrupted":
        time.sleep(0.05)
    lab.go_on(run)
lab.warm()
sys.stdin.read()
lab.close()
store.close()
"""


@contextmanager
def host(home, log, name, run=""):
    with log.open("w") as stderr:
        process = start_python(home, "-c", SERVER, name, run, stderr=stderr)
    try:
        yield process
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.communicate(timeout=60)


def hold_up(process, home):
    """Stop a process from outside while it does not write."""
    db = apsw.Connection(str(home / "gradnorm.db"))

    def stopped():
        os.kill(process.pid, signal.SIGSTOP)
        wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        with suppress(apsw.BusyError):
            db.execute("BEGIN IMMEDIATE; ROLLBACK")
            return True
        os.kill(process.pid, signal.SIGCONT)
        return False

    wait_for(stopped)
    db.close()


def owner(home, run):
    db = apsw.Connection(str(home / "gradnorm.db"))
    host = db.execute("SELECT host FROM runs WHERE run = ?", (run,)).get
    db.close()
    return (host or "").partition(" ")[0]


def test_the_loser_of_a_run_says_so_and_leaves_it_to_the_winner(home, tmp_path):
    store = RunStore(home)
    spec = {**TINY, "steps": 1_000_000, "pace": 200, "checkpoint_every": 10, "eval_every": 50}
    run = store.create("a run", spec, ("task 1", "task 2"), queued=True)
    with host(home, tmp_path / "early", "early") as early:
        wait_for(lambda: store.info(run).steps > 30)
        hold_up(early, home)
        with host(home, tmp_path / "late", "late", run):
            wait_for(lambda: owner(home, run) == "late")
            before = store.info(run).steps
            os.kill(early.pid, signal.SIGCONT)
            said = wait_for((tmp_path / "early").read_text)
            wait_for(lambda: store.info(run).steps > before + 50)
            assert store.info(run).state == "running"
            # The worker of the loser goes on with the queue.
            other = store.create("another", {**TINY, "steps": 20}, ("task 1", "task 2"), queued=True)
            wait_for(lambda: store.info(other).ended)
            assert (owner(home, other), store.info(other).state) == ("early", "finished")
        assert store.info(run).outcome.message.startswith("The server was shut down at step")
        won = store.info(run).outcome
    assert store.info(run).outcome == won
    said = (tmp_path / "early").read_text()
    assert said.startswith(f"Run {run} was taken over by late (process ")
    assert len(said.splitlines()) == 1, said
    assert (tmp_path / "late").read_text() == ""
    steps = store.read(run).rows[:, 0].tolist()
    assert steps == list(range(1, len(steps) + 1))
    store.close()
