"""The lesson's charts: plain numbers → plotly Figure. Symbols as in the paper: G, Ḡ, r, L̃, w, α."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from gradnorm.charts.palette import task_style
from gradnorm.common.texts import later

Vector = Sequence[float]
# Pixels. The page enlarges all of a step together where the screen has room.
_HEIGHT = 390
# So many dots of a class fit on top of one another before they have to come closer.
_VOTES = 12
NORM_UNIT = later("norm Gᵢ at the shared layer")

# Where tasks are drawn as points, they also differ in shape.
_SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "x")


@dataclass(frozen=True)
class Look:
    """How a chart is drawn. dark: for a dark page."""

    dark: bool = False

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
        return 14


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
) -> go.Figure:
    """Return a chart with one line per task over the steps.

    x: steps, shape [n].  values: shape [n, T].  names: one for each task.  title, unit: of the chart and its y axis.
    ghosts: dotted reference lines that belong to no task, each a name and values of shape [n].
    log: logarithmic y axis.  level: height of a thin horizontal line.
    """
    figure = _figure(look, title, later("step t"), unit)
    if level is not None:
        figure.add_hline(y=level, line={"color": look.quiet, "width": 1})
    for name, ghost in ghosts:
        line = {"color": look.quiet, "dash": "dot", "width": 3}
        figure.add_scatter(x=list(x), y=list(ghost), name=name, mode="lines", line=line)
    for i, name in enumerate(names):
        line = {"color": look.task(i), "width": 2.5}
        figure.add_scatter(x=list(x), y=[row[i] for row in values], name=name, mode="lines", line=line)
    if log:
        figure.update_yaxes(type="log", dtick=1)
    return figure


def dots(
    points: Sequence[tuple[Vector, Vector]], names: Sequence[str], look: Look, *, title: str, x: str, y: str
) -> go.Figure:
    """Return a cloud of dots for each task.

    points: x and y of each task's dots, of equal lengths.  names: one for each task.
    title, x, y: of the chart and its axes.
    """
    figure = _figure(look, title, x, y)
    figure.update_layout(hovermode="closest")
    for i, (across, up) in enumerate(points):
        marker = {"color": look.task(i), "size": 7, "symbol": _SHAPES[i % len(_SHAPES)], "opacity": 0.75}
        figure.add_scatter(x=list(across), y=list(up), name=names[i], mode="markers", marker=marker)
    return figure


def norm_bars(bars: Bars, names: Sequence[str], look: Look, top: float) -> go.Figure:
    """Return one bar per task for G_i, with an arrow to its target if there are targets.

    names: one for each task.  top: the upper end of the axis, > 0; one for all steps of a run, so that equal heights
        always mean equal norms.
    """
    figure = _figure(look, f"Gradient norms after {bars.step} steps", "", NORM_UNIT)
    figure.add_traces(_bars(bars, names, look, top))
    figure.update_yaxes(range=[0, top])
    figure.update_layout(barmode="overlay")
    return figure


def target_bars(bars: Bars, names: Sequence[str], look: Look, top: float) -> go.Figure:
    """Return the same with the mean norm Ḡ as a horizontal line; arguments as in `norm_bars`."""
    figure = norm_bars(bars, names, look, top)
    figure.add_hline(
        y=sum(bars.norms) / len(bars.norms),
        line={"color": look.quiet, "width": 2, "dash": "dot"},
        annotation={"text": later("mean Ḡ"), "font": {"size": look.size, "color": look.quiet}},
        annotation_position="top left",
    )
    return figure


def spread(
    labels: Sequence[str], ratios: Sequence[Vector], names: Sequence[str], look: Look, places: Sequence[str], x: str
) -> go.Figure:
    """Return, for each run, its tasks' final test loss ratios as points on a vertical line.

    labels: one for each of n runs.  ratios: L_i(end)/L_i(0), shape [n, T].  names: one for each task.
    places: all labels that may come, in order, so that each has a fixed place.  x: the title of the x axis.
    """
    figure = _figure(look, later("Remaining test losses at the end"), x, later("test loss L̃ᵢ(end)"))
    figure.update_layout(hovermode="closest")
    stems_x = [x for label in labels for x in (label, label, None)]
    stems_y = [y for row in ratios for y in (min(row), max(row), None)]
    stem = {"color": look.quiet, "width": 6}
    figure.add_scatter(x=stems_x, y=stems_y, mode="lines", line=stem, opacity=0.45, showlegend=False, hoverinfo="skip")
    for i, name in enumerate(names):
        marker = {"color": look.task(i), "size": look.size, "symbol": _SHAPES[i % len(_SHAPES)]}
        y = [row[i] for row in ratios]
        figure.add_scatter(x=list(labels), y=y, name=name, mode="markers", marker=marker)
    _categories(figure, places)
    return figure


def scores(
    series: Sequence[tuple[str, Sequence[str], Vector]],
    look: Look,
    places: Sequence[str],
    *,
    title: str,
    x: str,
    y: str,
    level: tuple[str, float] | None = None,
) -> go.Figure:
    """Return a number for each run that was tried, as marks over the places of a slider.

    series: name, labels and values of equal lengths of each line of marks.  places: all labels that may come, in order.
    title, x, y: of the chart and its axes.  level: name and height of a horizontal line.
    """
    figure = _figure(look, title, x, y)
    figure.update_layout(hovermode="closest", showlegend=True)
    if level is not None:
        ends = {"x": [places[0], places[-1]], "y": [level[1]] * 2}
        figure.add_scatter(**ends, name=level[0], mode="lines", line={"color": look.ink, "dash": "dot", "width": 3})
    for i, (name, labels, values) in enumerate(series):
        marker = {"color": look.task(i), "size": 13, "symbol": _SHAPES[i % len(_SHAPES)]}
        figure.add_scatter(x=list(labels), y=list(values), name=name, mode="markers", marker=marker)
    _categories(figure, places)
    return figure


def add_votes(figure: go.Figure, votes: Mapping[str, int], look: Look) -> None:
    """Draw a class into a chart over a slider's places: one dot for each student, stacked from the bottom.

    votes: how many students have their slider at each place.
    """
    most = max([_VOTES, *(2 * count for count in votes.values())])
    figure.add_scatter(
        x=[place for place, count in votes.items() for _ in range(count)],
        y=[i + 0.5 for count in votes.values() for i in range(count)],
        yaxis="y2",
        name=later("your class"),
        mode="markers",
        marker={"color": look.quiet, "size": 9, "line": {"width": 1, "color": look.ink}},
        hoverinfo="skip",
    )
    figure.update_layout(yaxis2={"overlaying": "y", "range": [0, most], "visible": False, "fixedrange": True})


def class_strip(votes: Mapping[str, int], places: Sequence[str], x: str, look: Look) -> go.Figure:
    """Return a low chart of a class alone; arguments as in `add_votes` and `scores`."""
    figure = _figure(look, "", x, "")
    figure.add_scatter(x=[places[0]], y=[0], mode="markers", marker_opacity=0, showlegend=False, hoverinfo="skip")
    _categories(figure, places)
    add_votes(figure, votes, look)
    figure.update_yaxes(visible=False)
    figure.update_layout(height=90, margin_t=4, margin_b=4, showlegend=False)
    return figure


def _categories(figure: go.Figure, places: Sequence[str]) -> None:
    figure.update_xaxes(
        type="category", range=[-0.5, len(places) - 0.5], categoryorder="array", categoryarray=list(places)
    )


def _bars(bars: Bars, names: Sequence[str], look: Look, top: float) -> list[Any]:
    """Return the traces of one moment; always equally many, as the frames of an animation must be.

    top: the upper end of the axis; the mark of a target is a hundredth of it thick.
    """
    shown, thick, x = bars.targets is not None, top / 100, list(names)
    targets = bars.targets or bars.norms
    colors = [look.task(i) for i in range(len(names))]
    ends = list(zip(names, bars.norms, targets, strict=True))
    return [
        go.Bar(x=x, y=list(bars.norms), width=0.5, marker={"color": colors}, name=later("norm"), showlegend=False),
        go.Bar(
            x=x,
            y=[thick] * len(x),
            base=[target - thick / 2 for target in targets],
            width=0.66,
            marker={"color": look.ink},
            name=later("target"),
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


def _figure(look: Look, title: str, x: str, y: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": look.size + 2}, "y": 1, "yref": "container", "yanchor": "top"},
        title_pad_t=8,
        font={"size": look.size},
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "font": {"size": look.size}},
        margin={"l": 20, "r": 20, "t": 72, "b": 10},
        height=_HEIGHT,
        # A finger that scrolls the page must not zoom the chart.
        dragmode=False,
        hovermode="x unified" if x else "closest",
    )
    for axis, text in ((figure.update_xaxes, x), (figure.update_yaxes, y)):
        axis(title={"text": text, "font": {"size": look.size, "color": look.quiet}})
        axis(tickfont={"size": look.size - 1, "color": look.quiet})
        axis(fixedrange=True, automargin=True)
    return figure
