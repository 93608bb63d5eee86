"""Whether a run's process is still there."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time

import psutil
import pytest

from gradnorm.runs.owner_process import SILENCE, Owner, this_process
from tests.factories import wait_for

SAYS_WHEN = "from gradnorm.runs.owner_process import this_process; print(this_process().started, flush=True); input()"


@pytest.fixture
def child():
    process = subprocess.Popen(
        [sys.executable, "-c", SAYS_WHEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.began = float(process.stdout.readline())
    yield process
    process.kill()
    process.communicate()


def owner_of(child):
    return Owner(this_process().host, child.pid, child.began)


LONG_AGO = 0.0  # A heartbeat that is not looked at on this host.


def test_this_process_is_alive_and_the_same_each_time():
    assert this_process() == this_process()
    assert this_process().pid == os.getpid()
    assert this_process().alive(LONG_AGO)


def test_a_living_process_is_alive_whatever_its_heartbeat(child):
    assert owner_of(child).alive(LONG_AGO)


def test_a_process_that_is_gone_is_not_alive(child):
    owner = owner_of(child)
    child.kill()
    child.wait()
    assert not owner.alive(time.time())


def test_a_process_with_a_reused_id_is_another_process(child):
    owner = owner_of(child)
    for shift in (-3600.0, -10.0, 10.0):
        assert not Owner(owner.host, owner.pid, owner.started + shift).alive(time.time())


def test_a_clock_that_is_set_changes_nothing(child, monkeypatch):
    owner = owner_of(child)
    # The time since 1970 that psutil tells follows the clock.
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: 0.0)
    assert owner.alive(LONG_AGO)
    assert this_process().alive(LONG_AGO)


def test_a_process_of_another_boot_is_gone(child):
    owner = owner_of(child)
    assert not Owner(f"{platform.node()} another-boot", owner.pid, owner.started).alive(time.time())


def test_owners_that_earlier_versions_wrote_are_known(child):
    began = psutil.Process(child.pid).create_time()
    assert Owner(platform.node(), child.pid, began).alive(LONG_AGO)
    assert not Owner(platform.node(), child.pid, began - 10).alive(time.time())


def test_a_zombie_is_not_alive(child):
    owner = owner_of(child)
    child.kill()
    wait_for(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert not owner.alive(time.time())


def test_a_forked_child_is_its_own_owner():
    mine = this_process()
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os; from gradnorm.runs.owner_process import this_process; this_process(); child = os.fork()\n"
            "if child: os.waitpid(child, 0)\nprint(this_process().pid, os.getpid(), flush=True)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in process.stdout.splitlines()]
    assert len(lines) == 2
    assert all(owner == own for owner, own in lines)
    assert str(mine.pid) not in {owner for owner, _ in lines}


@pytest.mark.parametrize(
    ("age", "alive"), [(0, True), (SILENCE - 1, True), (SILENCE, False), (SILENCE + 1, False), (86400, False)]
)
def test_a_process_on_another_host_is_judged_by_its_heartbeat(age, alive):
    elsewhere = Owner("another-host", os.getpid(), this_process().started)
    assert elsewhere.alive(1_000_000.0, now=1_000_000.0 + age) is alive


def test_another_hosts_heartbeat_is_compared_with_the_clock():
    elsewhere = Owner("another-host", 1, 0.0)
    assert elsewhere.alive(time.time())
    assert not elsewhere.alive(time.time() - SILENCE - 1)
