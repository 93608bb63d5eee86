"""The paper's Figure 2: the weights w_i(t) of each method, and the test losses of all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from gradnorm.charts.palette import task_style

# The test loss of a method: steps [points], values [seeds, points].
Curves = tuple[Sequence[int], Any]


def draw(
    path: Path, losses: Mapping[str, Curves], weights: Mapping[str, tuple[Sequence[int], Any]], title: str
) -> None:
    """Write the figure as an SVG: on the left the weights of each method, on the right the test losses.

    path: of the file to write.
    losses: by method title, steps [points] and values [seeds, points]; median and range over seeds are drawn.
    weights: by method title, steps [points] and values [seeds, points, T]; the median is drawn, on a log axis.
    Raises ImportError without matplotlib, OSError if the file can't be written.
    """
    matplotlib: Any = import_module("matplotlib")
    figure_module: Any = import_module("matplotlib.figure")
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "gradnorm", "font.size": 9}):
        figure = figure_module.Figure(figsize=(3.4 * (len(weights) + 1), 3.4), layout="constrained")
        axes = figure.subplots(1, len(weights) + 1, squeeze=False)[0]
        figure.suptitle(title)
        for axis, (name, (steps, values)) in zip(axes, weights.items(), strict=False):
            _weights(axis, name, steps, np.median(np.asarray(values), axis=0))
        _losses(axes[-1], losses)
        figure.savefig(path, metadata={"Date": None})


def _weights(axis: Any, name: str, steps: Sequence[int], values: Any) -> None:
    for i in range(values.shape[1]):
        axis.plot(steps, values[:, i], color=task_style(i).light, linewidth=1.2, label=f"task {i + 1}")
    axis.set(title=name, xlabel="step", ylabel="wᵢ(t), median over seeds", yscale="log")
    axis.legend(fontsize=6, ncols=1 + values.shape[1] // 6)
    axis.grid(alpha=0.25)


def _losses(axis: Any, losses: Mapping[str, Curves]) -> None:
    for i, (name, (steps, by_seed)) in enumerate(losses.items()):
        values, style = np.asarray(by_seed), task_style(i)
        axis.plot(steps, np.median(values, axis=0), color=style.light, label=name, linewidth=1.4)
        axis.fill_between(steps, values.min(axis=0), values.max(axis=0), color=style.light, alpha=0.15, linewidth=0)
    axis.set(title="Task-normalised test loss", xlabel="step", ylabel="Σ Lᵢ(t)/Lᵢ(0), median and range", yscale="log")
    axis.legend(fontsize=7)
    axis.grid(alpha=0.25)
