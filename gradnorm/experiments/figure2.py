"""The paper's Figure 2 once more: the toy with 2 or 10 tasks, each method at its own best learning rate.

The paper leaves the learning rate open. Every method gets the same small search over it, on seeds of its own: three
rates, and further ones on the side of the best until it has a worse one on either side. What is reported comes from
other seeds.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gradnorm.config.spec import RunSpec, changed, preset
from gradnorm.config.variants import static
from gradnorm.runs.records import Evaluation, StepRecord

METHODS = ("equal", "uncertainty", "gradnorm")
LEARNING_RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
# The search begins with these.
FIRST_RATES = (3e-4, 1e-3, 3e-3)
SEARCH_SEEDS = (101, 102)
# Of the weights' curve: one point in so many steps.
THINNING = 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trial:
    """One run: its test loss at each evaluation, and w(t) every THINNING steps; loss is infinite if it diverged."""

    method: str
    learning_rate: float
    seed: int
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    weight_steps: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    mean_weights: tuple[float, ...]

    @property
    def final(self) -> float:
        """The task-normalised test loss after the last step; infinite if the run diverged."""
        return self.losses[-1]

    @property
    def mean(self) -> float:
        """The task-normalised test loss averaged over the run, without step 0."""
        return statistics.fmean(self.losses[1:])


@dataclass(frozen=True)
class Result:
    """Everything that the table and the figure show.

    search: for each method and learning rate the median final loss over SEARCH_SEEDS.
    best: the learning rate that each method then used.  trials: the reported runs, by method.
    """

    tasks: int
    seeds: int
    steps: int
    search: Mapping[str, Mapping[float, float]]
    best: Mapping[str, float]
    trials: Mapping[str, Sequence[Trial]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, without the curves."""
        curves = ("steps", "losses", "weight_steps", "weights")
        return {
            "tasks": self.tasks,
            "seeds": self.seeds,
            "steps": self.steps,
            "search": {m: {f"{rate:g}": loss for rate, loss in found.items()} for m, found in self.search.items()},
            "best": dict(self.best),
            "trials": [
                {**{k: v for k, v in asdict(t).items() if k not in curves}, "final": t.final}
                for group in self.trials.values()
                for t in group
            ],
        }


def reproduce(tasks: int, seeds: int, jobs: int, progress: Progress, steps: int | None = None) -> Result:
    """Search each method's learning rate, then train it on `seeds` seeds; GradNorm Static comes from GradNorm's runs.

    tasks: 2 or 10, the paper's two toys.  jobs: processes at a time.  progress: told how many runs of how many are
    done.  steps: of each run; None takes the preset's.
    """
    base = preset(f"toy-{tasks}", {"watch_norms": False, "checkpoint_every": 0, **({"steps": steps} if steps else {})})
    done, total = 0, len(METHODS) * (len(FIRST_RATES) * len(SEARCH_SEEDS) + seeds) + seeds

    def all_of(pool: Executor, specs: Sequence[RunSpec]) -> list[Trial]:
        nonlocal done
        futures: list[Future[Trial]] = [pool.submit(trial, spec.to_json()) for spec in specs]
        for _ in as_completed(futures):
            done += 1
            progress(done, max(total, done))
        return [future.result() for future in futures]

    # Threads of torch do not survive a fork.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        search: dict[str, dict[float, float]] = {m: {} for m in METHODS}
        while wanted := [(m, rate) for m in METHODS for rate in next_rates(search[m])]:
            pairs = [(m, rate, seed) for m, rate in wanted for seed in SEARCH_SEEDS]
            total += len(pairs) if any(search.values()) else 0
            found = all_of(pool, [_spec(base, *pair) for pair in pairs])
            for m, rate in wanted:
                finals = [t.final for t in found if (t.method, t.learning_rate) == (m, rate)]
                search[m][rate] = statistics.median(finals)
        best = {m: min(search[m], key=lambda rate, m=m: search[m][rate]) for m in METHODS}
        reported = range(1, seeds + 1)
        found = all_of(pool, [_spec(base, m, best[m], seed) for m in METHODS for seed in reported])
        trials = {m: [t for t in found if t.method == m] for m in METHODS}
        fixed = [static(_spec(base, "gradnorm", t.learning_rate, t.seed), t.mean_weights) for t in trials["gradnorm"]]
        trials["static"] = all_of(pool, fixed)
    return Result(tasks, seeds, base.steps, search, {**best, "static": best["gradnorm"]}, trials)


