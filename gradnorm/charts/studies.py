"""What a study says, as figures: its report → plotly Figure. Symbols as in the paper: α, w, T."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from gradnorm.charts.axes import LOG
from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later

Report = Mapping[str, Any]
_LOSS = later("test loss Σ Lᵢ/Lᵢ(0)")


def alpha_losses(report: Report, look: Look) -> go.Figure:
    """Return the final test loss against α: median and range over seeds, with equal weights as a line.

    report: of an α sweep.
    """
    rows = [row for row in report["alphas"] if row["loss"]]
    figure = _figure(look, later("Test loss at the end"), "α", _LOSS)
    if report["equal"]:
        _level(figure, report["equal"]["median"], later("equal weights"), look)
    for name, chosen, symbol in (("stable", False, "circle"), ("unstable", True, "x")):
        shown = [row for row in rows if row["unstable"] is chosen]
        if shown:
            _spreads(figure, shown, name, look.task(1 if chosen else 0), symbol, look)
    if report["suggested"]:
        mark = {"text": "suggested", "font": {"size": look.size - 2, "color": look.quiet}}
        line = {"dash": "dot", "width": 1, "color": look.quiet}
        figure.add_vline(x=report["suggested"]["alpha"], line=line, annotation=mark)
    return figure


def alpha_weights(report: Report, tasks: Sequence[str], look: Look) -> go.Figure:
    """Return E_t[w_i(t)] against α, the mean over seeds, a line a task, on a log axis.

    report: of an α sweep.  tasks: their names.
    """
    rows = [row for row in report["alphas"] if row["weights"]]
    figure = _figure(look, later("Mean loss weights"), "α", "E[wᵢ(t)]")
    for i, task in enumerate(tasks):
        y = [row["weights"][i] for row in rows]
        line = {"color": look.task(i), "width": 2.5}
        figure.add_scatter(x=[row["alpha"] for row in rows], y=y, name=task, mode="lines+markers", line=line)
    figure.update_yaxes(**LOG)
    return figure


def grid_points(report: Report, look: Look) -> go.Figure:
    """Return the paper's Figure 4: each network's change in performance against its distance from GradNorm's weights.

    report: of random fixed weights.
    """
    points = report["points"]
    figure = _figure(
        look, later("Random fixed weights"), later("distance ‖w − E[w GradNorm]‖"), later("change against GradNorm, %")
    )
    figure.update_layout(hovermode="closest")
    _level(figure, 0.0, "GradNorm", look)
    figure.add_scatter(
        x=[point["distance"] for point in points],
        y=[point["change"] for point in points],
        text=[point["key"] for point in points],
        name=later("random weights"),
        mode="markers",
        marker={"color": look.task(0), "size": 8, "opacity": 0.7},
    )
    for i, (name, symbol) in enumerate((("GradNorm Static", "diamond"), (later("equal weights"), "square")), 1):
        place = report["methods"][name]
        if place["change"]:
            figure.add_scatter(
                x=[place["distance"]["median"]],
                y=[place["change"]["median"]],
                name=name,
                mode="markers",
                marker={"color": look.task(i), "size": 14, "symbol": symbol, "line": {"width": 1, "color": look.ink}},
            )
    return figure


def fixed_losses(report: Report, look: Look) -> go.Figure:
    """Return the test loss of each candidate, the best first: median and range over seeds; GradNorm's as a line.

    report: of a search for fixed weights.
    """
    rows = sorted([row for row in report["candidates"] if row["loss"]], key=lambda row: row["loss"]["median"])
    figure = _figure(look, later("Fixed weights, the best first"), "", _LOSS)
    for name, loss in report["methods"].items():
        if loss:
            _level(figure, loss["median"], name, look)
    colors = [look.task(2) if row["name"] == report["best"] else look.task(0) for row in rows]
    figure.add_scatter(
        x=[row["name"] for row in rows],
        y=[row["loss"]["median"] for row in rows],
        error_y=_range(rows, look.quiet),
        mode="markers",
        marker={"color": colors, "size": 10},
        showlegend=False,
    )
    return figure


def _spreads(figure: go.Figure, rows: Sequence[Report], name: str, color: str, symbol: str, look: Look) -> None:
    figure.add_scatter(
        x=[row["alpha"] for row in rows],
        y=[row["loss"]["median"] for row in rows],
        error_y=_range(rows, look.quiet),
        name=name,
        mode="lines+markers" if symbol == "circle" else "markers",
        line={"color": color, "width": 1.5},
        marker={"color": color, "size": 10, "symbol": symbol},
    )


def _range(rows: Sequence[Report], color: str) -> dict[str, Any]:
    above = [row["loss"]["most"] - row["loss"]["median"] for row in rows]
    below = [row["loss"]["median"] - row["loss"]["least"] for row in rows]
    return {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "color": color, "thickness": 1.5}


def _level(figure: go.Figure, y: float, name: str, look: Look) -> None:
    figure.add_hline(
        y=y,
        line={"color": look.quiet, "width": 1.5, "dash": "dash"},
        annotation={"text": name, "font": {"size": look.size - 2, "color": look.quiet}},
        annotation_position="top left" if name != "equal weights" else "top right",
    )


def _figure(look: Look, title: str, x: str, y: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": look.size + 2}},
        font={"size": look.size},
        legend={"orientation": "h", "x": 0, "y": -0.3, "font": {"size": look.size - 1}},
        margin={"l": 20, "r": 20, "t": 50, "b": 20},
        height=420,
        # A finger that scrolls the page must not zoom the chart.
        dragmode=False,
    )
    for axis, text in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        axis(title={"text": text, "font": {"size": look.size, "color": look.quiet}})
        axis(tickfont={"size": look.size - 1, "color": look.quiet}, fixedrange=True, automargin=True)
    return figure
