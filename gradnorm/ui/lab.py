"""The one Lab of this server process, shared by all sessions."""

from __future__ import annotations

from functools import cache

from gradnorm.lab.lab import Lab
from gradnorm.runs.store import RunStore


@cache
def lab() -> Lab:
    """Return the server's Lab, which the first call makes."""
    return Lab(RunStore())
