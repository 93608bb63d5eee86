"""One command in several processes: the first one tells the others what it trains, and they train along."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from gradnorm.config.spec import RunSpec
from gradnorm.gradients.ranks import Ranks
from gradnorm.runs.records import Outcome
from gradnorm.training.engine import Entry, train_group
from gradnorm.training.processes import first


def lead(runs: int) -> None:
    """Tell the others that so many runs follow, each made by `told`."""
    first(runs)


def told(make: Callable[[], Entry]) -> Entry:
    """Return a run to be trained, after telling the others of it. Raises what `make` raises."""
    try:
        entry = make()
    except Exception:
        first(None)
        raise
    if Ranks.joined() is not None:
        first((entry.spec.flat(), entry.start, entry.branch))
    return entry


def follow() -> list[str]:
    """Train along with the first process, which has called `lead`, and return how each run ended."""
    kinds: list[str] = []
    with closing(train_group([_received] * first(0))) as items:
        for _, item in items:
            if isinstance(item, Outcome):
                kinds.append(item.kind)
            elif isinstance(item, Exception):
                kinds.append("failed")
    return kinds


def _received() -> Entry:
    found: Any = first(None)
    if found is None:
        raise RuntimeError("The first process should have a run to train. It has none, and says why.")
    spec, start, branch = found
    return Entry(RunSpec.parse(spec), start=start, branch=branch)
