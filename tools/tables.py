"""Prints the tables of docs/results.md: `python tools/tables.py NAME`; without a name, the names.

The seeds of a line are trained together, through the engine that the dashboard and the command line use.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from gradnorm.config.spec import PRESETS, preset
from gradnorm.methods.small_start import STEPS
from gradnorm.runs.records import Evaluation, Rows, StepRecord
from gradnorm.runs.solved_tasks import solved
from gradnorm.runs.stuck_tasks import FIRST_STEPS, stuck
from gradnorm.training.together import train_together

SEEDS = (1, 2, 3)
FIVE_SEEDS = (1, 2, 3, 4, 5)
# GradNorm's former defaults: weights that move in steps, and that apply to the heads, too.
STEPWISE: Mapping[str, Any] = {"method": "gradnorm", "update": "log", "heads": "weighted"}
EQUAL: Mapping[str, Any] = {"method": "equal"}

Ways = Sequence[tuple[str, Mapping[str, Any]]]

# Of the tables by seed: task and metric.
METRICS: Mapping[str, Sequence[str]] = {
    "overlay": ("digit accuracy", "garment accuracy", "ink r2", "reconstruction r2"),
    "bikes": ("casual r2", "registered r2", "weather accuracy"),
    "rooms": ("classes miou", "classes pixel_accuracy", "depth rmse", "normals angle_mean", "normals within_11"),
}


def ends(name: str, changes: Mapping[str, Any]) -> list[tuple[Evaluation, tuple[float, ...]]]:
    """Return the last evaluation and the last weights of a preset's runs, one a seed of SEEDS, trained together."""
    fixed = {"watch_norms": False, "checkpoint_every": 0}
    last: list[dict[type, Any]] = [{} for _ in SEEDS]
    runs = train_together([preset(name, {**fixed, **changes, "seed": seed}) for seed in SEEDS])
    for records in zip_longest(*runs):
        for own, record in zip(last, records, strict=True):
            own[type(record)] = record
    return [(own[Evaluation], own[StepRecord].weights) for own in last]


def toy(rows: Ways) -> None:
    """Print final task-normalised test losses, a column a seed."""
    print("| method | seed 1 | seed 2 | seed 3 | weights at the end (seed 1) |\n|---|---|---|---|---|")
    for title, changes in rows:
        found = ends("toy-2", changes)
        losses = " | ".join(f"{e.task_normalized_loss:.3f}" for e, _ in found)
        print(f"| {title} | {losses} | {', '.join(f'{w:.3g}' for w in found[0][1])} |", flush=True)


def heads() -> None:
    """Print final task-normalised test losses of toy-2, with the mean over the run, by what the heads get."""
    gradnorm = [
        (f"{update}, heads {own}, α {alpha:g}", {"update": update, "heads": own, "alpha": alpha, "learning_rate": rate})
        for update, own, alpha, rate in (
            ("log", "weighted", 0.12, 1e-3),
            ("log", "own", 0.12, 1e-3),
            ("closed", "weighted", 0.12, 3e-3),
            ("closed", "own", 0.12, 3e-3),
            ("closed", "own", 1.5, 3e-3),
        )
    ]
    rows: Ways = [("equal", {**EQUAL, "learning_rate": 3e-4}), *gradnorm]
    print("| weights | rate | seed 1 | seed 2 | seed 3 |\n|---|---|---|---|---|")
    fixed = {"watch_norms": False, "checkpoint_every": 0}
    specs = [preset("toy-2", {**fixed, **changes, "seed": seed}) for _, changes in rows for seed in SEEDS]
    losses = [
        [item.task_normalized_loss for item in run if isinstance(item, Evaluation)] for run in train_together(specs)
    ]
    for i, (title, changes) in enumerate(rows):
        own = losses[i * len(SEEDS) : (i + 1) * len(SEEDS)]
        cells = " | ".join(f"{each[-1]:.3f} ({statistics.fmean(each[1:]):.2f})" for each in own)
        print(f"| {title} | {changes['learning_rate']:g} | {cells} |", flush=True)


