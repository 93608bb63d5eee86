"""One task's ground truth and predictions as figures, with a caption for each."""

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
from gradnorm.common.texts import later
from gradnorm.datasets.forms.registry import form_named
from gradnorm.ui.words import enumerated, number, t

if TYPE_CHECKING:
    from gradnorm.training.predict import Answer

WIDEST_ANGLE = 90.0
NORMAL_COLOURS = later("red faces right, green up, blue the camera")


@dataclass(frozen=True)
class TaskFigure:
    """A figure, its alternative text, and its caption in HTML."""

    figure: go.Figure
    alt: str
    caption: str


def is_map(answer: Answer) -> bool:
    """Return whether an answer is drawn as a figure, rather than written in a table."""
    return answer.view not in ("classification", "regression")


def truth(image: charts.Image | None, answers: Sequence[Answer]) -> TaskFigure:
    """Return the ground truth of one task, with the legend of its colours.

    image: the test picture, [H, W, C]; None where there is none.
    answers: one of each contender, on that picture; at least one.
    """
    first = answers[0]
    name, view = first.task.name, first.view
    caption = f"<b>{escape(name)}</b>{_unknown(first)}{_legend(answers)}"
    return TaskFigure(
        _drawn(image, first, first.truth, None), t("{name}, ground truth ({view})", name=name, view=view), caption
    )


def prediction(image: charts.Image | None, answer: Answer, who: str, *, errors: bool) -> TaskFigure:
    """Return a contender's answer for one task, with its error in numbers.

    image: the test picture, [H, W, C].  who: the contender's label.  errors: show where the answer is wrong
    instead of the answer itself, where the form of target has such a map.
    """
    name = answer.task.name
    caption = f"<b>{escape(name)}</b> {error_of(answer)}"
    alt = t("{name} as predicted by {who}: {error}", name=name, who=who, error=error_of(answer))
    figure = _errors(answer) if errors else None
    if figure is None:
        return TaskFigure(_drawn(image, answer, answer.answer, answer.truth), alt, caption)
    return TaskFigure(figure, t("Errors of {what}", what=alt), caption)


def field_error(answer: Answer, who: str) -> TaskFigure:
    """Return a map of how far a field is from the truth, with its own scale. who: the contender's label."""
    away = np.abs(answer.answer - answer.truth)
    _, top = charts.limits(away)
    legend = _ramp(charts.GAP_SCALE, "0", number(top, ".2g"))
    caption = f'<b>{t("error")}</b><div class="gallery-legend">{legend}</div>'
    name = answer.task.name
    return TaskFigure(
        charts.gap(away, top, answer.task.unit),
        t("Errors of {name} as predicted by {who}", name=name, who=who),
        caption,
    )


def error_of(given: Answer) -> str:
    """Return an answer's error on its picture in words: "RMSE 0.42 m"."""
    if given.view == "field":
        return t("relative error {error:.3g}", error=next(iter(given.metrics.values())))
    if given.view == "picture":
        # Numbers in the task's own units, which may be standardised.
        return t("RMSE {error:.3g} {unit}", error=np.sqrt(given.loss), unit=given.task.unit).rstrip()
    form = form_named(given.task.form)
    value = given.metrics[next(iter(form.metrics))]
    return form.headline.format(value) if isfinite(value) else t("no error: nothing is known here")


def card(answers: Sequence[Answer], *, true: bool) -> str:
    """Return an HTML table of the answers that are written: the ground truth if `true`, otherwise the predictions."""
    rows = [f"<tr><th>{escape(a.task.name)}</th><td>{_true(a) if true else _said(a)}</td></tr>" for a in answers]
    return f'<table class="gallery-card">{"".join(rows)}</table>'


def _true(answer: Answer) -> str:
    return _class(answer, int(answer.truth)) if answer.view == "classification" else _amount(answer, answer.truth)


def _said(answer: Answer) -> str:
    if answer.view == "classification":
        best = int(answer.answer.argmax())
        right = best == int(answer.truth)
        mark, word = ("✓", "right") if right else ("✗", "wrong")
        share = f"{answer.answer[best] * 100:.0f}\u00a0%"
        said = t("right") if right else t("wrong")
        return (
            f'<span class="gallery-{word}" title="{said}">{mark}</span> {_class(answer, best)} <small>{share}</small>'
        )
    off = np.abs(answer.answer - answer.truth).mean()
    return f"{_amount(answer, answer.answer)} <small>{t('off by {error:.3g}', error=off)}</small>"


def _class(answer: Answer, index: int) -> str:
    names = answer.task.classes
    return escape(names[index] if index < len(names) else t("class {number}", number=index))


def _amount(answer: Answer, values: Any) -> str:
    shown = enumerated([number(value, ".3g") for value in np.ravel(values)[:3]])
    more = " …" if np.size(values) > 3 else ""
    return escape(f"{shown}{more} {answer.task.unit}".rstrip())


