"""Which runs are drawn together, by which names."""

from __future__ import annotations

from gradnorm.common.texts import filled
from gradnorm.config.variants import MOST_CONTENDERS, labels
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import RunStore, UnknownRunError
from gradnorm.runs.titles import alpha_text
from gradnorm.ui.words import ENGLISH, said


def contenders(store: RunStore, info: RunInfo, code: str = ENGLISH) -> list[dict[str, str]]:
    """Return each run to draw, the watched one and the newest of its family, as many as a race may have.

    Of each `run` and `label`; `team`, the name of the runs that differ from it in nothing but the seed; its `method`.
    code: the language of the names, but for those that a script or a user gave.
    """
    try:
        family = store.family(info.run)
    except UnknownRunError:  # deleted since it was read
        family = [info]
    others = [member.run for member in family if member.run != info.run]
    shown = {info.run, *others[-(MOST_CONTENDERS - 1) :]}
    drawn = [member for member in family if member.run in shown]
    # A run's title tells how α was moved.
    alphas = [alpha_text(member) for member in drawn]
    names = labels([member.spec for member in drawn], alphas)
    teams = labels([{key: value for key, value in member.spec.items() if key != "seed"} for member in drawn], alphas)
    return [
        {
            "run": m.run,
            "label": said(_label(m, name), code),
            "team": said(_label(m, team), code),
            "method": str(m.spec.get("method")),
        }
        for m, name, team in zip(drawn, names, teams, strict=True)
    ]


def _label(info: RunInfo, name: str) -> str:
    """Add the step of a fork: a fork with its parent's settings would have the same name."""
    return filled("{name}, fork at {step:,}", name=name, step=info.forked_at) if info.forked_at else name
