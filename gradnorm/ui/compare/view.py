"""What the Compare page shows, as its address holds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from gradnorm.comparison.curves import AXES, By
from gradnorm.comparison.scores import STATISTICS, Statistic

Picture = Literal["png", "svg"]
PICTURES: tuple[Picture, ...] = get_args(Picture)
MOST_LAST = 1000


@dataclass(frozen=True)
class View:
    """Which runs are compared, and how.

    runs: ids.  by: what curves are aligned by.  metrics: keys of the measures that are drawn; empty for the first.
    score, last: which evaluation counts, and how many the score "last" averages.
    baseline: a run's id; "" leaves the choice to `compare`.  log: whether values have a logarithmic axis.
    picture: what the camera above a figure saves.
    """

    runs: tuple[str, ...] = ()
    by: By = "step"
    metrics: tuple[str, ...] = ()
    score: Statistic = "final"
    last: int = 5
    baseline: str = ""
    log: bool = False
    picture: Picture = "png"

    def query(self) -> dict[str, str | list[str]]:
        """Return the address's query, which `read` reads back; what is as usual is left out."""
        usual = View()
        found: dict[str, str | list[str]] = {"runs": ",".join(self.runs), "metric": list(self.metrics)}
        for key in ("by", "score", "last", "baseline", "picture"):
            found[key] = str(getattr(self, key)) if getattr(self, key) != getattr(usual, key) else ""
        found["log"] = "1" if self.log else ""
        return {key: value for key, value in found.items() if value}


def read(query: Mapping[str, Sequence[str]]) -> tuple[View, list[str]]:
    """Return what an address asks for, and a sentence for each value that can't be used; the usual one is taken then.

    query: all values by key, as in {"runs": ["a,b"], "metric": ["weights.price"]}.
    """
    told: list[str] = []
    first = {key: values[0] for key, values in query.items() if values}

    def choice(key: str, known: Sequence[str]) -> str:
        value = first.get(key, known[0])
        if value not in known:
            told.append(f"{key} should be one of {', '.join(known)}. Found {value[:40]!r}. This page shows {known[0]}.")
            return known[0]
        return value

    last = first.get("last", str(View.last))
    if not (last.isdecimal() and 1 <= int(last[:9]) <= MOST_LAST):
        told.append(f"last should be in [1, {MOST_LAST:,}]. Found {last[:40]!r}. This page takes {View.last}.")
        last = str(View.last)
    runs = dict.fromkeys(run.strip() for text in query.get("runs", ()) for run in text.split(",") if run.strip())
    view = View(
        runs=tuple(runs),
        by=cast("By", choice("by", AXES)),
        metrics=tuple(dict.fromkeys(query.get("metric", ()))),
        score=cast("Statistic", choice("score", STATISTICS)),
        last=int(last),
        baseline=first.get("baseline", ""),
        log=first.get("log") == "1",
        picture=cast("Picture", choice("picture", PICTURES)),
    )
    return view, told
