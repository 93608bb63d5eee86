"""The locks: everything that is pinned or needed is in them with its hashes, and they are what is installed."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

from tests.factories import ROOT

LOCKS = ("requirements", "requirements-dev", "requirements-bench")


def locked(name):
    """Return the requirements of a lock, each with its hashes."""
    text = (ROOT / f"{name}.lock").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    return [
        (Requirement(line.split(" --hash=")[0]), re.findall(r"--hash=sha256:([0-9a-f]{64})(?!\S)", line))
        for line in lines
    ]


def pinned(name):
    lines = (ROOT / f"{name}.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-r"))]


def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_its_hashes(name):
    assert [str(requirement) for requirement, hashes in locked(name) if not hashes] == []
    assert all(re.fullmatch(r"==[^*,]+", str(requirement.specifier)) for requirement, _ in locked(name))


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_pinned_is_locked(name):
    """If this fails, a pin was changed without `make lock`."""
    found = {(plain(requirement.name), str(requirement.specifier)) for requirement, _ in locked(name)}
    assert {(plain(requirement.name), str(requirement.specifier)) for requirement in pinned(name)} <= found


def test_torch_comes_by_itself_and_without_a_gpu_s_libraries():
    names = [requirement.name for name in LOCKS for requirement, _ in locked(name)]
    assert [name for name in names if re.fullmatch(r"torch|triton|(nvidia|cuda)-.*", name)] == []


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_locked_is_installed(name):
    """If this fails, something was installed by other means than `make`."""
    here = [r for r, _ in locked(name) if r.marker is None or r.marker.evaluate()]
    assert {r.name: version(r.name) for r in here} == {r.name: str(r.specifier)[2:] for r in here}
