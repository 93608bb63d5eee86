"""A comparison as tables of text, for a terminal, a LaTeX file, a report and a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradnorm.common.texts import filled, later
from gradnorm.comparison.compared import Comparison
from gradnorm.comparison.measures import Measure
from gradnorm.comparison.scores import Statistic
from gradnorm.comparison.statistics import Spread
from gradnorm.runs.plain import short

NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """Rows of text under a head. best: row and column of each cell that no other of its column is better than."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[tuple[int, int]] = frozenset()


def described(statistic: Statistic, last: int) -> str:
    """Return what a statistic is, in words. last: how many evaluations "last" averages."""
    if statistic == "last" and last > 1:
        return filled("mean of the last {count} evaluations", count=last)
    return filled("best evaluation, each measure by itself") if statistic == "best" else filled("last evaluation")


def runs(comparison: Comparison) -> Table:
    """Return each run with its group, seed, state and steps."""
    rows = [
        (
            run.info.run,
            group.label,
            NOTHING if run.seed is None else str(run.seed),
            run.info.state,
            f"{run.info.steps:,}",
        )
        for group in comparison.groups
        for run in group.runs
    ]
    return Table((later("Run"), later("Group"), later("Seed"), later("State"), later("Steps")), tuple(rows))


def scores(comparison: Comparison, statistic: Statistic, measures: Sequence[Measure]) -> Table:
    """Return mean ± standard deviation over seeds, a row a group, and Δm where there is one."""
    shows_gain = bool(comparison.against)
    head = (
        later("Group"),
        later("Seeds"),
        *(measure.title for measure in measures),
        *(("Δm %",) if shows_gain else ()),
    )
    rows: list[tuple[str, ...]] = []
    for group in comparison.groups:
        own = [comparison.score(group, statistic, measure) for measure in measures]
        seeds = max((score.spread.n for score in own if score), default=0)
        gained = comparison.gains.get((group.label, statistic)) if shows_gain else None
        last = (_cell(gained and gained.spread, signed=True),) if shows_gain else ()
        rows.append((group.label, str(seeds), *(_cell(score and score.spread) for score in own), *last))
    best = {
        (comparison.groups.index(winner), column)
        for column, measure in enumerate(measures, 2)
        if (winner := comparison.best(statistic, measure))
    }
    return Table(head, tuple(rows), frozenset(best))


def differences(comparison: Comparison, statistic: Statistic, measures: Sequence[Measure]) -> Table | None:
    """Return the paired differences to the baseline with their p; None where no group shares a seed with it."""
    rows: list[tuple[str, ...]] = []
    for group in comparison.groups:
        pairs = [score and score.paired for score in (comparison.score(group, statistic, m) for m in measures)]
        if any(pairs):
            count = max(pair.pairs for pair in pairs if pair)
            texts = [_minus(f"{pair.difference:+.3g} (p {pair.p:.3g})") if pair else NOTHING for pair in pairs]
            rows.append((group.label, str(count), *texts))
    head = (
        filled("Difference to {label}", label=comparison.baseline.label),
        later("Pairs"),
        *(measure.title for measure in measures),
    )
    return Table(head, tuple(rows)) if rows else None


def differs(comparison: Comparison) -> Table | None:
    """Return the options in which groups differ, a row an option; None where there is none."""
    rows = [
        (key, *(NOTHING if value is None else short(value) for value in values))
        for key, values in comparison.differs.items()
    ]
    return Table((later("Option"), *(group.label for group in comparison.groups)), tuple(rows)) if rows else None


def why_no_gain(comparison: Comparison, statistic: Statistic) -> list[str]:
    """Return a sentence for each group that lacks Δm of some of its runs."""
    return [
        f"{group.label}: {gained.why}"
        for group in comparison.groups
        if (gained := comparison.gains.get((group.label, statistic))) and gained.why
    ]


def notes(comparison: Comparison, statistic: Statistic) -> list[str]:
    """Return what a reader of the tables should know."""
    what = described(statistic, comparison.last)
    told: list[str] = [filled("Scores: {what}; mean ± standard deviation over seeds.", what=what)]
    if any(score.paired for score in comparison.table.values()):
        told.append(
            later(
                "p: exact two-sided sign-flip permutation test over seeds that both have; with n pairs it is 2/2ⁿ at "
                "the least, so five pairs can't go below 0.0625. It is not corrected for the number of comparisons."
            )
        )
    if comparison.against:
        told.append(filled("Δm: mean gain over all test metrics against {what}, in per cent.", what=comparison.against))
    return [*told, *why_no_gain(comparison, statistic)]


def page(comparison: Comparison, statistic: Statistic) -> str:
    """Return all that a terminal shows of a comparison."""
    shown = [make(comparison, statistic, comparison.headline) for make in (scores, differences)]
    texts = [as_text(table) for table in (*shown, differs(comparison)) if table]
    return "\n\n".join([*texts, "\n".join(notes(comparison, statistic))])


def as_text(table: Table) -> str:
    """Return the table with its columns aligned, for a terminal."""
    lines = [table.head, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.head))]
    return "\n".join("  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _cell(found: Spread | None, *, signed: bool = False) -> str:
    if found is None:
        return NOTHING
    mean = _minus(f"{found.mean:+.2f}" if signed else f"{found.mean:.4g}")
    return mean if found.sd is None else f"{mean} ± {found.sd:.2g}"


def _minus(number: str) -> str:
    return number.replace("-", "−")
