"""The verdict under the buttons once a run has ended, and the button that trains it with equal weights."""

from __future__ import annotations

from functools import lru_cache, partial

import streamlit as st

from gradnorm.comparison.rivals import rivals, verdict_on
from gradnorm.comparison.verdict import Verdict
from gradnorm.config.spec import SpecError
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui import session
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.words import on_page, t


def verdict(info: RunInfo) -> None:
    """Say what came of a run that has ended, beside those that began alike; until then, that this will be said here."""
    with st.container(border=True, horizontal=True, gap="small", key="verdict"):
        if not info.ended:
            st.caption(t("What came of it is said here when the run ends."))
            return
        try:
            stand = tuple((each.run, each.state, each.steps) for each in (info, *rivals(lab().store, info)))
            found = _verdict(info.run, stand)
        except (UnknownRunError, StoreError):  # deleted since, or damaged, which the page says
            return
        if not found.text:
            return
        st.markdown(f"**{plain(t(found.head))}** {plain(t(found.more))}")
        if found.wants_equal and not lab().store.read_only:
            _with_equal_weights(info.run)


def _with_equal_weights(run: str) -> None:
    st.button(
        t("Run it with equal weights"),
        icon=":material/balance:",
        on_click=session.once(partial(_equal, run)),
        key=f"equal {run}",
        help=t("The same data, network and batches, with all weights 1. Both are then drawn together."),
    )


@lru_cache(maxsize=64)
def _verdict(run: str, stand: tuple[tuple[str, str, int], ...]) -> Verdict:
    """Return the verdict. stand: where each run stands that it is made of, since it changes with them."""
    return verdict_on(lab().store, run)


def _equal(run: str) -> None:
    try:
        session.watch(lab().equal(run))
    except (UnknownRunError, SpecError, StoreError) as error:
        session.tell(on_page(error))
