"""Prints how far from the true solution methods end on four equations: `python tools/equations_table.py FILE [JOBS]`.

FILE: where results are kept, a line of JSON a run. Runs that are there are not trained again.
JOBS: processes at a time, one if it is left out. Each run has the settings of the preset `helmholtz`.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from gradnorm.config.spec import methods, preset
from gradnorm.runs.records import Evaluation, Outcome

# Made for equations, or the strongest elsewhere; all with their defaults.
METHODS = ("equal", "gradnorm", "uncertainty", "lr-annealing", "relobralo", "softadapt", "config", "m-config", "db-mtl")
EQUATIONS = ("helmholtz", "burgers", "allen_cahn", "advection")
SEEDS = (1, 2)
# Of the equation that GradNorm is judged by.
FIVE_SEEDS = (1, 2, 3, 4, 5)

# Equation, method, seed.
Case = tuple[str, str, int]


def cases() -> Iterator[Case]:
    """Yield all runs, those that matter most first."""
    for method in METHODS:
        for equation in EQUATIONS:
            five = equation == "helmholtz" and method in ("equal", "gradnorm")
            for seed in FIVE_SEEDS if five else SEEDS:
                yield equation, method, seed


def error(case: Case) -> float | None:
    """Return the relative L2 error at the end of a run; None if it did not finish."""
    import torch

    from gradnorm.training.engine import train

    torch.set_num_threads(1)
    equation, method, seed = case
    fixed = {"watch_norms": False, "checkpoint_every": 0, "eval_every": 1000}
    last: dict[type, object] = {}
    for record in train(preset("helmholtz", {**fixed, "dataset": equation, "method": method, "seed": seed})):
        last[type(record)] = record
    end, ending = last[Evaluation], last[Outcome]
    assert isinstance(end, Evaluation)
    assert isinstance(ending, Outcome)
    return next(iter(end.metrics[0].values())) if ending.kind == "finished" else None


def measured(file: Path, jobs: int) -> Mapping[Case, float | None]:
    """Return the error of each case, training those that `file` does not hold."""
    kept = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    found: dict[Case, float | None] = {(equation, method, seed): value for equation, method, seed, value in kept}
    left = [case for case in cases() if case not in found]
    # Threads of torch do not survive a fork.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool, file.open("a") as results:
        futures = {pool.submit(error, case): case for case in left}
        for done, future in enumerate(as_completed(futures), 1):
            case = futures[future]
            found[case] = future.result()
            results.write(json.dumps([*case, found[case]]) + "\n")
            results.flush()
            print(f"{done} of {len(left)}: {case} {found[case]}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Print the table: a row a method, a column an equation."""
    if len(sys.argv) < 2:
        sys.exit("Usage: python tools/equations_table.py FILE [JOBS]")
    found = measured(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(f"| method | {' | '.join(EQUATIONS)} |\n|{'---|' * (len(EQUATIONS) + 1)}")
    for method in METHODS:
        by_equation = [
            [v for (e, m, _), v in sorted(found.items()) if (e, m) == (equation, method)] for equation in EQUATIONS
        ]
        print(f"| {methods()[method].title} | {' | '.join(map(_cell, by_equation))} |")


def _cell(errors: Sequence[float | None]) -> str:
    ends = [each for each in errors if each is not None]
    each = " / ".join("diverged" if value is None else f"{value:.3g}" for value in errors)
    return each if len(errors) < len(FIVE_SEEDS) else f"{each} (median {statistics.median(ends):.3g})"


if __name__ == "__main__":
    main()
