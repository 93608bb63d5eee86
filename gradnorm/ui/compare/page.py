"""The Compare page: runs, curves, scores, options that differ, and all of it as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import streamlit as st

from gradnorm.charts.comparison import figures
from gradnorm.comparison import compared, tables
from gradnorm.comparison.compared import Comparison
from gradnorm.comparison.loading import ComparedRun, load
from gradnorm.comparison.measures import Measure
from gradnorm.comparison.tables import Table
from gradnorm.export.comparison import as_csv, as_latex
from gradnorm.export.report import as_html, html_table
from gradnorm.runs.faults import StoreError
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.compare import address
from gradnorm.ui.compare.controls import choose_runs, controls
from gradnorm.ui.compare.view import View
from gradnorm.ui.figure_words import in_words, title_of
from gradnorm.ui.lab import lab
from gradnorm.ui.location import assets
from gradnorm.ui.markdown import plain
from gradnorm.ui.pictures import camera
from gradnorm.ui.words import t

# What a mouse does by itself needs no button, and a phone has no room for it.
_NEEDLESS = ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d"]
_TOOLS = {"displayModeBar": True, "modeBarButtonsToRemove": _NEEDLESS}


def compare() -> None:
    """Show the runs that the address names, `?runs=a,b&by=step&metric=…`."""
    st.html(assets() / "compare.css")
    st.subheader(t("Compare"))
    view, told = address.shown()
    loaded = load(lab().store, view.runs)
    _warn(*told, *loaded.faults)
    choose_runs(view, loaded.runs)
    if not loaded.runs:
        st.info(
            t("Choose runs here, or on the Runs page. Runs with the same settings but for the seed become one line."),
            icon=":material/stacked_line_chart:",
        )
        return
    view, comparison, measures = _found(view, loaded.runs)
    address.show(view)
    controls(view, comparison, measures)
    _figures(view, comparison, measures)
    _tables(view, comparison)
    _files(view, comparison, measures, loaded.faults)


def _found(view: View, runs: Sequence[ComparedRun]) -> tuple[View, Comparison, list[Measure]]:
    """Return the comparison and the drawn measures; and the view without a baseline or metrics that there are not."""
    try:
        comparison = compared.compare(runs, view.last, view.baseline)
    except ValueError as error:
        _warn(str(error))
        view = replace(view, baseline="")
        comparison = compared.compare(runs, view.last)
    try:
        return view, comparison, comparison.chosen(view.metrics)
    except ValueError as error:
        _warn(str(error))
        return replace(view, metrics=()), comparison, comparison.chosen(())


def _warn(*told: str) -> None:
    for text in told:
        st.warning(plain(text), icon=":material/signpost:")


def _figures(view: View, comparison: Comparison, measures: Sequence[Measure]) -> None:
    dark = st.context.theme.type == "dark"
    try:
        drawn, told = figures(lab().store, comparison, measures, view.by, view.score, dark=dark, log=view.log)
    except (UnknownRunError, StoreError) as error:
        _warn(str(error))
        return
    _warn(*told)
    for i, figure in enumerate(drawn):
        kind = cast("Any", figure.data[0]).type
        height = cast("Any", figure.layout).height
        config = camera(f"comparison-{i + 1}", view.picture, height=height, tools=_TOOLS)
        st.plotly_chart(in_words(figure, comparison.measures), key=f"comparison-{kind}-{i}", config=config)


def _tables(view: View, comparison: Comparison) -> None:
    measures = comparison.headline
    shown = {
        t("Scores"): tables.scores(comparison, view.score, measures),
        t("Paired differences"): tables.differences(comparison, view.score, measures),
        t("Options that differ"): tables.differs(comparison),
        t("Runs"): tables.runs(comparison),
    }
    for title, table in shown.items():
        if table:
            st.markdown(f"##### {title}")
            st.html(html_table(_said(table, comparison)))
        if title == t("Scores"):
            st.caption(plain(" ".join(t(note) for note in tables.notes(comparison, view.score))))
    going = [run.info.run for group in comparison.groups for run in group.runs if not run.info.ended]
    if going:
        st.caption(
            t(
                "{count} of these runs are not over. Their scores are those of their newest evaluations.",
                count=len(going),
            )
        )


def _said(table: Table, comparison: Comparison) -> Table:
    """Return a table in the visitor's language. Numbers stay as in the files."""
    named = {measure.title: title_of(measure) for measure in comparison.measures}
    head = tuple(named.get(cell) or t(cell) for cell in table.head)
    return replace(table, head=head, rows=tuple(tuple(t(cell) for cell in row) for row in table.rows))


def _files(view: View, comparison: Comparison, measures: Sequence[Measure], faults: Sequence[str]) -> None:
    """Offer the comparison as files, each made when it is asked for."""

    def report() -> str:
        drawn, told = figures(lab().store, comparison, measures, view.by, view.score, log=view.log)
        return as_html(comparison, view.score, comparison.headline, drawn, (*faults, *told))

    made = {
        "CSV": ("csv", "text/csv", lambda: as_csv(comparison), t("All scores of all metrics, a row each.")),
        "LaTeX": (
            *("tex", "text/plain"),
            lambda: as_latex(comparison, view.score, comparison.headline),
            t("The table of scores, for a paper."),
        ),
        t("HTML report"): ("html", "text/html", report, t("Figures and tables in one file, which needs no network.")),
    }
    with st.container(horizontal=True, key="compare-files"):
        for label, (ending, kind, make, text) in made.items():
            st.download_button(
                *(label, make, f"comparison.{ending}", kind),
                key=f"compare-{ending}",
                help=text,
                icon=":material/download:",
                on_click="ignore",
            )
