"""What a visitor without a run sees first: what this is, and one button that starts a race."""

from __future__ import annotations

import streamlit as st

from gradnorm.common.texts import later
from gradnorm.config.spec import SpecError
from gradnorm.config.variants import against_equal, labels
from gradnorm.runs.faults import StoreError
from gradnorm.ui import navigation, session
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.playground import run_bar
from gradnorm.ui.playground.by_hand import play_by_hand
from gradnorm.ui.words import on_page, t

_HEADLINE = later("One network, many tasks, and all of them learn")
_SENTENCE = later(
    "The task with the largest gradient drowns out the rest. GradNorm turns each task’s loss up or down as they "
    "train, so that all are heard."
)


def first() -> None:
    """Show headline, sentence and the button that starts the race of the settings against equal weights."""
    specs = against_equal(session.spec())
    with st.container(key="first", gap="small"):
        st.title(t(_HEADLINE), anchor=False)
        st.markdown(t(_SENTENCE))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                t("Start the race"),
                icon=":material/flag:",
                type="primary",
                on_click=session.once(_start),
                key="start first",
            )
            play_by_hand()
            run_bar.start("tertiary")
            run_bar.first_step()
            st.page_link(navigation.lesson(), label=t("Take the lesson"), icon=":material/school:")
        mine, rival = labels([spec.flat() for spec in specs])
        st.caption(
            plain(
                t(
                    "{mine} against {rival}, from the same start, with your settings.",
                    mine=t(mine),
                    rival=t(rival),
                )
            )
        )
    run_bar.fault()


def _start() -> None:
    try:
        session.watch(lab().race(against_equal(session.spec()))[0])
    except (SpecError, StoreError) as error:
        session.tell(on_page(error))
