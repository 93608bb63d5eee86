"""Groups of runs side by side: `compare`, and all that its tables and files are written from."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gradnorm.comparison.baselines import gains
from gradnorm.comparison.curves import recorded
from gradnorm.comparison.groups import Group, differing, grouped
from gradnorm.comparison.loading import ComparedRun
from gradnorm.comparison.measures import TOTAL, Measure
from gradnorm.comparison.scores import STATISTICS, Scores, Statistic, scores
from gradnorm.comparison.statistics import Paired, Spread, paired, spread


@dataclass(frozen=True)
class Score:
    """One measure of one group. paired: its difference to the baseline; None where no seed matches."""

    spread: Spread
    paired: Paired | None


@dataclass(frozen=True)
class Gain:
    """Δm of a group in per cent, over its seeds; why: the sentence where there is none."""

    spread: Spread | None
    why: str = ""


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    baseline: the group that differences are to.  against: what Δm is against, in words.
    last: how many evaluations the statistic "last" averages.
    measures: all that tests of any group have.  differs: the options in which groups differ, a value for each group.
    """

    groups: Sequence[Group]
    measures: Sequence[Measure]
    baseline: Group
    against: str
    last: int
    differs: Mapping[str, Sequence[Any]]
    table: Mapping[tuple[str, Statistic, Measure], Score]
    gains: Mapping[tuple[str, Statistic], Gain]

    @property
    def headline(self) -> list[Measure]:
        """The measures that tables show unless told otherwise: the sum of loss ratios, and all test metrics."""
        return [measure for measure in self.measures if measure.metric or measure.quantity == TOTAL]

    def chosen(self, keys: Sequence[str]) -> list[Measure]:
        """Return the measures of these keys, tested or recorded; the first of all where there are no keys.

        Raises ValueError for a key that no run has.
        """
        known = {measure.key: measure for measure in (*self.measures, *recorded(self.groups))}
        for key in keys:
            if key not in known:
                raise ValueError(
                    f"A metric should be one that the runs have: {', '.join(known)}. Found {key[:60]!r}. Choose one."
                )
        return [known[key] for key in dict.fromkeys(keys)] or list(known.values())[:1]

    def score(self, group: Group, statistic: Statistic, measure: Measure) -> Score | None:
        """Return one score; None where the group has none."""
        return self.table.get((group.label, statistic, measure))

    def best(self, statistic: Statistic, measure: Measure) -> Group | None:
        """Return the group of the best mean; None where nobody knows what is better."""
        means = [(each.spread.mean, group) for group in self.groups if (each := self.score(group, statistic, measure))]
        if not means or measure.less_is_better is None:
            return None
        return (min if measure.less_is_better else max)(means, key=lambda pair: pair[0])[1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        rows = [
            {"group": label, "measure": measure.key, "statistic": statistic, **asdict(score.spread)}
            | (asdict(score.paired) if score.paired else {"difference": None, "p": None, "pairs": 0})
            for (label, statistic, measure), score in self.table.items()
        ]
        gained = [
            {"group": label, "statistic": statistic, **(asdict(gain.spread) if gain.spread else {}), "why": gain.why}
            for (label, statistic), gain in self.gains.items()
        ]
        return {
            "groups": [_described(group) for group in self.groups],
            "baseline": self.baseline.label,
            "last": self.last,
            "scores": rows,
            "delta_m": {"against": self.against, "percent": gained},
            "differs": {key: list(values) for key, values in self.differs.items()},
        }


def _described(group: Group) -> dict[str, Any]:
    runs = [{"run": run.info.run, "seed": run.seed, "state": run.info.state} for run in group.runs]
    return {"group": group.label, "runs": runs, "seeds": group.seeds, "spec": dict(group.spec)}


def compare(runs: Sequence[ComparedRun], last: int = 5, baseline: str = "") -> Comparison:
    """Return what tells runs apart, and by how much.

    runs: 1 or more.
    last: how many of the newest evaluations the statistic "last" averages, ≥ 1.
    baseline: the id of a run of the group that the others are compared with. "": that of equal weights, else the first
        of a method that trains all tasks; Δm is then against the single-task runs, if there are any.
    Raises ValueError where there is no run, or no such one.
    """
    if not runs:
        raise ValueError("A comparison should have at least one run. Found none. Name some of `gradnorm runs`.")
    groups = grouped(runs)
    scored = {run.info.run: scores(run, last) for run in runs}
    base = _baseline(groups, baseline)
    measures = list(dict.fromkeys(measure for run in runs for _, values in run.measured for measure in values))
    against, percents = gains(groups, scored, base if baseline else None)
    return Comparison(
        groups=groups,
        measures=measures,
        baseline=base,
        against=against,
        last=last,
        differs=differing(groups),
        table=_table(groups, base, scored, measures),
        gains={key: Gain(spread(list(values.values())), why) for key, (values, why) in percents.items()},
    )


def _baseline(groups: Sequence[Group], wanted: str) -> Group:
    if not wanted:
        usual = sorted(
            groups, key=lambda group: (group.spec.get("method") != "equal", group.spec.get("method") == "single")
        )
        return usual[0]
    for group in groups:
        if any(run.info.run == wanted for run in group.runs):
            return group
    raise ValueError(f"The baseline should be one of the compared runs. Found {wanted[:40]!r}. Add it to them.")


def _table(
    groups: Sequence[Group], base: Group, scored: Mapping[str, Scores], measures: Sequence[Measure]
) -> dict[tuple[str, Statistic, Measure], Score]:
    found: dict[tuple[str, Statistic, Measure], Score] = {}
    for group in groups:
        for statistic in STATISTICS:
            for measure in measures:
                own = _by_seed(group, scored, statistic, measure)
                if spread_ := spread(list(own.values())):
                    pairs = None if group is base else paired(own, _by_seed(base, scored, statistic, measure))
                    found[group.label, statistic, measure] = Score(spread_, pairs)
    return found


def _by_seed(
    group: Group, scored: Mapping[str, Scores], statistic: Statistic, measure: Measure
) -> dict[Hashable, float]:
    return group.by_seed([scored[run.info.run][statistic].get(measure) for run in group.runs])
