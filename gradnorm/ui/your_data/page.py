"""Your data: a table file becomes tasks, and tasks become a run or a race."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from gradnorm.config.options import options
from gradnorm.config.spec import RunSpec
from gradnorm.datasets.by_path.own_table import FORMS, OwnTable, target_of
from gradnorm.datasets.readers.folders import UPLOADED, DataError, data_root
from gradnorm.datasets.readers.table_reader import Table
from gradnorm.datasets.tabular.preprocessing import MOST_CLASSES, form_of
from gradnorm.ui import navigation, session
from gradnorm.ui.lab import lab
from gradnorm.ui.playground.race import race
from gradnorm.ui.widgets import show, widget
from gradnorm.ui.your_data import uploads
from gradnorm.ui.your_data.table_view import columns_view

_WORDS = {form: word for word, form in FORMS.items()}


def your_data() -> None:
    """Show the page: file, columns, what is learnt from what, and the buttons that start."""
    if session.leaving():
        st.switch_page(navigation.playground())
    st.subheader("Your data")
    if fault := session.fault():
        st.error(plain(fault), icon=":material/error:")
    own = _own()
    left, right = st.columns([3, 2], gap="large")
    with left:
        _file(own)
        table = _read(own)
        if table is not None:
            columns_view(own, table)
    if table is not None:
        with right:
            _learnt(own, table)
            _split(own, table)
            _run(own)


def plain(text: str) -> str:
    """Return a text so that Markdown shows it as it is: columns may be called anything."""
    return re.sub(r"([\\`*_{}\[\]()#+!|$~<>:-])", r"\\\1", text)


def _own() -> OwnTable:
    """Return the session's table; one without a file where another data set is chosen."""
    dataset = session.spec().dataset
    return dataset if isinstance(dataset, OwnTable) else OwnTable.model_validate({})


def _file(own: OwnTable) -> None:
    st.file_uploader(
        "Upload a CSV or Parquet file",
        type=["csv", "tsv", "txt", "gz", "parquet"],
        key="upload",
        on_change=_take_upload,
        help="A header row, then a row for each example. It stays on this server.",
    )
    root = data_root()
    if root.is_dir():
        chosen = own.file if own.file and not own.file.startswith(UPLOADED) else None
        known = uploads.files()
        show("table file", chosen)
        st.selectbox(
            "Or a file on the server",
            [*known, *([chosen] if chosen and chosen not in known else [])],
            key="table file",
            placeholder=f"below {root}",
            accept_new_options=True,
            on_change=lambda: _choose(st.session_state["table file"] or ""),
            help=f"Below {root}; set GRADNORM_DATA for another folder.",
        )
    else:
        st.caption(plain(f"To choose files on the server, set GRADNORM_DATA to their folder. There is no {root}."))


def _take_upload() -> None:
    given = st.session_state["upload"]
    if given is None:
        return
    try:
        _choose(uploads.keep(given.name, given.getvalue()))
    except DataError as error:
        session.tell(str(error))


def _choose(file: str) -> None:
    """Take another file; targets and inputs stay as far as it has such columns."""
    own = _own()
    start = {} if isinstance(session.spec().dataset, OwnTable) else _start_with()
    try:
        names = {column.name for column in OwnTable.model_validate({"file": file}).table().columns}
    except (DataError, ValueError):
        names = set[str]()  # what is wrong with the file is said below the choice
    session.change(
        {
            **start,
            "dataset": "table",
            "file": file,
            "targets": [text for text in own.targets if target_of(text)[0] in names],
            "inputs": [name for name in own.inputs if name in names],
            "group": own.group if own.group in names else "",
        }
    )


def _start_with() -> dict[str, Any]:
    """Return the settings that suit a table, of those that nobody has changed yet."""
    spec = session.spec().flat()
    default = RunSpec.parse({"dataset": spec["dataset"], "method": spec["method"]}).flat()
    suits = {key: value for key, value in OwnTable.recommended.items() if spec[key] == default[key]}
    return {**suits, "units": "standardised"}


def _read(own: OwnTable) -> Table | None:
    if not own.file:
        st.info("Choose a file: some of its columns will be learnt from the others, by one network.")
        return None
    try:
        with st.spinner("Reading…"):
            return own.table()
    except DataError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return None


