"""What all tests share: a home of its own for every test, and one CPU thread for torch.

Tests run in any order and in several processes at once, so a test may leave nothing behind for the next.
"""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# Read when torch is first imported, here and in every process a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

# The machine is slow and shared: how long an example takes says nothing about the code.
settings.register_profile("gradnorm", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
# A quarter of the examples; `make check` asks for it, `make test` tries all.
settings.register_profile("quick", settings.get_profile("gradnorm"), max_examples=25)
settings.load_profile("gradnorm")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A directory for runs, also for whatever reads GRADNORM_HOME; made when first written to."""
    path = tmp_path / "home"
    monkeypatch.setenv("GRADNORM_HOME", str(path))
    for name in ("GRADNORM_DATA", "GRADNORM_WORKERS", "GRADNORM_PORT", "GRADNORM_ADDRESS", "GRADNORM_HOSTS"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture(autouse=True)
def _one_thread():
    """Undo a run's `threads`: with another number of threads, a later run's sums are rounded otherwise."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture
def store(home):
    """An empty RunStore."""
    from gradnorm.runs.store import RunStore

    store = RunStore(home)
    yield store
    store.close()
