"""One task's truth and answers as figures, and the words below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import get_colorscale

from gradnorm.charts import gallery as charts
from gradnorm.datasets.forms.registry import form_named

if TYPE_CHECKING:
    from gradnorm.training.predict import Answer

WIDEST_ANGLE = 90.0
NORMAL_COLOURS = "red faces right, green up, blue the camera"


@dataclass(frozen=True)
class Exhibit:
    """A figure, what it says to those who do not see it, and the HTML below it."""

    figure: go.Figure
    alt: str
    words: str


def is_map(answer: Answer) -> bool:
    """Whether an answer is drawn, rather than written."""
    return answer.view not in ("classification", "regression")


def truth(image: charts.Image, answers: Sequence[Answer]) -> Exhibit:
    """Return the truth of one task, with the legend of its colours.

    answers: all contenders' on one picture, which have the truth in common.
    """
    first = answers[0]
    name, view = first.task.name, first.view
    words = f"<b>{escape(name)}</b>{_unknown(first)}{_legend(answers)}"
    return Exhibit(_drawn(image, first, first.truth, None), f"{name}, ground truth ({view})", words)


def answer(image: charts.Image, given: Answer, who: str, *, errors: bool) -> Exhibit:
    """Return a contender's answer, or where it is wrong, with its error in numbers."""
    name = given.task.name
    words = f"<b>{escape(name)}</b> {error_of(given)}"
    alt = f"{name} as {who} sees it: {error_of(given)}"
    figure = _errors(given) if errors else None
    if figure is None:
        return Exhibit(_drawn(image, given, given.answer, given.truth), alt, words)
    return Exhibit(figure, f"Errors of {alt}", words)


def error_of(given: Answer) -> str:
    """Return an answer's error on its picture in words: "RMSE 0.42 m"."""
    if given.view == "picture":
        # Numbers in the task's own units, which may be standardised.
        return f"RMSE {np.sqrt(given.loss):.3g} {given.task.unit}".rstrip()
    form = form_named(given.task.form)
    value = given.metrics[next(iter(form.metrics))]
    return form.headline.format(value) if isfinite(value) else "no error: nothing is known here"


def card(answers: Sequence[Answer], *, true: bool) -> str:
    """Return what is written rather than drawn as an HTML table: the truth, or the answers beside it."""
    rows = [f"<tr><th>{escape(a.task.name)}</th><td>{_true(a) if true else _said(a)}</td></tr>" for a in answers]
    return f'<table class="gallery-card">{"".join(rows)}</table>'


def _true(given: Answer) -> str:
    return _class(given, int(given.truth)) if given.view == "classification" else _amount(given, given.truth)


def _said(given: Answer) -> str:
    if given.view == "classification":
        best = int(given.answer.argmax())
        right = best == int(given.truth)
        mark, word = ("✓", "right") if right else ("✗", "wrong")
        share = f"{given.answer[best]:.0%}".replace("%", " %")
        return f'<span class="gallery-{word}" title="{word}">{mark}</span> {_class(given, best)} <small>{share}</small>'
    off = np.abs(given.answer - given.truth).mean()
    return f"{_amount(given, given.answer)} <small>off by {off:.3g}</small>"


def _class(given: Answer, index: int) -> str:
    names = given.task.classes
    return escape(names[index] if index < len(names) else f"class {index}")


def _amount(given: Answer, values: Any) -> str:
    shown = ", ".join(f"{value:.3g}" for value in np.ravel(values)[:3])
    more = " …" if np.size(values) > 3 else ""
    return escape(f"{shown}{more} {given.task.unit}".rstrip())


def _drawn(image: charts.Image, given: Answer, values: Any, beside: Any) -> go.Figure:
    if given.view == "segmentation":
        return charts.classes(values, _names(given))
    if given.view == "depth":
        return charts.depth(values, charts.limits(given.truth))
    if given.view == "normals":
        return charts.normals(values)
    if given.view == "picture":
        return charts.picture(values)
    names = given.task.classes
    return charts.points(image, values, names=names) if beside is None else charts.points(image, beside, values, names)


