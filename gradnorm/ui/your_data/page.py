"""The Your data page: choose a table file and its columns, and start a run or a race on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from gradnorm.config.options import options
from gradnorm.datasets.by_path.own_table import FORMS, OwnTable, target_of
from gradnorm.datasets.readers.folders import DataError
from gradnorm.datasets.readers.table import Table
from gradnorm.datasets.tabular.preprocessing import MOST_CLASSES, form_of
from gradnorm.ui import navigation, session
from gradnorm.ui.markdown import plain
from gradnorm.ui.playground import run_bar
from gradnorm.ui.playground.race import race
from gradnorm.ui.widgets import show, widget
from gradnorm.ui.words import t
from gradnorm.ui.your_data.file_choice import choose_file, own_table, said
from gradnorm.ui.your_data.table_view import columns_view

_WORDS = {form: word for word, form in FORMS.items()}


def your_data() -> None:
    """Show the page: the file, its columns, targets and inputs, the test set, and the start buttons."""
    if session.leaving():
        st.switch_page(navigation.playground())
    st.subheader(t("Your data"))
    if fault := session.fault():
        st.error(plain(fault), icon=":material/error:")
    own = own_table()
    left, right = st.columns([3, 2], gap="large")
    with left:
        choose_file(own)
        table = _read(own)
        if table is not None:
            columns_view(own, table)
    if table is not None:
        with right:
            _targets_and_inputs(own, table)
            _split(own, table)
            _run(own)


def _read(own: OwnTable) -> Table | None:
    if not own.file:
        st.info(
            t(
                "Choose a file. One network will learn to predict the columns that you choose as targets, from "
                "the others."
            )
        )
        return None
    try:
        with st.spinner(t("Reading…")):
            return own.table()
    except DataError as error:
        st.error(plain(said(error)), icon=":material/error:")
        return None


def _targets_and_inputs(own: OwnTable, table: Table) -> None:
    """Choose targets, the form of each, and inputs."""
    chosen = [name for name, _ in map(target_of, own.targets)]
    able = [c.name for c in table.columns if c.kind in ("number", "class") or 2 <= c.distinct <= MOST_CLASSES]
    _several(
        t("Targets"),
        "targets",
        chosen,
        [*able, *_beyond(chosen, able)],
        _set_targets,
        t("The columns to predict. Each is a task; one network learns them all."),
    )
    for text in own.targets:
        _form(table, text)
    others = [c.name for c in table.columns if c.kind != "empty" and c.name not in chosen]
    _several(
        t("Inputs"),
        "inputs",
        list(own.inputs),
        [*others, *_beyond(own.inputs, others)],
        partial(_change, "inputs"),
        t("The columns that the targets are predicted from."),
        t("all other usable columns"),
    )


def _beyond(chosen: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the chosen names that are not known, as from an address; only what is shown can be removed."""
    return [name for name in chosen if name not in known]


def _several(
    label: str,
    key: str,
    chosen: list[str],
    names: list[str],
    changed: Callable[[list[str]], None],
    text: str,
    empty: str = "",
) -> None:
    widget_key = f"table {key}"
    show(widget_key, chosen)
    st.multiselect(
        label,
        names,
        key=widget_key,
        placeholder=empty or t("choose columns"),
        help=text,
        on_change=lambda: changed(st.session_state[widget_key]),
    )


def _set_targets(names: list[str]) -> None:
    """Set the targets; those that stay keep their form."""
    own = own_table()
    before = {target_of(text)[0]: text for text in own.targets}
    table = own.table()
    texts = [before.get(name, f"{name}:{_WORDS[form_of(table.column(name))]}") for name in names]
    session.change({"targets": texts, "inputs": [name for name in own.inputs if name not in names]})


def _form(table: Table, text: str) -> None:
    """Choose whether a target is a number or a class, if its column can be either."""
    name, form = target_of(text)
    column = next((column for column in table.columns if column.name == name), None)
    if column is None:
        return  # the address names an unknown column; `_run` shows what is wrong
    words = ["number"] if column.words is None else []
    if column.words is not None or (column.whole and column.distinct <= MOST_CLASSES):
        words.append("class")
    word = _WORDS[form or form_of(column)]
    words = words if word in words else [*words, word]
    if len(words) < 2:
        return
    key = f"table form {name}"
    show(key, word)

    def changed() -> None:
        texts = [f"{name}:{st.session_state[key]}" if other == text else other for other in own_table().targets]
        session.change({"targets": texts})

    st.radio(
        plain(t("Predict {name} as a", name=name)),
        words,
        key=key,
        horizontal=True,
        format_func=t,
        on_change=changed,
    )


def _split(own: OwnTable, table: Table) -> None:
    """Choose units, the test set, and how missing values are handled."""
    by_key = {option.key: option for option in options("table")}
    values = session.spec().flat()
    groups = [c.name for c in table.columns if 2 <= c.distinct < table.rows]
    with st.expander(t("Units, test set, missing values"), icon=":material/settings:", expanded=False):
        for key in ("units", "output_scale", "missing", "reading", "validation_share"):
            widget(by_key[key], values[key], _change)
        show("table group", own.group)
        st.selectbox(
            t("Split into training and test"),
            ["", *groups, *_beyond([own.group] if own.group else [], groups)],
            key="table group",
            format_func=lambda name: t("by groups of {name}", name=name) if name else t("by rows"),
            on_change=lambda: _change("group", st.session_state["table group"]),
            help=t(by_key["group"].help),
        )
        widget(by_key["test_share"], values["test_share"], _change)


def _change(key: str, value: Any) -> None:
    session.change({key: value})


def _run(own: OwnTable) -> None:
    """Show what the run will train on, and the buttons that start it."""
    if not own.targets:
        st.info(t("Choose at least one target."))
        return
    try:
        with st.spinner(t("Preparing…")):
            notes = own.prepared().notes
    except DataError as error:
        st.error(plain(said(error)), icon=":material/error:")
        return
    st.markdown("\n".join(f"- {plain(note)}" for note in notes))
    if own.advice:
        st.info(plain(t(own.advice)), icon=":material/lightbulb:")
    by_key = {option.key: option for option in options("table", session.spec().method.name)}
    values = session.spec().settled().flat()
    for key in ("alpha", "epochs", "steps"):
        if key in by_key:
            widget(by_key[key], values[key], _change)
    st.button(
        t("Start run"), icon=":material/play_arrow:", type="primary", on_click=_start, key="start run", width="stretch"
    )
    race(session.leave)


def _start() -> None:
    if run_bar.take_in(paused=False) is not None:
        session.leave()
