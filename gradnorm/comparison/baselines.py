"""Δm of groups, run by run against the baseline with the same seed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from gradnorm.comparison.delta_m import ALONE, DeltaM, gain
from gradnorm.comparison.groups import Group
from gradnorm.comparison.loading import ComparedRun
from gradnorm.comparison.measures import metrics_of
from gradnorm.comparison.scores import STATISTICS, Scores, Statistic

# The Δm of a group by seed, and the first sentence on a run that has none.
Percents = tuple[Mapping[Hashable, float], str]


def gains(
    groups: Sequence[Group], scored: Mapping[str, Scores], baseline: Group | None
) -> tuple[str, dict[tuple[str, Statistic], Percents]]:
    """Return what Δm is against, in words, and Δm for each group and statistic but for the baseline's.

    scored: the scores of each run, by its id.
    baseline: None takes the single-task runs among the groups; without these there is no Δm.
    """
    alone = [group for group in groups if group.spec.get("method") == "single"] if baseline is None else [baseline]
    if not alone:
        return "", {}
    words = "single-task runs of the same seed" if baseline is None else f"{baseline.label} of the same seed"
    found: dict[tuple[str, Statistic], Percents] = {}
    for group in groups:
        if group in alone:
            continue
        for statistic in STATISTICS:
            each = [_gain(run, alone, scored, statistic, baseline) for run in group.runs]
            why = next((gained.why for gained in each if gained.why), "")
            found[group.label, statistic] = (group.by_seed([gained.percent for gained in each]), why)
    return words, found


def _gain(
    run: ComparedRun, alone: Sequence[Group], scored: Mapping[str, Scores], statistic: Statistic, base: Group | None
) -> DeltaM:
    tasks, own = run.info.tasks, scored[run.info.run][statistic]
    if not own:
        return DeltaM(why=f"Δm needs the tests of a run that has not failed. Found none of run {run.info.run}.")
    yardsticks: list[Mapping[str, float]] = []
    for i, task in enumerate(tasks):
        rivals = [
            other
            for group in alone
            for other in group.runs
            if other.seed == run.seed and other.info.tasks == tasks and (base or other.info.spec.get("task") == i + 1)
        ]
        if len(rivals) != 1:
            wanted = f"run of {task} alone" if base is None else f"run of {base.label} with the same tasks"
            return DeltaM(why=f"Δm needs one {wanted} and seed {run.seed}. Found {len(rivals) or 'none'}.")
        yardsticks.append(metrics_of(scored[rivals[0].info.run][statistic], task))
    whose = ALONE if base is None else base.label
    return gain(tasks, [metrics_of(own, task) for task in tasks], yardsticks, whose)
