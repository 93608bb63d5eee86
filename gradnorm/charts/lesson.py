"""The lesson's charts: plain numbers → plotly Figure. Symbols as in the paper: G, Ḡ, r, L̃, w, α."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from gradnorm.charts.palette import task_style

Vector = Sequence[float]
NORM_UNIT = "gradient norm at the shared layer"

# Tasks also differ by shape where they are drawn as points.
_SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "x")


@dataclass(frozen=True)
class Look:
    """Whom a chart is drawn for: a dark page or a light one, a desk or a lecture room."""

    dark: bool = False
    large: bool = False

    def task(self, index: int) -> str:
        """Return the hex colour of task `index` ≥ 0."""
        style = task_style(index)
        return style.dark if self.dark else style.light

    @property
    def ink(self) -> str:
        """The hex colour of marks that belong to no task."""
        return "#E4EAF0" if self.dark else "#1B2733"

    @property
    def quiet(self) -> str:
        """The hex colour of marks in the background."""
        return "#9AA7B4" if self.dark else "#66727E"

    @property
    def size(self) -> int:
        """The size of the lettering in pixels."""
        return 20 if self.large else 14


@dataclass(frozen=True)
class Bars:
    """One moment of training: step t, G_i of shape [T], and the targets Ḡ·r_i^α, None without a target."""

    step: int
    norms: Vector
    targets: Vector | None = None


def lines(
    x: Vector,
    values: Sequence[Vector],
    names: Sequence[str],
    look: Look,
    *,
    title: str,
    unit: str,
    ghosts: Sequence[tuple[str, Vector]] = (),
    log: bool = False,
    level: float | None = None,
) -> go.Figure:
    """Return a line a task over the steps.

    x: steps, shape [n].  values: shape [n, T].  ghosts: dotted lines of shape [n] that belong to no task,
    with their names.  level: where a thin line marks what is normal.
    """
    figure = _figure(look, title, "step t", unit)
    if level is not None:
        figure.add_hline(y=level, line={"color": look.quiet, "width": 1})
    for name, ghost in ghosts:
        line = {"color": look.quiet, "dash": "dot", "width": 3}
        figure.add_scatter(x=list(x), y=list(ghost), name=name, mode="lines", line=line)
    for i, name in enumerate(names):
        line = {"color": look.task(i), "width": 4 if look.large else 2.5}
        figure.add_scatter(x=list(x), y=[row[i] for row in values], name=name, mode="lines", line=line)
    if log:
        figure.update_yaxes(type="log", dtick=1)
    return figure


def norm_bars(moments: Sequence[Bars], at: int, names: Sequence[str], look: Look) -> go.Figure:
    """Return a bar a task for G_i with an arrow to its target, at moment `at`; Play runs through all of them.

    Raises ValueError without a moment.
    """
    if not moments:
        raise ValueError("norm_bars needs at least one moment. Found none.")
    figure = _figure(look, _moment_title(moments[at]), "", NORM_UNIT)
    figure.add_traces(_bars(moments[at], names, look))
    figure.frames = [
        go.Frame(data=_bars(m, names, look), name=str(m.step), layout={"title": {"text": _moment_title(m)}})
        for m in moments
    ]
    # Equal heights mean equal norms throughout, so the axis stays where it is while the bars move.
    top = max(max([*m.norms, *(m.targets or ())]) for m in moments)
    figure.update_yaxes(range=[0, 1.1 * top], rangemode="tozero")
    figure.update_layout(updatemenus=[_player(look)], bargap=0.45)
    return figure


def target_bars(bars: Bars, names: Sequence[str], look: Look) -> go.Figure:
    """Return G_i as bars, an arrow from each to its target, and the mean norm Ḡ as a line across."""
    figure = _figure(look, f"Norms and targets at step {bars.step}", "", NORM_UNIT)
    figure.add_traces(_bars(bars, names, look))
    mean = sum(bars.norms) / len(bars.norms)
    figure.add_hline(
        y=mean,
        line={"color": look.quiet, "width": 2, "dash": "dot"},
        annotation={"text": "mean Ḡ", "font": {"size": look.size, "color": look.quiet}},
        annotation_position="top left",
    )
    figure.update_yaxes(rangemode="tozero")
    figure.update_layout(bargap=0.45)
    return figure


def spread(labels: Sequence[str], ratios: Sequence[Vector], names: Sequence[str], look: Look) -> go.Figure:
    """Return, for each run, its tasks' final test loss ratios as points on a common stem.

    labels: one a run, n in all.  ratios: L_i(end)/L_i(0), shape [n, T].
    """
    figure = _figure(look, "Test loss left at the end", "", "test loss L̃ᵢ = Lᵢ(end)/Lᵢ(0)")
    stems_x = [x for label in labels for x in (label, label, None)]
    stems_y = [y for row in ratios for y in (min(row), max(row), None)]
    stem = {"color": look.quiet, "width": 6}
    figure.add_scatter(x=stems_x, y=stems_y, mode="lines", line=stem, opacity=0.45, showlegend=False, hoverinfo="skip")
    for i, name in enumerate(names):
        marker = {"color": look.task(i), "size": look.size, "symbol": _SHAPES[i % len(_SHAPES)]}
        y = [row[i] for row in ratios]
        figure.add_scatter(x=list(labels), y=y, name=name, mode="markers", marker=marker)
    figure.update_xaxes(type="category", range=[-0.5, max(len(labels), 4) - 0.5])
    return figure


def _bars(bars: Bars, names: Sequence[str], look: Look) -> list[Any]:
    """Return the traces of one moment; always as many, since an animation's frames must fit one another."""
    targets = bars.targets
    colors = [look.task(i) for i in range(len(names))]
    drawn: list[Any] = [
        go.Bar(x=list(names), y=list(bars.norms), marker={"color": colors}, name="Gᵢ", showlegend=False)
    ]
    shown = targets is not None
    mark = {"symbol": "line-ew", "size": 70, "line": {"width": 4, "color": look.ink}}
    drawn.append(
        go.Scatter(
            x=list(names), y=list(targets or bars.norms), mode="markers", marker=mark, visible=shown, name="target",
            showlegend=False,
        )
    )  # fmt: skip
    ends = list(zip(names, bars.norms, targets or bars.norms, strict=True))
    drawn.append(
        go.Scatter(
            x=[x for name, _, _ in ends for x in (name, name, None)],
            y=[y for _, norm, target in ends for y in (norm, target, None)],
            mode="lines+markers",
            line={"color": look.ink, "width": 2},
            marker={"symbol": "arrow", "angleref": "previous", "size": [0, 14, 0] * len(ends), "color": look.ink},
            visible=shown,
            showlegend=False,
            hoverinfo="skip",
        )
    )
    return drawn


