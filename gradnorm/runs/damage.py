"""What of a run's records is missing or not as it was written, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["records", "evaluations", "changes"]


@dataclass(frozen=True)
class Damage:
    """Steps of a run whose records cannot be read, or among which evaluations or live changes are missing.

    kind: of what was recorded.  first, last: the steps, both included.
    """

    kind: Kind
    first: int
    last: int


def gaps(spans: Iterable[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """Return the steps first … last that no span holds, as spans. spans: in their order."""
    missing: list[tuple[int, int]] = []
    for start, end in spans:
        if start > first:
            missing.append((first, min(start - 1, last)))
        first = max(first, end + 1)
    if first <= last:
        missing.append((first, last))
    return [(start, end) for start, end in missing if start <= end]


def sentence(run: str, damage: Sequence[Damage]) -> str:
    """Return what to tell the user of a run's damage, and what to do; "" if there is none."""
    told = found(run, damage)
    return f"{told} They are left out. Run `gradnorm doctor` to see what else is damaged." if told else ""


def found(run: str, damage: Sequence[Damage]) -> str:
    """Return what of a run is damaged, as a sentence; "" if nothing is."""
    kinds: tuple[Kind, ...] = ("records", "evaluations", "changes")
    named = {kind: [_steps(each) for each in damage if each.kind == kind] for kind in kinds}
    listed = "; ".join(f"{kind} of {_joined(spans)}" for kind, spans in named.items() if spans)
    if not listed:
        return ""
    return f"The records of run {run} should be as they were written. Found missing or damaged: {listed}."


def undescribed(runs: Sequence[str]) -> str:
    """Return what to tell the user of runs whose description is damaged; "" if there are none."""
    if not runs:
        return ""
    return (
        f"The description of each run should be as it was written. Found damaged: {', '.join(runs)}. "
        "Run `gradnorm doctor` to see what is left, and `gradnorm doctor --repair` to mend what can be."
    )


def _steps(damage: Damage) -> str:
    return f"{damage.first:,}" if damage.first == damage.last else f"{damage.first:,}–{damage.last:,}"


def _joined(spans: Sequence[str], most: int = 8) -> str:
    more = f" and {len(spans) - most} more places" if len(spans) > most else ""
    return f"steps {', '.join(spans[:most])}{more}"
