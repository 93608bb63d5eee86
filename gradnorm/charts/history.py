"""Finished or running runs as still charts: Snapshot → plotly Figure."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from gradnorm.charts.axes import LOG
from gradnorm.charts.palette import dash, task_style
from gradnorm.common.texts import later
from gradnorm.runs.records import Snapshot

# Points of a line; a still chart on a screen shows no more.
MOST_POINTS = 1000


def test_loss(snapshots: Sequence[Snapshot]) -> go.Figure:
    """Return the task-normalised test loss Σ L_i(t)/L_i(0) over steps, a line a run."""
    figure = _figure(later("Task-normalised test loss"), "Σ Lᵢ(t)/Lᵢ(0)")
    for i, snapshot in enumerate(snapshots):
        style = task_style(i)
        figure.add_scatter(
            x=[e.step for e in snapshot.evaluations],
            y=[e.task_normalized_loss for e in snapshot.evaluations],
            name=f"{snapshot.info.title} ({snapshot.info.run[-6:]})",
            mode="lines",
            line={"color": style.light, "dash": dash(style.dash)},
        )
    return figure


def weights(snapshot: Snapshot) -> go.Figure:
    """Return w_i(t) of one run on a log axis, a line a task, with its live changes marked."""
    figure = _figure(later("Loss weights"), "wᵢ(t)")
    every = max(1, len(snapshot.rows) // MOST_POINTS)
    steps, values = snapshot.scalar("step")[::every], snapshot.vector("weights")[::every]
    for i, task in enumerate(snapshot.info.tasks):
        style = task_style(i)
        line = {"color": style.light, "dash": dash(style.dash)}
        figure.add_scatter(x=steps, y=values[:, i], name=task, mode="lines", line=line)
    figure.update_yaxes(**LOG)
    for event in snapshot.events:
        figure.add_vline(
            x=event.step, line={"dash": "dot", "width": 1}, annotation={"text": event.label, "textangle": -90}
        )
    return figure


def _figure(title: str, unit: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title=title,
        xaxis_title="step",
        yaxis_title=unit,
        legend={"orientation": "h", "y": -0.25},
        margin={"l": 60, "r": 20, "t": 50, "b": 20},
        height=380,
    )
    return figure