def _drawn(image: charts.Image | None, answer: Answer, values: Any, beside: Any) -> go.Figure:
    if answer.view == "segmentation":
        return charts.classes(values, _names(answer))
    if answer.view == "depth":
        return charts.depth(values, charts.limits(answer.truth))
    if answer.view == "normals":
        return charts.normals(values)
    if answer.view == "picture":
        return charts.picture(values)
    if answer.view == "field":
        return charts.field(values, charts.limits(answer.truth))
    assert image is not None, "Points are drawn over a picture"
    names = answer.task.classes
    return charts.points(image, values, names=names) if beside is None else charts.points(image, beside, values, names)


def _errors(answer: Answer) -> go.Figure | None:
    """Return a map of an answer's errors, or None for a form of target that has none."""
    if answer.view == "segmentation":
        return charts.mistakes(answer.truth, answer.answer, _names(answer))
    if answer.view == "depth":
        low, high = charts.limits(answer.truth)
        return charts.gap(np.abs(answer.answer - answer.truth), high - low, "m")
    if answer.view == "normals":
        cosine = np.clip((answer.answer * answer.truth).sum(-1), -1, 1)
        return charts.gap(np.rad2deg(np.arccos(cosine)), WIDEST_ANGLE, "°")
    if answer.view == "picture":
        return charts.gap(np.abs(answer.answer.astype(float) - answer.truth).mean(-1) / 255, 1.0, "of white")
    return None


def errors_legend(answers: Sequence[Answer]) -> str:
    """Return the legend of the error maps as HTML. answers: one for each task."""
    parts: list[str] = []
    for answer in answers:
        name = escape(answer.task.name)
        if answer.view == "segmentation":
            parts.append(f"<b>{name}</b> {_swatch(charts.RIGHT, t('right'))} {_swatch(charts.WRONG, t('wrong'))}")
        elif answer.view == "depth":
            low, high = charts.limits(answer.truth)
            parts.append(f"<b>{name}</b> {_ramp(charts.GAP_SCALE, '0', t('{size:.1f} m and more', size=high - low))}")
        elif answer.view == "normals":
            parts.append(f"<b>{name}</b> {_ramp(charts.GAP_SCALE, '0°', t('{size:.0f}° and more', size=WIDEST_ANGLE))}")
        elif answer.view == "picture":
            parts.append(f"<b>{name}</b> {_ramp(charts.GAP_SCALE, '0', t('black instead of white'))}")
    return " ".join(f"<span>{part}</span>" for part in parts)


def _names(answer: Answer) -> Sequence[str]:
    return answer.task.classes or [t("class {number}", number=i) for i in range(answer.task.outputs)]


def _unknown(answer: Answer) -> str:
    """Return a note on the share of a map that has no ground truth, or ""."""
    if answer.view == "segmentation":
        missing = float((answer.truth < 0).mean())
    elif answer.view in ("depth", "normals"):
        missing = float(np.isnan(answer.truth).mean()) if answer.truth.size else 0.0
    else:
        return ""
    percent = f"{missing * 100:.0f}\u00a0%" if missing >= 0.005 else t("under 1\u00a0%")
    return f" <small>{t('striped: no ground truth ({percent})', percent=percent)}</small>" if missing > 0 else ""


def _legend(answers: Sequence[Answer]) -> str:
    first = answers[0]
    if first.view == "segmentation":
        names = _names(first)
        there = charts.occurring(first.truth, *(answer.answer for answer in answers))
        body = " ".join(_swatch(charts.class_color(i), names[i]) for i in there)
    elif first.view == "depth":
        low, high = charts.limits(first.truth)
        body = _ramp(charts.DEPTH_SCALE, f"{number(low, '.1f')} m", f"{number(high, '.1f')} m")
    elif first.view == "normals":
        body = f'<span class="gallery-ball"><img src="{charts.normal_ball()}" alt="">{t(NORMAL_COLOURS)}</span>'
    elif first.view == "field":
        low, high = charts.limits(first.truth)
        ends = (number(end, ".3g").replace("-", "−") for end in (low, high))
        body = f"{_ramp(charts.DEPTH_SCALE, *ends)}<br>{escape(first.axes)}"
    elif first.view in ("heatmaps", "landmarks"):
        body = t("○ ground truth, × prediction")
    else:
        return ""
    return f'<div class="gallery-legend">{body}</div>'


def _swatch(color: str, name: str) -> str:
    return f'<span class="gallery-swatch"><i style="background:{color}"></i>{escape(name)}</span>'


def _ramp(scale: str, low: str, high: str) -> str:
    stops = ", ".join(f"{color} {at:.0%}" for at, color in get_colorscale(scale))
    return f'<span class="gallery-ramp">{low}<i style="background:linear-gradient(90deg, {stops})"></i>{high}</span>'