def _errors(given: Answer) -> go.Figure | None:
    """Return where an answer is wrong; None where the answer itself shows it best."""
    if given.view == "segmentation":
        return charts.mistakes(given.truth, given.answer, _names(given))
    if given.view == "depth":
        low, high = charts.limits(given.truth)
        return charts.gap(np.abs(given.answer - given.truth), high - low, "m")
    if given.view == "normals":
        cosine = np.clip((given.answer * given.truth).sum(-1), -1, 1)
        return charts.gap(np.rad2deg(np.arccos(cosine)), WIDEST_ANGLE, "°")
    if given.view == "picture":
        return charts.gap(np.abs(given.answer.astype(float) - given.truth).mean(-1) / 255, 1.0, "of white")
    return None


def errors_legend(answers: Sequence[Answer]) -> str:
    """Return what the colours of error maps mean, as HTML."""
    parts: list[str] = []
    for given in answers:
        name = escape(given.task.name)
        if given.view == "segmentation":
            parts.append(f"<b>{name}</b> {_swatch(charts.RIGHT, 'right')} {_swatch(charts.WRONG, 'wrong')}")
        elif given.view == "depth":
            low, high = charts.limits(given.truth)
            parts.append(f"<b>{name}</b> {_ramp(charts.GAP_SCALE, '0', f'{high - low:.1f} m and more')}")
        elif given.view == "normals":
            parts.append(f"<b>{name}</b> {_ramp(charts.GAP_SCALE, '0°', f'{WIDEST_ANGLE:.0f}° and more')}")
        elif given.view == "picture":
            parts.append(f"<b>{name}</b> {_ramp(charts.GAP_SCALE, '0', 'black for white')}")
    return " ".join(f"<span>{part}</span>" for part in parts)


def _names(given: Answer) -> Sequence[str]:
    return given.task.classes or [f"class {i}" for i in range(given.task.outputs)]


def _unknown(given: Answer) -> str:
    """Say how much of a map has no truth."""
    if given.view == "segmentation":
        missing = float((given.truth < 0).mean())
    elif given.view in ("depth", "normals"):
        missing = float(np.isnan(given.truth).mean()) if given.truth.size else 0.0
    else:
        return ""
    percent = f"{missing:.0%}".replace("%", "\u00a0%") if missing >= 0.005 else "under 1\u00a0%"
    return f" <small>striped: not known ({percent})</small>" if missing > 0 else ""


def _legend(answers: Sequence[Answer]) -> str:
    first = answers[0]
    if first.view == "segmentation":
        names = _names(first)
        there = charts.occurring(first.truth, *(given.answer for given in answers))
        body = " ".join(_swatch(charts.class_color(i), names[i]) for i in there)
    elif first.view == "depth":
        low, high = charts.limits(first.truth)
        body = _ramp(charts.DEPTH_SCALE, f"{low:.1f} m", f"{high:.1f} m")
    elif first.view == "normals":
        body = f'<span class="gallery-ball"><img src="{charts.normal_ball()}" alt="">{NORMAL_COLOURS}</span>'
    elif first.view in ("heatmaps", "landmarks"):
        body = "○ where it is, × where the network sees it"
    else:
        return ""
    return f'<div class="gallery-legend">{body}</div>'


def _swatch(color: str, name: str) -> str:
    return f'<span class="gallery-swatch"><i style="background:{color}"></i>{escape(name)}</span>'


def _ramp(scale: str, low: str, high: str) -> str:
    stops = ", ".join(f"{color} {at:.0%}" for at, color in get_colorscale(scale))
    return f'<span class="gallery-ramp">{low}<i style="background:linear-gradient(90deg, {stops})"></i>{high}</span>'
