"""What any engine must do with a lease: this machine, Slurm (submitit's processes in its place) and Ray."""

from __future__ import annotations

import itertools
import os
import signal
import time

import numpy as np
import pytest

from gradnorm.config.spec import RunSpec
from gradnorm.lab.cluster.cluster import Cluster
from gradnorm.lab.lab import Lab
from gradnorm.lab.this_machine import ThisMachine
from gradnorm.runs.leases import lease_of
from tests.factories import TINY, trained_together, wait_for
from tests.lab.cluster.clusters import needs_ray, needs_submitit, processes, ray_cluster

# Whole runs and processes: part of `make test`, too long for `make check`.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Steps of some milliseconds, so that there is time to do something in their midst.
LONG = {**TINY, "steps": 900, "eval_every": 300, "checkpoint_every": 100, "pace": 200.0}
ENDING = {"finished", "stopped", "interrupted", "failed", "diverged"}


class EngineContract:
    """Tests that hold for every engine; a subclass gives `engine()`, called for each process that a test stands for."""

    @pytest.fixture
    def engine(self):
        raise NotImplementedError

    @pytest.fixture
    def open_lab(self, store, engine):
        labs = []

        def make():
            labs.append(Lab(store, 2, engine()))
            return labs[-1]

        yield make
        for lab in labs:
            lab.close(30)

    @pytest.fixture
    def queue(self, store):
        """Queues a team of a study on the engine, and gives its runs."""

        def put(lab, *specs):
            study = store.studies.create("grid", "a study", {}, lab.engine.name)
            entries = [(f"run {i}", "a run", RunSpec.parse(spec).settled().flat()) for i, spec in enumerate(specs)]
            runs = store.studies.add_team(study, entries, ["task 1", "task 2"])
            lab.warm()
            return runs

        return put

    def wait(self, store, runs, states, steps=0):
        def there():
            infos = [store.info(run) for run in runs]
            return all(info.state in states and info.steps >= steps for info in infos)

        wait_for(there, 120)

    def check_as_alone(self, store, runs, specs):
        """The records are those of runs that nothing has happened to, each once."""
        alone = trained_together([RunSpec.parse({**spec, "pace": 0.0}) for spec in specs])
        for run, records in zip(runs, alone, strict=True):
            snapshot = store.read(run)
            steps = [each for each in records if type(each).__name__ == "StepRecord"]
            evaluations = [each for each in records if type(each).__name__ == "Evaluation"]
            assert snapshot.scalar("step").tolist() == [each.step for each in steps]
            for name in ("losses", "weights"):
                expected = [[float(v) for v in getattr(each, name)] for each in steps]
                np.testing.assert_allclose(snapshot.vector(name), expected, rtol=1e-4, err_msg=name)
            assert [each.step for each in snapshot.evaluations] == [each.step for each in evaluations]
            assert snapshot.damage == ()

    def test_a_team_is_trained_and_each_run_ends_in_its_own_way(self, store, open_lab, queue):
        study = store.studies.create("grid", "another's", {}, "another")
        (other,) = store.studies.add_team(study, [("a", "a run", RunSpec.parse(TINY).settled().flat())], ["a", "b"])
        specs = [{**TINY, "seed": 1}, {**TINY, "seed": 2}, {**TINY, "learning_rate": 10.0}]
        runs = queue(open_lab(), *specs)
        self.wait(store, runs, ENDING)
        assert [store.info(run).state for run in runs] == ["finished", "finished", "diverged"]
        self.check_as_alone(store, runs[:2], specs[:2])
        info = store.info(runs[0])
        assert (info.steps, info.device, info.seconds > 0) == (100, "cpu, 3 runs as one program", True)
        assert store.checkpoints.steps(runs[0]) == [100]
        assert store.info(other).state == "queued", "a run for another engine was taken"

    def test_a_team_is_paused_stopped_and_goes_on(self, store, open_lab, queue):
        lab = open_lab()
        specs = [{**LONG, "seed": seed} for seed in (1, 2)]
        runs = queue(lab, *specs)
        self.wait(store, runs, {"running"}, steps=150)
        lab.pause(runs[0])
        self.wait(store, runs, {"paused"})
        held = [store.info(run).steps for run in runs]
        time.sleep(1.5)
        assert [store.info(run).steps for run in runs] == held
        lab.resume(runs[0])
        self.wait(store, runs, {"running"}, steps=max(held) + 100)
        lab.stop(runs[0])
        self.wait(store, runs, {"stopped"})
        assert len({info.steps for info in map(store.info, runs)}) == 1
        assert store.checkpoints.steps(runs[0])[-1] == store.info(runs[0]).steps
        lab.go_on(runs[0])
        self.wait(store, runs, ENDING)
        assert {store.info(run).state for run in runs} == {"finished"}
        self.check_as_alone(store, runs, specs)
        assert [event.value for event in store.read(runs[0]).events if event.key == "paused"] == [True, False]

    def test_a_team_goes_on_when_its_server_comes_again(self, store, open_lab, queue):
        lab = open_lab()
        specs = [{**LONG, "seed": seed} for seed in (1, 2)]
        runs = queue(lab, *specs)
        for steps in itertools.accumulate((150, 300)):
            self.wait(store, runs, {"running"}, steps=steps)
            lab.close(30)
            assert {store.info(run).state for run in runs} == {"interrupted"}
            lab = open_lab()
            lab.go_on(runs[0])
        self.wait(store, runs, ENDING)
        assert {store.info(run).state for run in runs} == {"finished"}
        self.check_as_alone(store, runs, specs)
        standing = store.leases.standing(lease_of(store.info(runs[0])))
        # A worker elsewhere has trained on meanwhile: nothing is made twice.
        assert standing is None or standing.attempt == 1


