"""The Compare page's controls. Each of them changes the address, and the page is drawn from that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import streamlit as st

from gradnorm.common.texts import later
from gradnorm.comparison.compared import Comparison
from gradnorm.comparison.curves import AXES, recorded
from gradnorm.comparison.loading import MOST_RUNS, ComparedRun
from gradnorm.comparison.measures import Measure
from gradnorm.comparison.scores import STATISTICS
from gradnorm.runs.titles import title_text
from gradnorm.ui.compare import address
from gradnorm.ui.compare.view import MOST_LAST, PICTURES, View
from gradnorm.ui.figure_words import title_of
from gradnorm.ui.lab import lab
from gradnorm.ui.widgets import show
from gradnorm.ui.words import t

# Of the newest runs, any can be added here; older ones by the Runs page or the address.
_OFFERED = 500
_AXES = {"step": later("Steps"), "time": later("Time"), "epoch": later("Epochs")}
_SCORES = {"final": later("Final"), "best": later("Best"), "last": later("Mean of last")}


def choose_runs(view: View, shown: Sequence[ComparedRun]) -> None:
    """Show which runs are compared, and let others be added."""
    infos = {run.info.run: run.info for run in shown}
    infos |= {info.run: info for info in lab().store.runs(_OFFERED) if info.run not in infos}

    def name(run: str) -> str:
        started = datetime.fromtimestamp(infos[run].created).strftime("%Y-%m-%d, %H:%M")
        return f"{infos[run].labels.name or t(title_text(infos[run]))} · {started} · {run[-6:]}"

    # By its key it stays open, though its label changes with each run that is chosen.
    label = t("Runs ({count})", count=len(shown))
    with st.expander(label, expanded=not shown, icon=":material/list:", key="compare-runs-list"):
        # The browser remembers choices by their positions in the list, so another list needs another widget.
        key = f"compare-runs {hash(tuple(infos))}"
        show(key, [run.info.run for run in shown])
        st.multiselect(
            t("Compared runs"),
            list(infos),
            key=key,
            format_func=name,
            max_selections=MOST_RUNS,
            on_change=lambda: address.show(replace(view, runs=tuple(st.session_state[key]))),
            help=t("Up to {count}. Runs with the same settings but for the seed become one line.", count=MOST_RUNS),
        )


def controls(view: View, comparison: Comparison, drawn: Sequence[Measure]) -> None:
    """Show how the runs are compared. drawn: the measures that have a figure."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="compare-controls"):
        _segments(t("By"), "by", AXES, view, lambda each: t(_AXES[each]))
        _segments(t("Score"), "score", STATISTICS, view, lambda each: t(_SCORES[each]))
        if view.score == "last":
            _number(view)
        _segments(t("Picture"), "picture", PICTURES, view, str.upper, t("What the camera above a figure saves."))
        _log(view)
    left, right = st.columns([3, 2])
    with left:
        _metrics(view, comparison, drawn)
    with right:
        _baseline(view, comparison)


def _segments(
    label: str, field: str, choices: Sequence[str], view: View, name: Callable[[Any], Any], text: str | None = None
) -> None:
    key = f"compare-{field}"
    show(key, getattr(view, field))
    st.segmented_control(
        label,
        choices,
        key=key,
        format_func=name,
        required=True,
        on_change=lambda: address.show(replace(view, **{field: st.session_state[key]})),
        help=text,
    )


def _number(view: View) -> None:
    show("compare-last", view.last)
    st.number_input(
        t("Evaluations"),
        1,
        MOST_LAST,
        key="compare-last",
        width=140,
        on_change=lambda: address.show(replace(view, last=int(st.session_state["compare-last"]))),
        help=t("How many of the newest evaluations are averaged."),
    )


def _log(view: View) -> None:
    key = "compare-log"
    show(key, view.log)
    st.toggle(t("Log scale"), key=key, on_change=lambda: address.show(replace(view, log=st.session_state[key])))


def _metrics(view: View, comparison: Comparison, drawn: Sequence[Measure]) -> None:
    known = {measure.key: measure for measure in (*comparison.measures, *recorded(comparison.groups))}
    key = f"compare-metric {hash(tuple(known))}"
    show(key, [measure.key for measure in drawn])
    st.multiselect(
        t("Curves"),
        list(known),
        key=key,
        format_func=lambda each: title_of(known[each]),
        on_change=lambda: address.show(replace(view, metrics=tuple(st.session_state[key]))),
        help=t("A figure each. The first of a test is also the last axis of the options that differ."),
    )


def _baseline(view: View, comparison: Comparison) -> None:
    names = {group.runs[0].info.run: t(group.label) for group in comparison.groups}
    chosen = comparison.baseline.runs[0].info.run if view.baseline else ""
    key = f"compare-baseline {hash(tuple(names))}"
    show(key, chosen)
    usual = t(comparison.baseline.label) if not view.baseline else t("as usual")
    st.selectbox(
        t("Baseline"),
        ["", *names],
        key=key,
        format_func=lambda run: names.get(run, t("Automatic ({usual})", usual=usual)),
        on_change=lambda: address.show(replace(view, baseline=st.session_state[key])),
        help=t("What differences are to. Δm is against it too; if it is automatic, against single-task runs."),
    )