def _learnt(own: OwnTable, table: Table) -> None:
    """Choose targets, how each is learnt, and inputs."""
    chosen = [name for name, _ in map(target_of, own.targets)]
    able = [c.name for c in table.columns if c.kind in ("number", "class") or 2 <= c.distinct <= MOST_CLASSES]
    _several(
        "Targets", "targets", chosen, [*able, *_beyond(chosen, able)], _set_targets, "Learnt together, a task each."
    )
    for text in own.targets:
        _form(table, text)
    others = [c.name for c in table.columns if c.kind != "empty" and c.name not in chosen]
    _several(
        "Inputs",
        "inputs",
        list(own.inputs),
        [*others, *_beyond(own.inputs, others)],
        partial(_change, "inputs"),
        "What the targets are learnt from.",
        "all other columns that can be used",
    )


def _beyond(chosen: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return chosen names that a list lacks, as from an address: they must be shown to be taken out."""
    return [name for name in chosen if name not in known]


def _several(
    label: str,
    key: str,
    chosen: list[str],
    names: list[str],
    changed: Callable[[list[str]], None],
    text: str,
    empty: str = "choose columns",
) -> None:
    widget_key = f"table {key}"
    show(widget_key, chosen)
    st.multiselect(
        label,
        names,
        key=widget_key,
        placeholder=empty,
        help=text,
        on_change=lambda: changed(st.session_state[widget_key]),
    )


def _set_targets(names: list[str]) -> None:
    """Take other targets; those that stay keep their form."""
    own = _own()
    before = {target_of(text)[0]: text for text in own.targets}
    table = own.table()
    texts = [before.get(name, f"{name}:{_WORDS[form_of(table.column(name))]}") for name in names]
    session.change({"targets": texts, "inputs": [name for name in own.inputs if name not in names]})


def _form(table: Table, text: str) -> None:
    """Choose whether a target is learnt as a number or as a class, if it can be either."""
    name, form = target_of(text)
    column = next((column for column in table.columns if column.name == name), None)
    if column is None:
        return  # the address names a column that is not there; what is wrong is said above the button
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
        texts = [f"{name}:{st.session_state[key]}" if other == text else other for other in _own().targets]
        session.change({"targets": texts})

    st.radio(
        plain(f"{name} is learnt as a"),
        words,
        key=key,
        horizontal=True,
        on_change=changed,
    )


def _split(own: OwnTable, table: Table) -> None:
    """Choose units, the test set, and what becomes of missing values."""
    found = {option.key: option for option in options("table")}
    values = session.spec().flat()
    groups = [c.name for c in table.columns if 2 <= c.distinct < table.rows]
    with st.expander("Units, test set, missing values", icon=":material/settings:", expanded=False):
        for key in ("units", "output_scale", "missing"):
            widget(found[key], values[key], _change)
        show("table group", own.group)
        st.selectbox(
            "Split into training and test",
            ["", *groups, *_beyond([own.group] if own.group else [], groups)],
            key="table group",
            format_func=lambda name: f"by groups of {name}" if name else "by rows",
            on_change=lambda: _change("group", st.session_state["table group"]),
            help=found["group"].help,
        )
        widget(found["test_share"], values["test_share"], _change)


def _change(key: str, value: Any) -> None:
    session.change({key: value})


def _run(own: OwnTable) -> None:
    """Say what will be trained on, and start it."""
    if not own.targets:
        st.info("Choose one target or more.")
        return
    try:
        with st.spinner("Preparing…"):
            notes = own.prepared().notes
    except DataError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.markdown("\n".join(f"- {plain(note)}" for note in notes))
    if own.advice:
        st.info(own.advice, icon=":material/lightbulb:")
    found = {option.key: option for option in options("table", session.spec().method.name)}
    values = session.spec().flat()
    for key in ("alpha", "steps"):
        if key in found:
            widget(found[key], values[key], _change)
    st.button(
        "Start run", icon=":material/play_arrow:", type="primary", on_click=_start, key="start run", width="stretch"
    )
    race(session.leave)


def _start() -> None:
    session.watch(lab().launch(session.spec()))
    session.leave()