def every() -> None:
    """Print final losses of toy-2 by how often norms are measured, and how far log w is from that of every step."""
    ways = [
        ("closed, α 1.5", {"update": "closed", "alpha": 1.5, "learning_rate": 3e-3}),
        ("log, α 0.12", {"update": "log", "alpha": 0.12, "learning_rate": 1e-3}),
    ]
    fixed = {"heads": "own", "watch_norms": False, "checkpoint_every": 0}
    print("| weights | every | seed 1 | seed 2 | seed 3 | median gap | largest gap |\n|---|---|---|---|---|---|---|")
    for title, changes in ways:
        usual: Any = None
        for k in (1, 10, 100):
            specs = [preset("toy-2", {**fixed, **changes, "every": k, "seed": seed}) for seed in SEEDS]
            runs = [list(run) for run in train_together(specs)]
            ends = [[r.task_normalized_loss for r in run if isinstance(r, Evaluation)] for run in runs]
            logs = np.log([[r.weights for r in run if isinstance(r, StepRecord)] for run in runs])
            usual = logs if usual is None else usual
            gaps = np.abs(logs - usual).max(2)
            cells = " | ".join(f"{each[-1]:.3f} ({statistics.fmean(each[1:]):.2f})" for each in ends)
            print(f"| {title} | {k} | {cells} | {np.median(gaps):.2g} | {gaps.max():.2g} |", flush=True)


def diamonds() -> None:
    """Print each test metric as its median over the seeds, with the lowest and highest behind it."""
    print("| weights | targets | price R² | carat R² | cut | color | clarity |\n|---|---|---|---|---|---|---|")
    methods = [("equal", EQUAL), ("uncertainty", {"method": "uncertainty"}), *gradnorms()]
    rows = [(title, "raw", changes) for title, changes in methods]
    rows += [(t, "raw, outputs scaled", {**c, "output_scale": True}) for t, c in methods]
    rows.append(("equal", "standardised", {**EQUAL, "units": "standardised"}))
    for title, units, changes in rows:
        cells = zip(*[[next(iter(m.values())) for m in e.metrics] for e, _ in ends("diamonds", changes)], strict=True)
        texts = [f"{statistics.median(c):.2f} ({min(c):.2f} … {max(c):.2f})" for c in cells]
        print(f"| {title} | {units} | {' | '.join(texts)} |", flush=True)


def gradnorms() -> Ways:
    """Return GradNorm's rows away from the toy: both forms with the α that the data set recommends, and α = 0.5."""
    ours = {"method": "gradnorm"}
    return [("GradNorm, log update", STEPWISE), ("GradNorm", ours), ("GradNorm, α 0.5", {**ours, "alpha": 0.5})]


def by_seed(name: str, names: Sequence[str]) -> None:
    """Print test metrics, a column each, with the seeds' values beside one another.

    names: of the metrics, as "depth rmse": task and metric.
    """
    print(f"| method | {' | '.join(names)} | Σ L/L(0) |\n|{'---|' * (len(names) + 2)}")
    tasks = preset(name).dataset.task_names
    for title, changes in [("equal", EQUAL), *gradnorms()]:
        found = [e for e, _ in ends(name, changes)]
        cells = [[e.metrics[tasks.index(task)][metric] for e in found] for task, metric in map(str.split, names)]
        cells.append([e.task_normalized_loss for e in found])
        print(f"| {title} | {' | '.join(' / '.join(f'{v:.3g}' for v in cell) for cell in cells)} |", flush=True)


