"""The search box and the filters above the table; what they are set to is in the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import streamlit as st

from gradnorm.common.texts import later
from gradnorm.runs.catalogue import Choices
from gradnorm.runs.query import SORTS, Query
from gradnorm.runs.records import RunState
from gradnorm.ui.runs import state
from gradnorm.ui.widgets import show
from gradnorm.ui.words import t

_SORTS = {
    "newest": later("Newest"),
    "name": later("Name"),
    "loss": later("Final loss"),
    "steps": later("Most steps"),
    "duration": later("Longest"),
}
_WIDTH = 145
_HELP = later(
    "Words of a run's title, name, notes, tags or id, and settings. `toy alpha>=0.5` finds runs on toy whose α is at "
    'least 0.5; `"two words"` in quotes are looked for together.'
)


def show_filters(query: Query, choices: Choices) -> None:
    """Show the search box, the filters and the order."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="run-filters"):
        show("run-search", query.text)
        st.text_input(
            t("Search"),
            key="run-search",
            help=t(_HELP),
            placeholder="toy alpha>=0.5",
            icon=":material/search:",
            on_change=lambda: state.change(text=st.session_state["run-search"]),
            width=280,
        )
        _select(t("Data set"), "dataset", query.dataset, choices.datasets)
        _select(t("Method"), "method", query.method, choices.methods)
        _select(t("State"), "state", query.state, get_args(RunState), t)
        _select(t("Tag"), "tag", query.tag, choices.tags)
        _select(t("Sort by"), "sort", query.sort, SORTS, lambda name: t(_SORTS[name]), optional=False)
        _switch(t("Pinned"), "pinned", query.pinned)
        _switch(t("Trash ({trashed:,})", trashed=choices.trashed), "trashed", query.trashed)
    if query.group or query.narrowed:
        st.button(t("Clear the filters"), key="clear", icon=":material/filter_alt_off:", on_click=state.clear)


def _select(
    label: str,
    name: str,
    value: str,
    options: Sequence[str],
    text: Callable[[str], str] = str,
    *,
    optional: bool = True,
) -> None:
    key = f"run-{name}"
    # An address may name what no run has any more.
    known = [*options, *([value] if value and value not in options else [])]
    show(key, value)
    st.selectbox(
        label,
        ["", *known] if optional else known,
        key=key,
        format_func=lambda option: text(option) if option else t("any"),
        on_change=lambda: state.change(**{name: st.session_state[key]}),
        width=_WIDTH,
    )


def _switch(label: str, name: str, value: bool) -> None:
    key = f"run-{name}"
    show(key, value)
    st.toggle(label, key=key, on_change=lambda: state.change(**{name: st.session_state[key]}))
