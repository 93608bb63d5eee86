"""Processes that are killed or told to end while they train: no acknowledged step is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from threading import Timer

import apsw
import numpy as np
import pytest

from gradnorm.runs.store import RunStore
from tests.factories import TINY, start_python, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

LONG = {**TINY, "steps": 1_000_000, "eval_every": 40}
FLAGS = [part for key in ("width", "depth", "device") for part in (f"--{key}", str(LONG[key]))]
FLAGS += ["--batch-size", "4", "--sigmas", "1,2", "--steps", "1000000", "--eval-every", "40"]

# A server without its pages: a Lab with two workers and three runs more, and a thread that says what is in the
# store. Runs that an earlier server left in the queue come first.
SERVER = f"""
import time
from gradnorm.config.spec import RunSpec
from gradnorm.runs.store import RunStore
from gradnorm.lab.lab import Lab
lab = Lab(RunStore(), workers=2)
spec = RunSpec.parse({LONG!r})
print("runs", *[lab.launch(spec) for _ in range(3)], flush=True)
told = dict()
while True:
    for info in lab.store.runs():
        if info.here and info.steps != told.get(info.run, 0):
            told[info.run] = info.steps
            print("steps", info.run, info.steps, flush=True)
    time.sleep(0.001)
"""


def check(store, run, acknowledged):
    """Every acknowledged step can be read, and what can be read is whole."""
    snapshot = store.read(run)
    steps = snapshot.rows[:, 0]
    assert len(steps) >= acknowledged
    assert steps.tolist() == list(range(1, len(steps) + 1))
    assert snapshot.info.steps == len(steps)
    assert np.isfinite(snapshot.rows).all()
    expected = [0, *range(40, len(steps) + 1, 40)] if len(steps) else []
    found = [e.step for e in snapshot.evaluations]
    # The last evaluation may still have been under way when the end came.
    assert found[: len(expected) - 1] == expected[:-1]
    assert len(found) <= len(expected) + 1


def intact(store):
    db = apsw.Connection(str(store.home / "gradnorm.db"))
    assert db.execute("PRAGMA integrity_check").get == "ok"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()


def killed_after(process, seconds):
    """Kill a SERVER some seconds after it has first told of a step; give its runs and what it had told."""
    watchdog = Timer(120, process.kill)
    watchdog.start()
    launched, told, end = [], {}, None
    for line in process.stdout:
        word, *rest = line.split()
        if word == "runs":
            launched = rest
        else:
            told[rest[0]] = int(rest[1])
            end = end or time.monotonic() + seconds
            if time.monotonic() >= end:
                break
    watchdog.cancel()
    process.kill()
    out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    assert told, "nothing was told before the watchdog came"
    for line in out.splitlines(keepends=True):  # told before the end, read after it
        if line.endswith("\n") and line.startswith("steps "):
            _, run, steps = line.split()
            told[run] = int(steps)
    return launched, told


@pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.long)])
def test_a_server_that_is_killed_loses_no_acknowledged_step(home, kills):
    store, chance, acknowledged, launched = RunStore(home), random.Random(0), {}, set()
    for _ in range(kills):
        fresh, told = killed_after(start_python(home, "-c", SERVER), chance.uniform(0, 1.5))
        launched |= set(fresh)
        assert not set(told) & set(acknowledged), "a run that was interrupted has gone on"
        acknowledged.update(told)
        infos = {info.run: info for info in store.runs()}
        assert set(infos) == launched
        assert {info.state for info in infos.values()} <= {"interrupted", "queued"}
        for run, steps in acknowledged.items():
            check(store, run, steps)
            assert f"step {infos[run].steps:,}" in infos[run].outcome.message
    assert len(acknowledged) >= kills
    intact(store)


def test_the_queue_of_a_killed_server_is_taken_up_by_the_next(home):
    from gradnorm.lab.lab import Lab

    store = RunStore(home)
    (*begun, waiting), _ = killed_after(start_python(home, "-c", SERVER), 1)
    assert store.info(waiting).state == "queued"
    lab = Lab(store, workers=1)
    try:
        assert [store.info(run).state for run in begun] == ["interrupted"] * 2
        lab.warm()
        wait_for(lambda: store.info(waiting).steps > 0)
        assert store.info(waiting).here
    finally:
        lab.close(30)
    assert store.info(waiting).state == "interrupted"


def training(home):
    """Start `gradnorm train` and wait until it trains; give process and run."""
    store = RunStore(home)
    process = start_python(home, "-m", "gradnorm", "train", *FLAGS, "--json", "-")

    def going():
        assert process.poll() is None, process.stderr.read()
        return next((info.run for info in store.runs() if info.steps > 50), None)

    return process, wait_for(going), store


def test_a_command_that_is_killed_loses_no_acknowledged_step(home):
    process, run, store = training(home)
    time.sleep(random.Random(1).uniform(0, 1))
    acknowledged = store.info(run).steps
    process.kill()
    process.communicate()
    check(store, run, acknowledged)
    assert store.info(run).state == "interrupted"
    intact(store)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_told_to_end_stops_in_good_order(home, number):
    process, run, store = training(home)
    acknowledged = store.info(run).steps
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    result = json.loads(out)
    info = store.info(run)
    assert (result["outcome"], info.state) == ("stopped", "stopped")
    assert result["steps"] == info.steps == info.outcome.step >= acknowledged
    check(store, run, info.steps)


def test_a_command_that_is_held_up_and_goes_on_is_not_taken_for_dead(home):
    process, run, store = training(home)
    os.kill(process.pid, signal.SIGSTOP)
    try:
        time.sleep(0.5)
        assert store.reap() == []
        held = store.info(run)
        assert held.state == "running"
        os.kill(process.pid, signal.SIGCONT)
        wait_for(lambda: store.info(run).steps > held.steps)
    finally:
        process.kill()
        process.communicate()


def test_two_commands_share_a_home(home):
    store = RunStore(home)
    arguments = [part if part != "1000000" else "400" for part in FLAGS]
    processes = [start_python(home, "-m", "gradnorm", "train", *arguments, "--json", "-") for _ in range(2)]
    results = [json.loads(process.communicate(timeout=300)[0]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert {r["run"] for r in results} == {info.run for info in store.runs()}
    rows = [store.read(r["run"]).rows for r in results]
    assert len(rows[0]) == 400
    np.testing.assert_array_equal(*rows)


RESUMED = {**TINY, "eval_every": 70, "checkpoint_every": 30}

# A command that goes on with the run it is told of, in a process of its own for each line that it reads: torch is
# imported once, and what is killed is a process that trains.
RESUMER = """
import os, sys
import torch
from gradnorm.cli import main
from gradnorm.training import engine
for line in sys.stdin:
    child = os.fork()
    if not child:
        os._exit(main(["resume", line.strip(), "--json", os.devnull]))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.parametrize(("deaths", "steps"), [(5, 300), pytest.param(100, 6000, marks=pytest.mark.long)])
