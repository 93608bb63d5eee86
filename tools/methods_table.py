"""Prints one table of all weighting methods on all small problems: `python tools/methods_table.py FILE [JOBS]`.

FILE: where results are kept, a line of JSON a problem. Problems that are there are not trained again.
JOBS: processes at a time, as many as cores if it is left out. Left out are `static`, which has no weights of its own,
and `single`, which trains one task only.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from gradnorm.config.spec import RunSpec, SpecError, changed, methods, preset
from gradnorm.experiments.trials import Trainer

SEEDS = (1, 2)
# Presets and problems, and what makes them short: steps, and fewer points for the equations.
PROBLEMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "toy-2": ("toy-2", {"steps": 1000}),
    "toy-10": ("toy-10", {"steps": 500}),
    "digits": ("digits", {"steps": 500}),
    "diamonds": ("diamonds", {"steps": 1000}),
    "bikes": ("bikes", {"steps": 1000}),
    "overlay": ("overlay", {"steps": 100}),
    "helmholtz": ("helmholtz", {"steps": 200}),
    "burgers": ("helmholtz", {"dataset": "burgers", "steps": 200}),
    "allen-cahn": ("helmholtz", {"dataset": "allen_cahn", "steps": 200}),
    "advection": ("helmholtz", {"dataset": "advection", "steps": 200}),
}

# Of one method, by problem: Σ L/L(0) at the end, a value a seed.
Ends = Mapping[str, Sequence[float]]


def specs(name: str) -> dict[str, list[RunSpec]]:
    """Return the runs on one problem, by method; a method that can't be used there is left out."""
    start, changes = PROBLEMS[name]
    base = preset(start, {**changes, "watch_norms": False, "checkpoint_every": 0}).flat()
    found: dict[str, list[RunSpec]] = {}
    for method in methods():
        if method not in ("static", "single"):
            try:
                found[method] = [changed(base, {"method": method, "seed": seed}) for seed in SEEDS]
            except SpecError:
                continue
    return found


def measured(file: Path, trainer: Trainer) -> dict[str, dict[str, list[float]]]:
    """Return the final losses by method and problem, training the problems that `file` does not hold."""
    kept = dict(map(json.loads, file.read_text().splitlines())) if file.exists() else {}
    left = {name: specs(name) for name in PROBLEMS if name not in kept}
    trainer.expect(sum(len(own) for by_method in left.values() for own in by_method.values()))
    for name, by_method in left.items():
        ends: dict[str, list[float]] = {}
        for trial in trainer.train([(method, spec) for method, own in by_method.items() for spec in own]):
            ends.setdefault(trial.method, []).append(trial.final)
        kept[name] = ends
        with file.open("a") as results:
            results.write(json.dumps([name, ends]) + "\n")
    names = {method for ends in kept.values() for method in ends}
    return {method: {name: ends[method] for name, ends in kept.items() if method in ends} for method in names}


def ranks(found: Mapping[str, Ends]) -> dict[str, float]:
    """Return each method's mean rank over the problems, 1 for the lowest loss; those that diverged share the last."""
    own: dict[str, list[float]] = {method: [] for method in found}
    for name in PROBLEMS:
        means = {method: statistics.fmean(ends[name]) for method, ends in found.items() if name in ends}
        for method, mean in means.items():
            better = sum(other < mean for other in means.values())
            own[method].append(len(means) if math.isinf(mean) else better + 1)
    return {method: statistics.fmean(places) for method, places in own.items()}


def main() -> None:
    """Print the table, the lowest mean rank first."""
    if len(sys.argv) < 2:
        sys.exit("Usage: python tools/methods_table.py FILE [JOBS]")
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count() or 1
    with closing(Trainer(jobs, lambda done, of: print(f"{done} of {of} runs", file=sys.stderr, flush=True))) as trainer:
        found = measured(Path(sys.argv[1]), trainer)
    titles = [f"{name}, {changes['steps']} steps" for name, (_, changes) in PROBLEMS.items()]
    print(f"| method | mean rank | below equal weights | {' | '.join(titles)} |\n|{'---|' * (len(PROBLEMS) + 3)}")
    for method, rank in sorted(ranks(found).items(), key=lambda pair: pair[1]):
        ends = found[method]
        pairs = [pair for name in ends for pair in zip(ends[name], found["equal"][name], strict=True)]
        below = "" if method == "equal" else f"{sum(ours < equal for ours, equal in pairs)} of {len(pairs)}"
        cells = [_cell(ends.get(name, ())) for name in PROBLEMS]
        print(f"| {methods()[method].title} | {rank:.1f} | {below} | {' | '.join(cells)} |")


def _cell(ends: Sequence[float]) -> str:
    return " / ".join("diverged" if math.isinf(end) else f"{end:.3g}" for end in ends) or "–"


if __name__ == "__main__":
    main()
