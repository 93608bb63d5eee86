"""What the repeated Figure 2 shows: a table, the paper's claims in sentences, and the figure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from gradnorm.experiments.figure2 import Result
from gradnorm.experiments.trials import Trial

TITLES = {
    "equal": "Equal weights",
    "uncertainty": "Uncertainty weighting",
    "fixed": "Tuned fixed weights",
    "gradnorm-log": "GradNorm, log update, α 0.12",
    "gradnorm": "GradNorm, α 0.12",
    "static": "GradNorm Static",
    "single": "Single tasks, one seed",
}


@dataclass(frozen=True)
class _Values:
    """The final loss of each seed, and the loss averaged over the run."""

    final: list[float]
    mean: list[float]


def table(result: Result) -> str:
    """Return the result as a Markdown table, a line a method, with the search and the spread over seeds."""
    lines = [
        "| method | learning rate | final test loss, median | least | most | mean over the run | search: rate → loss |",
        "|" + "---|" * 7,
    ]
    for row in result.trials:
        values = _values(result, row)
        told = [f(values.final) for f in (statistics.median, min, max)] + [statistics.median(values.mean)]
        rates = dict.fromkeys(f"{t.learning_rate:g}" for t in result.trials[row])
        lines.append(f"| {' | '.join([TITLES[row], ', '.join(rates), *map(_number, told), _searched(result, row)])} |")
    return "\n".join(lines)


def _searched(result: Result, row: str) -> str:
    """Return what the search of a row found, as text."""
    if row == "static":
        return "none: GradNorm's rate"
    if row == "single":
        return "each task by itself"
    name = result.trials[row][0].method
    found = ", ".join(f"{rate:g} → {_number(loss)}" for rate, loss in sorted(result.search[name].items()))
    if row != "fixed":
        return found
    weights = ", ".join(f"{w:.3g}" for w in result.draws[name])
    return f"best of {len(result.draws)} draws: w = {weights}; {found}"


def verdict(result: Result) -> list[str]:
    """Return whether each claim of the paper held, a sentence a claim."""
    claims = [
        ("equal weights", "equal"),
        ("uncertainty weighting", "uncertainty"),
        ("tuned fixed weights", "fixed"),
        ("its log update", "gradnorm-log"),
        ("GradNorm Static", "static"),
    ]
    parts: list[tuple[str, Callable[[_Values], list[float]]]] = [
        ("median final test loss", lambda values: values.final),
        ("test loss averaged over the run", lambda values: values.mean),
    ]
    found: list[str] = []
    for what, part in parts:
        median = {row: statistics.median(part(_values(result, row))) for row in result.trials}
        found += [
            f"GradNorm's {what}, {_number(median['gradnorm'])}, is "
            f"{'under' if median['gradnorm'] < median[other] else 'not under'} that of {name}, "
            f"{_number(median[other])}."
            for name, other in claims
        ]
    return found


def picture(result: Result, path: Path) -> None:
    """Write the figure as SVG; seeds that diverged are not in it."""
    from gradnorm.charts.figure2 import draw

    whole = {row: _whole(group) for row, group in result.trials.items()}
    drawn = {row: group for row, group in whole.items() if group}
    draw(
        path,
        {TITLES[row]: (group[0].steps, [*_curves(group).values()]) for row, group in drawn.items()},
        {
            TITLES[row]: (drawn[row][0].weight_steps, [t.weights for t in drawn[row]])
            for row in ("uncertainty", "gradnorm-log", "gradnorm")
            if row in drawn
        },
        f"Toy with {result.tasks} tasks, {result.seeds} seeds",
    )


def _whole(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of the seeds of which none diverged."""
    diverged = {t.seed for t in trials if not math.isfinite(t.final)}
    return [t for t in trials if t.seed not in diverged]


def _values(result: Result, row: str) -> _Values:
    curves = _curves(result.trials[row]).values()
    return _Values([losses[-1] for losses in curves], [statistics.fmean(losses[1:]) for losses in curves])


def _curves(trials: Sequence[Trial]) -> Mapping[int, Sequence[float]]:
    """Return by seed the losses at each evaluation, those of single tasks added up; infinite after a divergence."""
    by_seed: dict[int, list[tuple[float, ...]]] = {}
    for trial in trials:
        by_seed.setdefault(trial.seed, []).append(trial.losses)
    return {seed: [sum(at) for at in zip_longest(*own, fillvalue=math.inf)] for seed, own in by_seed.items()}


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "diverged"