def test_a_run_killed_at_random_steps_is_the_run_left_alone_bit_for_bit(home, deaths, steps):
    from gradnorm.config.spec import RunSpec
    from gradnorm.lab.run_writer import record
    from gradnorm.training.control import Control
    from tests.factories import going_on

    store, chance, spec = RunStore(home), random.Random(7), RunSpec.parse({**RESUMED, "steps": steps})
    alone, run = (store.create(t, spec.flat(), spec.dataset.task_names, queued=False) for t in ("alone", "killed"))
    list(record(store, alone, going_on(store, alone, Control()), Control()))
    store.end(run, store.info(alone).outcome.__class__("interrupted", 0, "Not begun."))
    resumer = start_python(home, "-c", RESUMER)
    kills = []
    try:
        while len(kills) < deaths:
            resumer.stdin.write(f"{run}\n")
            resumer.stdin.flush()
            child, begun = int(resumer.stdout.readline()), store.info(run).steps
            goal = min(begun + chance.randrange(1, 90), spec.steps - 1)
            wait_for(lambda goal=goal: store.info(run).steps >= goal)
            os.kill(child, signal.SIGKILL)
            assert int(resumer.stdout.readline()) == -signal.SIGKILL
            assert store.info(run).state == "interrupted"
            kills.append(store.info(run).steps)
            if kills[-1] >= spec.steps - 100:
                break
        while len(kills) < deaths:  # near the end: it dies again and again at its last steps
            resumer.stdin.write(f"{run}\n")
            resumer.stdin.flush()
            child = int(resumer.stdout.readline())
            time.sleep(chance.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
            resumer.stdout.readline()
            kills.append(store.info(run).steps)
        resumer.stdin.write(f"{run}\n")
        resumer.stdin.close()
        resumer.stdout.readline()
        assert int(resumer.stdout.readline()) == 0, resumer.stderr.read()
    finally:
        resumer.kill()
        resumer.wait()
        for stream in (resumer.stdout, resumer.stderr):
            stream.close()
    assert len(set(kills)) > deaths // 2, kills
    one, two = store.read(alone), store.read(run)
    np.testing.assert_array_equal(one.rows.view(np.uint32), two.rows.view(np.uint32))
    assert one.evaluations == two.evaluations
    last = [store.checkpoints.read(r, spec.steps).payload for r in (alone, run)]
    assert last[0] == last[1]
    intact(store)