def stuck_tasks(kept: Path | None) -> None:
    """Print which tasks the rule of `gradnorm.runs.stuck_tasks` names at any evaluation, preset by preset.

    kept: a folder for the evaluations, a file a preset. Those that are there are not trained again, so that another
        rule can be tried on them at once.
    """
    print("| preset | " + " | ".join(f"seed {seed}" for seed in FIVE_SEEDS) + " |\n|" + "---|" * 6)
    for name in PRESETS:
        cells: list[str] = []
        if (steps := preset(name).steps) < FIRST_STEPS:
            print(f"| {name} |" + f" too short to tell: {steps} steps |" * len(FIVE_SEEDS), flush=True)
            continue
        for evaluations in evaluations_of(name, kept):
            named: dict[int, int] = {}
            for count, newest in enumerate(evaluations, 1):
                for each in stuck(evaluations[:count]):
                    named.setdefault(each.task, newest.step)
            cells.append(", ".join(f"task {task + 1} from step {step:,}" for task, step in named.items()) or "none")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def solved_tasks() -> None:
    """Print which tasks the rule of `gradnorm.runs.solved_tasks` names at any evaluation, preset by preset."""
    # The first third of the preset: later the networks have learnt to answer something else than 0.
    short = {"steps": 2000}
    former = {**short, "update": "log", "heads": "weighted", "alpha": 1.5}
    cases: list[tuple[str, Mapping[str, Any]]] = [("helmholtz", former), ("helmholtz", short)]
    cases += [(name, {}) for name in ("toy-2", "toy-10", "digits", "diamonds", "bikes")]
    print("| preset | update | " + " | ".join(f"seed {seed}" for seed in FIVE_SEEDS) + " |\n|" + "---|" * 7)
    for name, changes in cases:
        specs = [preset(name, {**changes, "seed": seed, "checkpoint_every": 0}) for seed in FIVE_SEEDS]
        cells: list[str] = []
        for run in train_together(specs):
            evaluations: list[Evaluation] = []
            last: deque[StepRecord] = deque(maxlen=STEPS)
            named: dict[int, int] = {}
            for item in run:
                if isinstance(item, StepRecord):
                    last.append(item)
                elif isinstance(item, Evaluation):
                    evaluations.append(item)
                    if not last:
                        continue
                    for each in solved(evaluations, _rows(last, "weights") * _rows(last, "losses"), _norms(last)):
                        named.setdefault(each.task, item.step)
            tasks = specs[0].dataset.task_names
            cells.append(", ".join(f"{tasks[task]} from step {step:,}" for task, step in named.items()) or "none")
        print(f"| {name} | {specs[0].flat()['update']} | {' | '.join(cells)} |", flush=True)


def _rows(records: Collection[StepRecord], name: str) -> Rows:
    return np.array([getattr(record, name) for record in records], np.float32)


def _norms(records: Collection[StepRecord]) -> Rows:
    return np.array([r.gradient_norms or (np.nan,) * len(r.losses) for r in records], np.float32).reshape(
        len(records), -1
    )


def evaluations_of(name: str, kept: Path | None) -> list[list[Evaluation]]:
    """Return the evaluations of a preset's runs, one a seed, trained together; see `stuck_tasks`."""
    file = None if kept is None else kept / f"{name}.json"
    if file is not None and file.exists():
        return [[Evaluation.from_dict(each) for each in run] for run in json.loads(file.read_text()).values()]
    runs = train_together([preset(name, {"seed": seed, "checkpoint_every": 0}) for seed in FIVE_SEEDS])
    evaluations: list[list[Evaluation]] = [[] for _ in runs]
    for records in zip(*runs, strict=True):
        for own, record in zip(evaluations, records, strict=True):
            if isinstance(record, Evaluation):
                own.append(record)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        plain = {seed: [each.to_dict() for each in own] for seed, own in zip(FIVE_SEEDS, evaluations, strict=True)}
        file.write_text(json.dumps(plain))
    return evaluations


def main() -> None:
    """Print the table that was asked for."""
    name, *rest = sys.argv[1:] or [""]
    if name == "stuck":
        stuck_tasks(Path(rest[0]) if rest else None)
    elif name == "solved":
        solved_tasks()
    elif name == "toy-2":
        toy(
            [
                ("equal", EQUAL),
                ("uncertainty", {"method": "uncertainty"}),
                ("GradNorm, log update", STEPWISE),
                ("GradNorm", {}),
            ]
        )
    elif name == "heads":
        heads()
    elif name == "every":
        every()
    elif name == "update":
        pairs = [("log", 0.003), ("log", 0.01), ("log", 0.03), ("adam", 0.025), ("adam", 0.003)]
        stepwise = [(f"{u}, {r:g}", {"update": u, "weight_learning_rate": r}) for u, r in pairs]
        toy([("closed", {}), *stepwise])
    elif name == "diamonds":
        diamonds()
    elif name in METRICS:
        by_seed(name, METRICS[name])
    else:
        sys.exit(
            "Usage: python tools/tables.py "
            "toy-2 | update | heads | every | diamonds | stuck [FOLDER] | solved | overlay | bikes | rooms"
        )


if __name__ == "__main__":
    main()
