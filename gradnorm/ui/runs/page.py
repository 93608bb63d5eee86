"""The Runs page: all runs of the home, searched and labelled, a page at a time; charts of those that are ticked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from gradnorm.charts import history
from gradnorm.runs.catalogue import Choices, Page
from gradnorm.runs.damage import sentence
from gradnorm.runs.database import PASSING
from gradnorm.runs.labels import TRASH_DAYS
from gradnorm.runs.query import Query
from gradnorm.runs.records import RunInfo
from gradnorm.ui.figure_words import in_words
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.pictures import camera, picture_kind
from gradnorm.ui.runs import state
from gradnorm.ui.runs.actions import show_actions, show_trash_actions
from gradnorm.ui.runs.filters import show_filters
from gradnorm.ui.runs.table import show_table
from gradnorm.ui.words import t, tn

DRAWN = 8
_TOOLS = {"modeBarButtonsToRemove": ["sendDataToCloud"]}


def catalogue() -> None:
    """Show the runs that the address asks for, and actions and charts for those that are ticked."""
    st.subheader(t("Runs"))
    store = lab().store
    _tell(_damage(str(store.home)))
    _tell(lab().trouble)
    with suppress(*PASSING):
        store.catalogue.expire()
    query, choices = state.query(), store.catalogue.choices()
    page = store.catalogue.find(query)
    if not (page.count or query.narrowed or query.trashed or choices.trashed):
        st.info(t("No runs yet. Start one in the Playground, or with `python -m gradnorm train`."))
        return
    show_filters(query, choices)
    _offer_undo()
    if query.trashed:
        _about_trash(choices)
    if not page.count:
        st.info(t("The trash is empty.") if query.trashed and not query.narrowed else t("No run matches."))
        return
    chosen = _chosen(query, page, choices)
    if not chosen:
        st.caption(t("Tick rows to compare, tag, download, cite or delete runs. Click a run's id to open it."))
    elif query.trashed:
        show_trash_actions(chosen)
    else:
        groups = [entry.group for entry in page.entries if [entry.info] == chosen]
        show_actions(chosen, groups[0] if groups else None)
    if chosen:
        _charts(chosen)


# To check each of 10,000 runs takes half a second.
@st.cache_data(ttl=60, show_spinner=False)
def _damage(home: str) -> str:
    return lab().store.damage()


def _tell(wrong: str | None) -> None:
    if wrong:
        st.warning(plain(wrong), icon=":material/broken_image:")


def _offer_undo() -> None:
    runs = state.undoable()
    if not runs:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="run-undo"):
        st.write(tn("Put {count} run into the trash.", "Put {count:,} runs into the trash.", len(runs)))
        st.button(t("Undo"), key="undo", icon=":material/undo:", on_click=state.restore, args=(runs,))
        st.button(t("OK"), key="forget", type="tertiary", on_click=state.forget)


def _about_trash(choices: Choices) -> None:
    st.caption(t("Runs in the trash are deleted {count} days after they were put there.", count=TRASH_DAYS))
    if choices.trashed:
        with st.popover(t("Empty the trash"), icon=":material/delete_forever:"):
            st.write(
                t(
                    "All {trashed:,} runs in the trash are deleted for good, with records and checkpoints.",
                    trashed=choices.trashed,
                )
            )
            st.button(t("Delete all"), key="empty", type="primary", on_click=_empty)


def _empty() -> None:
    state.attempt(lab().store.catalogue.empty)
    state.forget()


def _chosen(query: Query, page: Page, choices: Choices) -> list[RunInfo]:
    """Show the table, its pages and how many runs there are; return the runs that are ticked, or all that match."""
    ticked = show_table(page, choices.tags)
    with st.container(horizontal=True, vertical_alignment="center", key="run-pages"):
        every = st.checkbox(t("Choose all {count:,}", count=page.count), key=f"all {query.address()} {state.mounts()}")
        if page.pages > 1:
            key = f"run-page {page.number} of {page.pages}"

            def turn() -> None:
                state.change(page=st.session_state[key])

            st.pagination(page.pages, default=page.number, key=key, on_change=turn)
    catalogue = lab().store.catalogue
    return catalogue.infos(catalogue.ids(query) if every else ticked)


def _charts(chosen: Sequence[RunInfo]) -> None:
    """Show the chosen runs' test loss in one chart, and the weights if a single run is chosen."""
    snapshots = [lab().store.read(info.run) for info in chosen[:DRAWN]]
    for snapshot in snapshots:
        _tell(sentence(snapshot.info.run, snapshot.damage))
    columns = st.columns(2) if len(chosen) == 1 else [st.container()]
    figures = [history.test_loss(snapshots), *([history.weights(snapshots[0])] if len(chosen) == 1 else [])]
    names = ("test-loss", "weights")[: len(figures)]
    for column, figure, name in zip(columns, figures, names, strict=True):
        file = f"{chosen[0].run if len(chosen) == 1 else 'runs'}-{name}"
        column.plotly_chart(in_words(figure), config=camera(file, tools=_TOOLS))
    picture_kind()
    if len(chosen) > DRAWN:
        st.caption(t("The charts show the first {drawn} of {count:,} runs.", drawn=DRAWN, count=len(chosen)))
