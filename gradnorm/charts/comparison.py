"""Runs side by side as still charts: overlaid curves with their spread, parallel coordinates over what differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import plotly.graph_objects as go

from gradnorm.charts.axes import LOG
from gradnorm.charts.palette import Style, dash, task_style
from gradnorm.common.texts import filled, later
from gradnorm.comparison.compared import Comparison
from gradnorm.comparison.curves import By, Curve
from gradnorm.comparison.curves import curves as align
from gradnorm.comparison.measures import Measure
from gradnorm.comparison.scores import Statistic
from gradnorm.runs.plain import short

if TYPE_CHECKING:
    from gradnorm.runs.store import RunStore

_AXES: Mapping[By, str] = {"step": later("step"), "time": later("seconds of training"), "epoch": later("epoch")}
# From this ratio on an axis of positive numbers is logarithmic.
_WIDE = 50


def figures(
    store: RunStore,
    comparison: Comparison,
    measures: Sequence[Measure],
    by: By,
    statistic: Statistic,
    *,
    dark: bool = False,
    log: bool = False,
) -> tuple[list[go.Figure], list[str]]:
    """Return a figure of curves for each measure, and the options that differ; and a sentence for what is not shown.

    statistic: of the first measure that is tested, on the last axis of the options.  dark: for a dark page.
    log: a logarithmic axis of values.
    Raises UnknownRunError if a run is deleted meanwhile, StoreError.
    """
    order = [group.label for group in comparison.groups]
    drawn: list[go.Figure] = []
    told: dict[str, None] = {}
    for measure in measures:
        lines, missing = align(store, comparison.groups, measure, by)
        told |= dict.fromkeys(missing)
        drawn += [curves(lines, measure, by, order, dark=dark, log=log)] if lines else []
    scored = [measure for measure in (*measures, *comparison.headline) if measure.tested]
    axes = parallel(comparison, statistic, scored[0], dark=dark) if scored else None
    return [*drawn, *([axes] if axes else [])], list(told)


def curves(
    lines: Sequence[Curve], measure: Measure, by: By, order: Sequence[str], *, dark: bool = False, log: bool = False
) -> go.Figure:
    """Return the curves of one measure, a line a group, with a band of a standard deviation where it has several runs.

    order: the labels of all compared groups, which decide on colour and dash.
    dark: for a dark page.  log: a logarithmic axis of values.
    """
    figure = go.Figure()
    for curve in lines:
        style = task_style(order.index(curve.label))
        _draw(figure, curve, style.dark if dark else style.light, dash(style.dash), log=log)
    figure.update_layout(
        title=measure.title,
        xaxis_title=_AXES[by],
        legend={"orientation": "h", "yanchor": "top", "y": -0.2},
        showlegend=True,
        margin={"l": 60, "r": 20, "t": 50, "b": 20},
        # The legend takes half of it at most, and can be scrolled.
        height=400 + 8 * len(lines),
    )
    if log:
        figure.update_yaxes(**LOG)
    return figure


def _draw(figure: go.Figure, curve: Curve, ink: str, dashes: str, *, log: bool) -> None:
    if curve.low is not None and curve.high is not None:
        # A logarithmic axis has no place for what is not positive.
        low = np.maximum(curve.low, curve.mean / 100) if log else curve.low
        figure.add_scatter(
            x=[*curve.x.tolist(), *curve.x[::-1].tolist()],
            y=[*curve.high.tolist(), *low[::-1].tolist()],
            mode="lines",
            fill="toself",
            fillcolor=_faint(ink),
            line={"width": 0},
            legendgroup=curve.label,
            showlegend=False,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=curve.x.tolist(),
        y=curve.mean.tolist(),
        name=filled("{label}, {count} runs", label=curve.label, count=curve.n) if curve.n > 1 else curve.label,
        legendgroup=curve.label,
        mode="lines" if len(curve.x) > 1 else "markers",
        line={"color": ink, "dash": dashes},
        marker={"color": ink},
    )


def parallel(comparison: Comparison, statistic: Statistic, measure: Measure, *, dark: bool = False) -> go.Figure | None:
    """Return a line a group through the options in which groups differ, up to its mean score.

    None where there are no two lines, or no option has two values. Groups without this score have no line.
    dark: for a dark page.
    """
    groups = comparison.groups
    means = [score and score.spread.mean for score in (comparison.score(g, statistic, measure) for g in groups)]
    shown = [i for i, mean in enumerate(means) if mean is not None]
    if len(shown) < 2:
        return None
    axes = {key: [values[i] for i in shown] for key, values in comparison.differs.items()}
    # An option that only some methods have tells nothing that the method doesn't, unless it differs among these.
    axes = {key: values for key, values in axes.items() if len({repr(v) for v in values if v is not None}) > 1}
    if not axes:
        return None
    styles = [task_style(i) for i in shown]
    figure = go.Figure(
        go.Parcoords(
            line={
                "color": list(range(len(shown))),
                "colorscale": _steps(styles, dark),
                "cmin": 0,
                "cmax": len(shown) - 1,
            },
            dimensions=[
                *(_dimension(key.replace("_", " "), values) for key, values in axes.items()),
                _dimension(f"{measure.title} ({statistic})", [means[i] for i in shown]),
            ],
            labelangle=-15,
        )
    )
    figure.update_layout(margin={"l": 70, "r": 70, "t": 90, "b": 30}, height=380)
    return figure


def _steps(styles: Sequence[Style], dark: bool) -> list[tuple[float, str]]:
    """Return a scale of colours on which the k-th of n lines lies at k/(n − 1)."""
    return [(i / (len(styles) - 1), style.dark if dark else style.light) for i, style in enumerate(styles)]


def _dimension(label: str, values: Sequence[Any]) -> dict[str, Any]:
    """Return one axis: of numbers, logarithmic where they span much; else of the different values in their order."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers = cast("Sequence[float]", values)
        low, high = min(numbers), max(numbers)
        if low > 0 and high / low >= _WIDE:
            ticks = sorted(set(numbers)) if len(set(numbers)) <= 10 else [low, math.sqrt(low * high), high]
            return {
                "label": label,
                "values": [math.log10(number) for number in numbers],
                "tickvals": [math.log10(tick) for tick in ticks],
                "ticktext": [short(float(tick)) for tick in ticks],
            }
        return {"label": label, "values": list(numbers)}
    texts = ["–" if value is None else short(value) for value in values]
    places = sorted(dict.fromkeys(texts), key=_by_number)
    return {
        "label": label,
        "values": [places.index(text) for text in texts],
        "tickvals": list(range(len(places))),
        "ticktext": [text if len(text) <= 24 else f"{text[:23]}…" for text in places],
    }


def _by_number(text: str) -> tuple[bool, float, str]:
    try:
        return (True, float(text), text)
    except ValueError:
        return (False, 0.0, text)


def _faint(ink: str) -> str:
    red, green, blue = (int(ink[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"
