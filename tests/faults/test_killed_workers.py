"""Studies on other machines whose workers, nodes and server are killed: each step of each run is recorded once."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from gradnorm.runs.store import RunStore
from gradnorm.studies.registry import study_of
from tests.factories import start_python, wait_for
from tests.lab.cluster.clusters import needs_ray, needs_submitit, processes, ray_cluster
from tests.lab.test_study_keeper import check_whole

# Their short form is in tests/contracts/test_engines.py.
pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

EVERY = 150
# The pace makes each run last for ten seconds, in which something can happen to it.
RUNS = ["--preset", "toy-2", "--width", "8", "--depth", "1", "--batch-size", "4", "--device", "cpu", "--pace", "40"]
RUNS += ["--steps", "400", "--eval-every", "200", "--checkpoint-every", str(EVERY), "--seeds", "1"]


class Server:
    """The command that has the store; it can be killed, and comes again."""

    def __init__(self, home, *engine):
        self._home, self._engine, self.store = home, engine, RunStore(home)
        self._process, self.study = None, ""

    def start(self, *arguments):
        words = ["-m", "gradnorm", "study", *arguments, *self._engine, "--json", "-"]
        self._process = start_python(self._home, *words)
        self.study = self.study or wait_for(lambda: next((i.study for i in self.store.studies.all()), ""), 120)

    def kill(self):
        self._process.kill()
        self._process.communicate()
        self.start("resume", self.study)

    def steps(self):
        assert self._process.poll() is None, self._process.stderr.read()
        return self.store.studies.steps(self.study)

    def finish(self, count):
        """Wait for the end, and check that exactly the runs of the study are there, each recorded once."""
        out, err = self._process.communicate(timeout=900)
        assert self._process.returncode == 0, err
        told = json.loads(out)
        assert (told["state"], len(told["points"])) == ("finished", count)
        info = self.store.studies.info(self.study)
        check_whole(self.store, study_of(info.kind, info.spec), self.store.studies.members(self.study))
        return told


@needs_submitit
def test_jobs_that_are_taken_back_or_killed_and_a_killed_server_on_slurm(home):
    count = 24
    server = Server(home, "--engine", "slurm", "--slurm", "cluster=local", "--lease-runs", "6")
    server.start("grid", "--count", str(count), *RUNS)
    words = ["submitit.core._submit", str(home)]
    wait_for(lambda: server.steps() > 80, 120)
    os.kill(wait_for(lambda: processes(*words))[0], signal.SIGTERM)
    wait_for(lambda: server.steps() > 400 + 80 * count, 180)
    server.kill()
    for number in (signal.SIGKILL, signal.SIGTERM):
        wait_for(lambda: server.steps() > 400 + 120 * count, 180)
        os.kill(wait_for(lambda: processes(*words))[-1], number)
    server.finish(count)
    # A job that is told to end keeps a checkpoint where it stood.
    checkpoints = [server.store.checkpoints.steps(info.run) for info in server.store.runs()]
    assert any(step % EVERY for steps in checkpoints for step in steps if step < 400)


@needs_ray
@pytest.mark.parametrize("kills_server", [False, True])
def test_ten_workers_and_a_node_killed_on_a_ray_cluster(home, tmp_path, kills_server):
    chance, began = random.Random(5), time.monotonic()
    with ray_cluster(tmp_path) as cluster:
        server = Server(home, "--engine", "ray", "--lease-runs", "10", "--cpus-per-lease", "1")
        server.start("grid", "--count", "100", *RUNS)
        wait_for(lambda: server.steps() > 2000, 300)
        killed = set()
        for kill in range(10):
            there = wait_for(lambda: set(processes("ray::_Worker", above=cluster.pid)) - killed, 300)
            victim = chance.choice(sorted(there))
            killed.add(victim)
            os.kill(victim, signal.SIGKILL)
            time.sleep(2)
            if kill == 4:
                cluster.stdin.write("kill\n")
                cluster.stdin.flush()
                assert cluster.stdout.readline() == "killed\n"
            if kill == 7 and kills_server:
                server.kill()
        told = server.finish(100)
    leases = {info.race for info in server.store.runs()}
    attempts = sum(server.store.leases.standing(lease).attempt for lease in leases)
    results = f"{len(told['points'])} results, {told['runs']} runs in {len(leases)} leases, {attempts} attempts"
    print(f"{results}, server killed: {kills_server}, {time.monotonic() - began:.0f} s")
