"""The paper's Figure 2 once more: the toy with 2 or 10 tasks, each contestant at its own best learning rate.

The paper leaves the learning rate open. Every contestant gets the same small search over it, on seeds of its own: three
rates, and further ones on the side of the best until it has a worse one on either side. What is reported comes from
other seeds.

Tuned fixed weights are the best of several draws, each of which gets that whole search: their budget is as many times
that of a method. The logarithms of a draw's weights are uniform, and as far apart as those of 1/σᵢ² can be, since a
task's loss goes with σᵢ². That is more than one knows of a data set of one's own.

Single tasks are a reference: T networks, each trained for one task at its own best rate. The row has the runs of that
search, on one seed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gradnorm.config.spec import RunSpec, changed, preset
from gradnorm.config.variants import static
from gradnorm.experiments.trials import Progress, Trainer, Trial

LEARNING_RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
# The search begins with these.
FIRST_RATES = (3e-4, 1e-3, 3e-3)
SEARCH_SEEDS = (101, 102)


@dataclass(frozen=True)
class Contestant:
    """What is trained under a name at several learning rates.

    row: of the table that it belongs to.  changes: of the preset.  seeds: those of its search.
    """

    name: str
    row: str
    changes: Mapping[str, Any] = field(repr=False)
    seeds: Sequence[int] = SEARCH_SEEDS

    def spec(self, base: RunSpec, learning_rate: float, seed: int) -> RunSpec:
        """Return the spec of one run: `base`, but for what is given."""
        return changed(base.flat(), {**self.changes, "learning_rate": learning_rate, "seed": seed})


@dataclass(frozen=True)
class Result:
    """Everything that the table and the figure show.

    search: for each contestant and learning rate the median final loss over the seeds of its search.
    best: the learning rate that each contestant then used.  draws: the fixed weights that were tried, by contestant.
    trials: the reported runs, by row; those of "single" are one a task.
    """

    tasks: int
    seeds: int
    steps: int
    search: Mapping[str, Mapping[float, float]]
    best: Mapping[str, float]
    draws: Mapping[str, Sequence[float]]
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
            "draws": {name: list(weights) for name, weights in self.draws.items()},
            "trials": [
                {**{k: v for k, v in asdict(t).items() if k not in curves}, "final": t.final}
                for group in self.trials.values()
                for t in group
            ],
        }


def reproduce(
    tasks: int, seeds: int, jobs: int, progress: Progress, steps: int | None = None, draws: int = 8
) -> Result:
    """Search each contestant's learning rate, then train it on `seeds` seeds; GradNorm Static comes from GradNorm's.

    tasks: 2 or 10, the paper's two toys.  jobs: processes at a time.  progress: told how many runs of how many are
    done.  steps: of each run; None takes the preset's.  draws: fixed weights that are tried, ≥ 1.
    """
    base = preset(f"toy-{tasks}", {"watch_norms": False, "checkpoint_every": 0, **({"steps": steps} if steps else {})})
    drawn = drawn_weights(base.flat()["sigmas"], draws)
    everyone = contestants(tasks, drawn)
    rows = {c.row for c in everyone}
    with closing(Trainer(jobs, progress)) as trainer:
        trainer.expect(sum(len(FIRST_RATES) * len(c.seeds) for c in everyone) + seeds * len(rows))
        search, tried = _search(trainer, base, everyone)
        best = {name: min(found, key=lambda rate, found=found: found[rate]) for name, found in search.items()}
        winner = min(drawn, key=lambda name: search[name][best[name]])
        left = [c for c in everyone if c.row not in ("fixed", "single") or c.name == winner]
        reported = range(1, seeds + 1)
        found = trainer.train([(c.name, c.spec(base, best[c.name], seed)) for seed in reported for c in left])
        trials = {c.row: [t for t in found if t.method == c.name] for c in left}
        (ours,) = [c for c in everyone if c.name == "gradnorm"]
        specs = [static(ours.spec(base, t.learning_rate, t.seed), t.mean_weights) for t in trials["gradnorm"]]
        trials["static"] = trainer.train([("static", spec) for spec in specs])
    alone = [c.name for c in everyone if c.row == "single"]
    trials["single"] = [t for t in tried if t.method in alone and t.learning_rate == best[t.method]]
    best |= {"static": best["gradnorm"], "fixed": best[winner]}
    return Result(tasks, seeds, base.steps, search, best, drawn, trials)


def contestants(tasks: int, drawn: Mapping[str, Sequence[float]]) -> list[Contestant]:
    """Return who takes part: methods, a contestant for each draw of fixed weights, and each task alone."""
    former = {"method": "gradnorm", "update": "log", "heads": "weighted"}
    return [
        Contestant("equal", "equal", {"method": "equal"}),
        Contestant("uncertainty", "uncertainty", {"method": "uncertainty"}),
        *(Contestant(name, "fixed", {"method": "static", "weights": weights}) for name, weights in drawn.items()),
        Contestant("gradnorm-log", "gradnorm-log", former),
        Contestant("gradnorm", "gradnorm", {"method": "gradnorm"}),
        *(
            Contestant(f"single {task}", "single", {"method": "single", "task": task}, SEARCH_SEEDS[:1])
            for task in range(1, tasks + 1)
        ),
    ]


def drawn_weights(sigmas: Sequence[float], draws: int) -> dict[str, tuple[float, ...]]:
    """Return random weights by contestant, each scaled to sum to T; always the same ones.

    sigmas: the scales of the tasks, > 0.  draws: how many, ≥ 1.
    """
    logs = np.random.default_rng(0).uniform(0, 2 * math.log(max(sigmas) / min(sigmas)), (draws, len(sigmas)))
    weights = np.exp(logs)
    weights *= len(sigmas) / weights.sum(1, keepdims=True)
    return {f"fixed {i}": tuple(float(f"{w:.6g}") for w in row) for i, row in enumerate(weights, 1)}


def next_rates(searched: Mapping[float, float]) -> list[float]:
    """Return the learning rates to be tried next: none once the best has a neighbour on either side.

    searched: the loss at each rate tried so far; infinite where a run diverged.
    """
    if not searched:
        return list(FIRST_RATES)
    at = LEARNING_RATES.index(min(searched, key=lambda rate: searched[rate]))
    return [rate for rate in LEARNING_RATES[max(0, at - 1) : at + 2] if rate not in searched]


def _search(
    trainer: Trainer, base: RunSpec, everyone: Sequence[Contestant]
) -> tuple[dict[str, dict[float, float]], list[Trial]]:
    """Return the median final loss of each contestant at each rate that its search came to, and all trials."""
    search: dict[str, dict[float, float]] = {c.name: {} for c in everyone}
    tried: list[Trial] = []
    while wanted := [(c, rate) for c in everyone for rate in next_rates(search[c.name])]:
        runs = [(c.name, c.spec(base, rate, seed)) for c, rate in wanted for seed in c.seeds]
        if tried:
            trainer.expect(len(runs))
        tried += trainer.train(runs)
        for c, rate in wanted:
            finals = [t.final for t in tried if (t.method, t.learning_rate) == (c.name, rate)]
            search[c.name][rate] = statistics.median(finals)
    return search, tried
