"""A study whose process is killed or told to end: resumed, it has exactly its runs, each step recorded once."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from gradnorm.runs.store import RunStore
from gradnorm.studies.registry import study_of
from tests.factories import TINY, start_python, wait_for
from tests.lab.test_study_keeper import check_whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

FLAGS = [part for key in ("width", "depth", "device") for part in (f"--{key}", str(TINY[key]))]
FLAGS += ["--batch-size", "4", "--sigmas", "1,2", "--steps", "300", "--eval-every", "100", "--checkpoint-every", "40"]
GRID = ["grid", "--seeds", "2", "--count", "36", *FLAGS]


def command(home, *arguments):
    return start_python(home, "-m", "gradnorm", "study", *arguments, "--json", "-")


def going(store, process, steps):
    """Wait until a study has taken so many steps in all; give its id."""

    def there():
        assert process.poll() is None, process.stderr.read()
        return next((info.study for info in store.studies.all() if store.studies.steps(info.study) >= steps), None)

    return wait_for(there, 120)


def check(store, study):
    info = store.studies.info(study)
    assert info.state == "finished"
    check_whole(store, study_of(info.kind, info.spec), store.studies.members(study))


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.long)])
def test_a_study_that_is_killed_and_resumed_runs_nothing_twice(home, kills):
    store, chance = RunStore(home), random.Random(3)
    process, steps = command(home, *GRID), 500
    runs: set[str] = set()
    for _ in range(kills):
        study = going(store, process, steps)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.communicate()
        now = {member.run for member in store.studies.members(study)}
        assert runs <= now, "a run has been made anew"
        runs = now
        steps = store.studies.steps(study) + chance.randrange(100, 12_000 // kills)
        process = command(home, "resume", study)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    told = json.loads(out)
    assert (told["state"], told["ended"], len(told["points"])) == ("finished", 42, 36)
    check(store, study)
    assert runs <= {member.run for member in store.studies.members(study)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_study_that_is_told_to_end_stops_in_good_order_and_goes_on(home, number):
    store = RunStore(home)
    process = command(home, *GRID)
    study = going(store, process, 500)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert err == f"gradnorm: stopped. Go on with: gradnorm study resume {study}\n"
    assert store.studies.info(study).state == "stopped"
    assert {info.state for info in store.runs()} <= {"stopped", "interrupted", "finished"}
    process = command(home, "resume", study)
    _, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    check(store, study)
