"""The one Lab of this server process; sessions come and go, it stays."""

from __future__ import annotations

from functools import cache

from gradnorm.lab.lab import Lab
from gradnorm.runs.store import RunStore


@cache
def lab() -> Lab:
    """Return the server's Lab, made when first asked for."""
    return Lab(RunStore())