class TestThisMachine(EngineContract):
    @pytest.fixture
    def engine(self):
        return ThisMachine


@needs_submitit
class TestSlurm(EngineContract):
    @pytest.fixture
    def engine(self, tmp_path):
        from gradnorm.lab.cluster.on_slurm import SlurmLauncher

        shared, launchers = tmp_path / "shared", []

        def make():
            launchers.append(SlurmLauncher(shared / "logs", options={"cluster": "local"}))
            return Cluster(launchers[-1], shared)

        yield make
        for job in [job for launcher in launchers for job in launcher._jobs.values()]:
            if job._process is not None:
                job._process.wait(120)

    def test_a_team_goes_on_when_its_worker_is_taken_back_or_killed(self, store, open_lab, queue, tmp_path):
        specs = [{**LONG, "seed": seed} for seed in (1, 2)]
        runs = queue(open_lab(), *specs)
        for steps, number in ((150, signal.SIGTERM), (450, signal.SIGKILL)):
            self.wait(store, runs, {"running"}, steps=steps)
            (pid,) = processes("submitit.core._submit", str(tmp_path))
            os.kill(pid, number)
        self.wait(store, runs, ENDING)
        assert {store.info(run).state for run in runs} == {"finished"}
        self.check_as_alone(store, runs, specs)
        # One that is told to end keeps a checkpoint where it stood.
        assert any(step % 100 for step in store.checkpoints.steps(runs[0]))
        assert store.leases.standing(lease_of(store.info(runs[0]))).attempt == 3


@needs_ray
@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
class TestRay(EngineContract):
    @pytest.fixture(scope="class")
    def _cluster(self, tmp_path_factory):
        with ray_cluster(tmp_path_factory.mktemp("ray")):
            yield
            import ray

            ray.shutdown()

    @pytest.fixture
    def engine(self, tmp_path, _cluster):
        from gradnorm.lab.cluster.on_ray import RayLauncher

        return lambda: Cluster(RayLauncher(), tmp_path / "shared")
