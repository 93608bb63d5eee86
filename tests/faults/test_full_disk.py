"""A disk that other files fill up while a run is recorded there, and that is freed again."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress

import pytest

from gradnorm.runs.store import RunStore
from tests.factories import TINY, start_python, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# A server without its pages, which says what is wrong as long as something is.
SERVER = """
import json, sys, time
from gradnorm.config.spec import RunSpec
from gradnorm.lab.lab import Lab
from gradnorm.runs.store import RunStore
lab = Lab(RunStore(), workers=1)
run = lab.launch(RunSpec.parse(json.loads(sys.argv[1])))
print(run, flush=True)
troubles = []
while not lab.store.info(run).ended:
    if lab.trouble and lab.trouble not in troubles:
        troubles.append(lab.trouble)
    time.sleep(0.05)
lab.close()
print(json.dumps(troubles), flush=True)
"""


@pytest.fixture
def disk(tmp_path):
    """A file system of sixteen megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """Write until nothing more fits; return the file that takes all the room."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):  # no space left
                while True:
                    file.write(b"x" * size)
    return path


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)])
def test_a_run_on_a_disk_that_is_full_for_a_while_ends_whole(disk, seconds):
    home = disk / "home"
    pace = 100
    steps = pace * (seconds + 8)
    spec = {**TINY, "steps": steps, "pace": pace, "eval_every": 100, "checkpoint_every": 100}
    server = start_python(home, "-c", SERVER, json.dumps(spec))
    try:
        run = server.stdout.readline().strip()
        store = RunStore(home)
        wait_for(lambda: store.info(run).steps > 50)
        filler = fill(disk)
        time.sleep(seconds)
        recorded = store.info(run).steps
        time.sleep(0.5)
        assert store.info(run).steps == recorded < steps, "the disk was not full"
        filler.unlink()
        out, err = server.communicate(timeout=seconds + 120)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 0, err
    assert "cannot be written now" in " ".join(json.loads(out))
    snapshot = store.read(run)
    assert snapshot.info.state == "finished"
    assert snapshot.rows[:, 0].tolist() == list(range(1, steps + 1))
    assert [each.step for each in snapshot.evaluations] == list(range(0, steps + 1, 100))
    assert snapshot.damage == ()
    assert "Traceback" not in err