def _moment_title(bars: Bars) -> str:
    return f"Gradient norms Gᵢ at step {bars.step}"


def _player(look: Look) -> dict[str, Any]:
    timing = {"frame": {"duration": 110, "redraw": True}, "transition": {"duration": 90}, "mode": "immediate"}
    halt = {"frame": {"duration": 0, "redraw": False}, "mode": "immediate"}
    return {
        "type": "buttons",
        "direction": "right",
        "showactive": False,
        "x": 1,
        "xanchor": "right",
        "y": 1.02,
        "yanchor": "bottom",
        "pad": {"t": 0, "r": 0},
        "bgcolor": "rgba(127,127,127,0.12)",
        "bordercolor": look.quiet,
        "font": {"size": look.size, "color": look.quiet},
        "buttons": [
            {"label": "▶ Play", "method": "animate", "args": [None, timing]},
            {"label": "❚❚", "method": "animate", "args": [[None], halt]},
        ],
    }


def _figure(look: Look, title: str, x: str, y: str) -> go.Figure:
    size = look.size
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": size + 2}},
        font={"size": size},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "font": {"size": size}},
        margin={"l": 20, "r": 20, "t": 60, "b": 20},
        height=560 if look.large else 400,
        # A finger that scrolls the page must not zoom the chart.
        dragmode=False,
        hovermode="x unified" if x else "closest",
    )
    axis = {"title": {"font": {"size": size}}, "tickfont": {"size": size - 1}, "fixedrange": True, "automargin": True}
    figure.update_xaxes(**axis, title_text=x)
    figure.update_yaxes(**axis, title_text=y)
    return figure
