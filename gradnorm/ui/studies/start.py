"""The form that starts a study: its kind, the settings that its runs share, and its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from gradnorm.common.texts import later
from gradnorm.config.options import options_of
from gradnorm.config.spec import PRESETS, RunSpec, SpecError, changed, preset
from gradnorm.runs.faults import StoreError
from gradnorm.studies.base import Study
from gradnorm.studies.registry import KINDS
from gradnorm.ui import session
from gradnorm.ui.lab import lab, studies
from gradnorm.ui.markdown import plain
from gradnorm.ui.widgets import show, widget
from gradnorm.ui.words import on_page, t

_PLAYGROUND = later("as in the Playground")
# What was chosen here: the kind, and options of each kind by key.
_KIND, _OPTIONS = "gradnorm.study kind", "gradnorm.study options"
_BASE, _STEPS = "study base", "study steps"


def start_form(started: Callable[[str], None]) -> None:
    """Show the form. started: called with the id of a study that was started."""
    with st.container(border=True):
        show("study kind", st.session_state.get(_KIND, next(iter(KINDS))))
        name = st.selectbox(
            t("Kind"),
            list(KINDS),
            key="study kind",
            format_func=lambda name: t(KINDS[name].title),
            on_change=lambda: st.session_state.update({_KIND: st.session_state["study kind"]}),
        )
        kind = KINDS[name]
        st.caption(t(kind.summary))
        base = _base()
        chosen: dict[str, Any] = st.session_state.setdefault(_OPTIONS, {}).setdefault(name, {})
        for option in options_of("study", kind):
            widget(option, chosen.get(option.key, option.default), partial(_change, kind, base, chosen))
        study = _made(kind, base, chosen)
        if study is not None:
            st.caption(t("{size:,} runs with {steps:,} steps in all at most", size=study.size, steps=study.steps))
        st.button(
            t("Start study"),
            icon=":material/experiment:",
            type="primary",
            on_click=_launch,
            args=(study, started),
            disabled=study is None,
            key="start study",
            width="stretch",
        )


def _base() -> RunSpec:
    """Show what the runs share, and return it."""
    choice = st.selectbox(
        t("Settings"),
        [_PLAYGROUND, *PRESETS],
        key=_BASE,
        format_func=lambda name: t(name) if name == _PLAYGROUND else name,
        help=t("Of the runs, but for what is studied."),
    )
    spec = session.spec() if choice == _PLAYGROUND else preset(choice)
    st.caption(
        plain(
            t(
                "{data}, {optimizer}, learning rate {learning_rate:g}",
                data=spec.title.partition(" · ")[0],
                optimizer=spec.optimizer,
                learning_rate=spec.learning_rate,
            )
        )
    )
    # Another one for each choice, which begins with that one's length.
    steps = st.number_input(
        t("Steps"), 1, 10_000_000, spec.settled().steps, key=f"{_STEPS} {choice}", help=t("Of each run.")
    )
    return spec if steps == spec.settled().steps else changed(spec.flat(), {"steps": int(steps)})


def _change(kind: type[Study], base: RunSpec, chosen: dict[str, Any], key: str, value: Any) -> None:
    """Take another value of an option; one that cannot be is said, and changes nothing."""
    try:
        chosen[key] = getattr(kind.parse(base.flat(), {**chosen, key: value}), key)
    except SpecError as error:
        session.tell(on_page(error))


def _made(kind: type[Study], base: RunSpec, options: Mapping[str, Any]) -> Study | None:
    try:
        return kind.parse(base.flat(), options)
    except SpecError as error:
        st.error(plain(on_page(error)), icon=":material/error:")
        return None


def _launch(study: Study, started: Callable[[str], None]) -> None:
    if st.query_params.get("study"):  # pressed again before the page was redrawn
        return
    try:
        lab().warm()
        started(studies().launch(study))
    except (SpecError, StoreError) as error:
        session.tell(on_page(error))
