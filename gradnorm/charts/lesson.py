"""The lesson's charts: plain numbers → plotly Figure. Symbols as in the paper: G, Ḡ, r, L̃, w, α."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from gradnorm.charts.palette import task_style

Vector = Sequence[float]
_NORMAL, _LARGE = 420, 600
NORM_UNIT = "norm Gᵢ at the shared layer"

# Where tasks are drawn as points, they also differ in shape.
_SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "x")


@dataclass(frozen=True)
class Look:
    """How a chart is drawn. dark: for a dark page.  large: for a lecture room."""

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
        """The font size in pixels."""
        return 20 if self.large else 14


@dataclass(frozen=True)
class Bars:
    """The gradient norms at one step.

    step: t.  norms: G_i, shape [T].  targets: Ḡ·r_i^α, shape [T], or None if the method sets none.
    """

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
    short: bool = False,
    legend: bool = True,
) -> go.Figure:
    """Return a chart with one line per task over the steps.

    x: steps, shape [n].  values: shape [n, T].  names: one for each task.  title, unit: of the chart and its y axis.
    ghosts: dotted reference lines that belong to no task, each a name and values of shape [n].
    log: logarithmic y axis.  level: height of a thin horizontal line.  short: lower, for two charts on one page.
    legend: False leaves it out.
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
    if short:
        figure.update_layout(height=360 if look.large else 280)
    if not legend:
        figure.update_layout(showlegend=False, margin_t=50, height=(360 if look.large else 280) - 35)
    return figure


def norm_bars(moments: Sequence[Bars], at: int, names: Sequence[str], look: Look) -> go.Figure:
    """Return one bar per task for G_i, with an arrow to its target; the Play button runs through all moments.

    moments: at least one, or ValueError is raised.  at: index of the moment to show first.  names: one for each task.
    """
    if not moments:
        raise ValueError("There should be at least one moment. Found none. Pass the norms of at least one step.")
    # The axis stays fixed while the bars move, so that equal heights always mean equal norms.
    top = 1.1 * max(max(*m.norms, *(m.targets or ())) for m in moments)
    figure = _bar_figure(moments[at], names, look, top)
    figure.frames = [
        go.Frame(data=_bars(m, names, look, top), name=str(m.step), layout={"title": {"text": _moment_title(m)}})
        for m in moments
    ]
    figure.update_layout(updatemenus=[_player(look)])
    return figure


def target_bars(bars: Bars, names: Sequence[str], look: Look) -> go.Figure:
    """Return G_i as bars, an arrow from each to its target, and the mean norm Ḡ as a horizontal line.

    bars: norms and targets at one step.  names: one for each task.
    """
    figure = _bar_figure(bars, names, look, 1.1 * max(*bars.norms, *(bars.targets or ())))
    figure.add_hline(
        y=sum(bars.norms) / len(bars.norms),
        line={"color": look.quiet, "width": 2, "dash": "dot"},
        annotation={"text": "mean Ḡ", "font": {"size": look.size, "color": look.quiet}},
        annotation_position="top left",
    )
    return figure


def _bar_figure(bars: Bars, names: Sequence[str], look: Look, top: float) -> go.Figure:
    figure = _figure(look, _moment_title(bars), "", NORM_UNIT)
    figure.add_traces(_bars(bars, names, look, top))
    figure.update_yaxes(range=[0, top])
    figure.update_layout(barmode="overlay")
    return figure


def spread(
    labels: Sequence[str], ratios: Sequence[Vector], names: Sequence[str], look: Look, places: Sequence[str], x: str
) -> go.Figure:
    """Return, for each run, its tasks' final test loss ratios as points on a vertical line.

    labels: one for each of n runs.  ratios: L_i(end)/L_i(0), shape [n, T].  names: one for each task.
    places: all labels that may come, in order, so that each has a fixed place.  x: the title of the x axis.
    """
    figure = _figure(look, "Remaining test losses at the end", x, "test loss L̃ᵢ(end)")
    figure.update_layout(hovermode="closest")
    stems_x = [x for label in labels for x in (label, label, None)]
    stems_y = [y for row in ratios for y in (min(row), max(row), None)]
    stem = {"color": look.quiet, "width": 6}
    figure.add_scatter(x=stems_x, y=stems_y, mode="lines", line=stem, opacity=0.45, showlegend=False, hoverinfo="skip")
    for i, name in enumerate(names):
        marker = {"color": look.task(i), "size": look.size, "symbol": _SHAPES[i % len(_SHAPES)]}
        y = [row[i] for row in ratios]
        figure.add_scatter(x=list(labels), y=y, name=name, mode="markers", marker=marker)
    figure.update_xaxes(
        type="category", range=[-0.5, len(places) - 0.5], categoryorder="array", categoryarray=list(places)
    )
    return figure


def _bars(bars: Bars, names: Sequence[str], look: Look, top: float) -> list[Any]:
    """Return the traces of one moment; always equally many, as the frames of an animation must be.

    top: the upper end of the axis; the mark of a target is a hundredth of it thick.
    """
    shown, thick, x = bars.targets is not None, top / 100, list(names)
    targets = bars.targets or bars.norms
    colors = [look.task(i) for i in range(len(names))]
    ends = list(zip(names, bars.norms, targets, strict=True))
    return [
        go.Bar(x=x, y=list(bars.norms), width=0.5, marker={"color": colors}, name="norm", showlegend=False),
        go.Bar(
            x=x,
            y=[thick] * len(x),
            base=[target - thick / 2 for target in targets],
            width=0.66,
            marker={"color": look.ink},
            name="target",
            visible=shown,
            showlegend=False,
        ),
        go.Scatter(
            x=[x for name, _, _ in ends for x in (name, name, None)],
            y=[y for _, norm, target in ends for y in (norm, target, None)],
            mode="lines+markers",
            line={"color": look.ink, "width": 2},
            marker={
                "symbol": "arrow",
                "angleref": "previous",
                "size": [0, 14, 0] * len(ends),
                "color": look.ink,
                "opacity": 1,
            },
            visible=shown,
            showlegend=False,
            hoverinfo="skip",
        ),
    ]


def _moment_title(bars: Bars) -> str:
    return f"Gradient norms at step {bars.step}"


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
        title={"text": title, "font": {"size": size + 2}, "y": 1, "yref": "container", "yanchor": "top"},
        title_pad_t=14,
        font={"size": size},
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "font": {"size": size}},
        margin={"l": 20, "r": 20, "t": 85, "b": 20},
        height=_LARGE if look.large else _NORMAL,
        # A finger that scrolls the page must not zoom the chart.
        dragmode=False,
        hovermode="x unified" if x else "closest",
    )
    for axis, text in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        axis(title={"text": text, "font": {"size": size, "color": look.quiet}})
        axis(tickfont={"size": size - 1, "color": look.quiet})
        axis(fixedrange=True, automargin=True)
    return figure
