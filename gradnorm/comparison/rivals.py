"""Which runs of a store a run can be measured against: its race, and runs that differ from it in the method alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gradnorm.comparison.loading import load
from gradnorm.comparison.verdict import Verdict, verdict
from gradnorm.config.spec import methods
from gradnorm.runs.records import RunInfo

if TYPE_CHECKING:
    from gradnorm.runs.store import RunStore

# Options that change nothing of what is learnt.
_HARMLESS = ("device", "threads", "pace", "watch_norms", "checkpoint_every")
# So many of the newest steps tell how hard tasks pull.
_STEPS = 4096


def verdict_on(store: RunStore, run: str) -> Verdict:
    """Return what came of a run beside those it can be measured against. Raises UnknownRunError."""
    info = store.info(run)
    ids = [run, *(each.run for each in rivals(store, info))]
    found = {each.info.run: each for each in load(store, ids).runs}
    if run not in found:
        return Verdict("")
    others = [found[each] for each in ids[1:] if each in found]
    return verdict(found[run], others, {each: _pulls(store, found[each].info) for each in found})


def rivals(store: RunStore, info: RunInfo) -> list[RunInfo]:
    """Return the other runs of its race, and those of its family or with equal weights that began alike.

    A race of several seeds is judged by itself. Raises UnknownRunError.
    """
    family = store.family(info.run)
    race = [each for each in family if info.race is not None and each.race == info.race]
    found = {each.run: each for each in race}
    start = _start(info)
    if start is not None and len({each.spec.get("seed") for each in race}) <= 1:
        found |= {each.run: each for each in (*family, *_equal(store, info.spec)) if _start(each) == start}
    found.pop(info.run, None)
    return list(found.values())


def _equal(store: RunStore, spec: Mapping[str, Any]) -> Sequence[RunInfo]:
    """Return the newest runs with equal weights of a spec's data set and seed; none if it lacks these."""
    # Needs packages that the library by itself does without.
    from gradnorm.runs.query import Query

    if "dataset" not in spec or "seed" not in spec:
        return []
    query = Query(method="equal", dataset=str(spec["dataset"]), text=f"seed={spec['seed']}")
    return store.catalogue.infos(store.catalogue.ids(query)[:50])


def _start(info: RunInfo) -> str | None:
    """Return what a run began with, all but the method; None of a fork, a script's run, or one of another version."""
    spec: Mapping[str, Any] = info.spec
    method = methods().get(str(spec.get("method")))
    if method is None or info.forked_at or info.recorded:
        return None
    own = {*method.model_fields, *_HARMLESS, "method"}
    return json.dumps([info.tasks, {key: value for key, value in spec.items() if key not in own}], sort_keys=True)


def _pulls(store: RunStore, info: RunInfo) -> tuple[float, ...]:
    """Return the geometric mean of each task's gradient norm at W; empty where none was measured."""
    norms = store.read(info.run, max(info.forked_at, info.steps - _STEPS)).vector("gradient_norms")
    sound = norms[np.isfinite(norms).all(axis=1) & (norms > 0).all(axis=1)]
    return tuple(np.exp(np.log(sound).mean(axis=0)).tolist()) if len(sound) else ()
