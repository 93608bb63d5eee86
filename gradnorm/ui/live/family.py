"""Which runs are drawn together, by which names."""

from __future__ import annotations

from gradnorm.config.variants import MOST_CONTENDERS, labels
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.runs.titles import named_alike


def contenders(store: RunStore, info: RunInfo) -> list[dict[str, str]]:
    """Return each run to draw, the watched one and the newest of its family, as many as a race may have.

    Of each `run` and `label`; `team`, the name of the runs that differ from it in nothing but the seed; its `method`.
    """
    try:
        family = store.family(info.run)
    except UnknownRunError:  # deleted since it was read
        family = [info]
    others = [member.run for member in family if member.run != info.run]
    shown = {info.run, *others[-(MOST_CONTENDERS - 1) :]}
    drawn = [member for member in family if member.run in shown]
    names = labels([member.spec for member in drawn])
    teams = labels([{key: value for key, value in member.spec.items() if key != "seed"} for member in drawn])
    return [
        {"run": m.run, "label": _label(m, name), "team": _label(m, team), "method": str(m.spec.get("method"))}
        for m, name, team in zip(drawn, names, teams, strict=True)
    ]


def _label(info: RunInfo, name: str) -> str:
    """Add how α was moved, and the step of a fork: a fork with its parent's settings would have the same name."""
    name = named_alike(name, info.title)
    return f"{name}, fork at {info.forked_at:,}" if info.forked_at else name
