"""What came of one run: each measure at its end, at its best, and averaged over its last evaluations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

from gradnorm.comparison.loading import LOST, ComparedRun
from gradnorm.comparison.measures import Measure

Statistic = Literal["final", "best", "last"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)
Scores = Mapping[Statistic, Mapping[Measure, float]]


def scores(run: ComparedRun, last: int) -> Scores:
    """Return the finite scores of a run; none of one that diverged or failed, of which nothing came.

    final: of the newest evaluation.  best: of any evaluation, each measure by itself, where its direction is known.
    last: the mean of the newest ones.  The evaluation before the first step counts only where there is no other.
    last: how many evaluations `last` averages, ≥ 1; all where a run has fewer.
    """
    measured = [values for _, values in run.measured]
    if not measured or run.info.state in LOST:
        return {statistic: {} for statistic in STATISTICS}
    trained = [values for step, values in run.measured if step > run.info.forked_at] or measured
    newest = trained[-last:]
    found: dict[Statistic, dict[Measure, float]] = {"final": dict(trained[-1]), "best": {}, "last": {}}
    for measure in dict.fromkeys(measure for values in trained for measure in values):
        own = [values[measure] for values in trained if math.isfinite(values.get(measure, math.nan))]
        if own and measure.less_is_better is not None:
            found["best"][measure] = min(own) if measure.less_is_better else max(own)
        found["last"][measure] = sum(values.get(measure, math.nan) for values in newest) / len(newest)
    return {name: {m: value for m, value in each.items() if math.isfinite(value)} for name, each in found.items()}
