"""What stands in figures, in the visitor's language: `charts/` draws them in English, as reports and the library do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

from gradnorm.comparison.measures import Measure
from gradnorm.ui.words import ENGLISH, language, symbols, t

Figure = TypeVar("Figure")


def title_of(measure: Measure) -> str:
    """Return the name of a measure: "price: r2", "weight of price"."""
    if measure.metric:
        return measure.title
    of_all = Measure(measure.quantity).title
    return t("{what} of {task}", what=t(of_all), task=measure.task) if measure.task else t(of_all)


def in_words(figure: Figure, measures: Iterable[Measure] = ()) -> Figure:
    """Change the texts of a Plotly figure to the visitor's language, its numbers too, and return it.

    measures: those whose titles may stand in it. What is not in the table, as a task's name, stays as it is.
    """
    code, drawn = language(), cast("Any", figure)
    if code == ENGLISH:
        return figure
    group, decimal, _ = symbols(code)
    named = {measure.title: title_of(measure) for measure in measures}

    def said(text: str | None) -> str | None:
        return named.get(text) or t(text) if text else text

    drawn.update_layout(separators=decimal + group)
    drawn.layout.title.text = said(drawn.layout.title.text)
    for axis in (*drawn.select_xaxes(), *drawn.select_yaxes()):
        axis.title.text = said(axis.title.text)
    for note in drawn.select_annotations():
        note.text = said(note.text)
    for trace in drawn.data:
        if "name" in trace:
            trace.name = said(trace.name)
    return figure
