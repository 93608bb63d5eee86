"""The prepared race that the panel replays while no run is watched; `make first-race` trains it anew."""

from __future__ import annotations

from functools import cache

from gradnorm.config.spec import preset
from gradnorm.config.variants import against_equal, labels
from gradnorm.ui.words import ENGLISH, said

# The preset that was trained, and the file under assets/live that holds the record.
NAME = "first-race"


@cache
def contenders(code: str = ENGLISH) -> tuple[dict[str, str], ...]:
    """Return `run` and `label` of each run of the record, GradNorm first. code: the language of the labels."""
    names = labels([spec.flat() for spec in against_equal(preset(NAME))])
    return tuple({"run": f"prepared-{i}", "label": said(name, code)} for i, name in enumerate(names))