def next_rates(searched: Mapping[float, float]) -> list[float]:
    """Return the learning rates to be tried next: none once the best has a neighbour on either side.

    searched: the loss at each rate tried so far; infinite where a run diverged.
    """
    if not searched:
        return list(FIRST_RATES)
    at = LEARNING_RATES.index(min(searched, key=lambda rate: searched[rate]))
    return [rate for rate in LEARNING_RATES[max(0, at - 1) : at + 2] if rate not in searched]


def trial(spec_json: str) -> Trial:
    """Train one spec in this process."""
    from gradnorm.training.engine import train

    # One core a process: the pool has them all.
    os.environ["OMP_NUM_THREADS"] = "1"
    spec = RunSpec.from_json(spec_json)
    evaluations: list[Evaluation] = []
    weights: list[tuple[float, ...]] = []
    outcome = ""
    for item in train(spec):
        if isinstance(item, StepRecord):
            weights.append(item.weights)
        elif isinstance(item, Evaluation):
            evaluations.append(item)
        else:
            outcome = getattr(item, "kind", "")
    losses = [e.task_normalized_loss for e in evaluations]
    if outcome != "finished" or not math.isfinite(losses[-1]):
        losses[-1] = math.inf
    mean = [sum(w) / max(len(weights), 1) for w in zip(*weights, strict=True)]
    return Trial(
        method=spec.method.name,
        learning_rate=spec.learning_rate,
        seed=spec.seed,
        steps=tuple(e.step for e in evaluations),
        losses=tuple(losses),
        weight_steps=tuple(range(1, len(weights) + 1, THINNING)),
        weights=tuple(weights[::THINNING]),
        mean_weights=tuple(mean),
    )


def table(result: Result) -> str:
    """Return the result as a Markdown table, a line a method, with the search and the spread over seeds."""
    lines = [
        "| method | learning rate | final test loss, median | least | most | mean over the run | search: rate → loss |",
        "|" + "---|" * 7,
    ]
    for method, group in result.trials.items():
        finals = [t.final for t in group]
        found = sorted(result.search.get(method, {}).items())
        searched = ", ".join(f"{rate:g} → {_number(loss)}" for rate, loss in found) or "none: GradNorm's rate"
        told = [*(f(finals) for f in (statistics.median, min, max)), statistics.median(t.mean for t in group)]
        cells = [TITLES[method], f"{result.best[method]:g}", *map(_number, told), searched]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def verdict(result: Result) -> list[str]:
    """Return whether each claim of the paper held, a sentence a claim."""
    claims = [("equal weights", "equal"), ("uncertainty weighting", "uncertainty"), ("GradNorm Static", "static")]
    found: list[str] = []
    for what, value in (("median final test loss", "final"), ("test loss averaged over the run", "mean")):
        median = {m: statistics.median(getattr(t, value) for t in group) for m, group in result.trials.items()}
        found += [
            f"GradNorm's {what}, {_number(median['gradnorm'])}, is "
            f"{'under' if median['gradnorm'] < median[other] else 'not under'} that of {name}, "
            f"{_number(median[other])}."
            for name, other in claims
        ]
    return found


def picture(result: Result, path: Path) -> None:
    """Write the figure as SVG."""
    from gradnorm.charts.figure2 import draw

    def curves(method: str) -> tuple[tuple[int, ...], list[tuple[float, ...]]]:
        group = [t for t in result.trials[method] if math.isfinite(t.final)] or [*result.trials[method]]
        return group[0].steps, [t.losses for t in group]

    moving = {m: result.trials[m] for m in ("uncertainty", "gradnorm")}
    draw(
        path,
        {TITLES[m]: curves(m) for m in result.trials},
        {TITLES[m]: (group[0].weight_steps, [t.weights for t in group]) for m, group in moving.items()},
        f"Toy with {result.tasks} tasks, {result.seeds} seeds",
    )


TITLES = {
    "equal": "Equal weights",
    "uncertainty": "Uncertainty weighting",
    "gradnorm": "GradNorm, α 0.12",
    "static": "GradNorm Static",
}


def _spec(base: RunSpec, method: str, learning_rate: float, seed: int) -> RunSpec:
    changes = {"method": method, "learning_rate": learning_rate, "seed": seed}
    if method == "gradnorm":
        changes["alpha"] = 0.12
    return changed(base.flat(), changes)


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "diverged"
