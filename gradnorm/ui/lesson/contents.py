"""The steps of the lesson in order: each has its words and its trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from gradnorm.ui.lesson import prose
from gradnorm.ui.lesson.steps import (
    alpha,
    by_hand,
    data,
    drowning,
    equation,
    limits,
    norms,
    rates,
    renormalise,
    target,
    when_not,
)
from gradnorm.ui.lesson.trial import Trial
from gradnorm.ui.location import assets
from gradnorm.ui.words import language

# By the names of the files in assets/prose/lesson/, which are also those in the address.
_TRIALS: dict[str, Trial] = {
    "data": data.TRIAL,
    "drowning": drowning.TRIAL,
    "by-hand": by_hand.TRIAL,
    "norms": norms.TRIAL,
    "rates": rates.TRIAL,
    "target": target.TRIAL,
    "alpha": alpha.TRIAL,
    "renormalise": renormalise.TRIAL,
    "limits": limits.TRIAL,
    "equation": equation.TRIAL,
    "when-not": when_not.TRIAL,
}


@dataclass(frozen=True)
class Step:
    """One step. number: from 1.  name: in the address.  trial: what is tried."""

    number: int
    name: str
    trial: Trial

    @property
    def words(self) -> prose.Prose:
        """What is read, in the visitor's language."""
        return texts(language())[self.name]


@cache
def texts(code: str) -> Mapping[str, prose.Prose]:
    """Return the texts of all steps in a language, read once a process; English where it has none.

    Raises ProseError if a text is malformed, or is that of no step.
    """
    folder = assets() / "prose"
    words = prose.read(here if (here := folder / code / "lesson").is_dir() else folder / "lesson")
    if tuple(words) != tuple(_TRIALS):
        raise prose.ProseError(f"The texts should be {', '.join(_TRIALS)}, in this order. Found {', '.join(words)}.")
    return words


@cache
def steps() -> tuple[Step, ...]:
    """Return all steps in order."""
    return tuple(Step(i + 1, name, trial) for i, (name, trial) in enumerate(_TRIALS.items()))


def find(name: str) -> Step | None:
    """Return the step of a name, None if there is none."""
    return next((step for step in steps() if step.name == name), None)
