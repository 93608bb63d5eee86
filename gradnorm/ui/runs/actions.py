"""What can be done with the ticked runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from gradnorm.common.texts import later
from gradnorm.export.citations import bibtex
from gradnorm.export.process import MOST_RUNS
from gradnorm.runs.groups import Group
from gradnorm.runs.records import RunInfo
from gradnorm.ui.gallery.test_images import gallery_link
from gradnorm.ui.lab import lab
from gradnorm.ui.runs import state
from gradnorm.ui.server import base_path
from gradnorm.ui.words import t

COMPARED = 100
_FILES = {
    "csv": "CSV",
    "parquet": "Parquet",
    "json": "JSON",
    "tensorboard": "TensorBoard",
    "python": later("Python script"),
    "spec": later("Spec"),
}
# By the kinds of `Group`.
_GROUPS = {"study": later("Show its study"), "race": later("Show its race"), "forks": later("Show its forks")}
_FILES_OF_MANY = ("csv", "parquet", "json")


def show_actions(chosen: Sequence[RunInfo], group: Group | None) -> None:
    """Show what can be done with runs that are not in the trash. group: of a single one."""
    runs = [info.run for info in chosen]
    ended = [info.run for info in chosen if info.ended]
    pinned = all(info.labels.pinned for info in chosen)
    with st.container(horizontal=True, key="run-actions"):
        if 1 < len(runs) <= COMPARED:
            st.link_button(
                t("Compare"), f"{base_path()}/compare?runs={','.join(runs)}", icon=":material/compare_arrows:"
            )
        if group is not None:
            show = partial(state.change, group=group.id)
            st.button(t(_GROUPS[group.kind]), key="group", icon=":material/account_tree:", on_click=show)
        _tags(chosen)
        _button(t("Unpin") if pinned else t("Pin"), "pin", ":material/keep:", lambda: _pin(runs, not pinned))
        with st.popover(t("Cite"), icon=":material/format_quote:"):
            st.code(bibtex([str(info.spec.get("method")) for info in chosen]), language="bibtex", wrap_lines=True)
        if ended:
            _button(t("Trash {count:,}", count=len(ended)), "trash", ":material/delete:", lambda: state.trash(ended))
    if len(ended) < len(chosen):
        st.caption(t("Runs that go on can't go into the trash. Stop them first."))
    _downloads(chosen)
    if len(chosen) == 1:
        gallery_link(chosen[0])


def show_trash_actions(chosen: Sequence[RunInfo]) -> None:
    """Show what can be done with runs in the trash."""
    runs = [info.run for info in chosen]
    with st.container(horizontal=True, key="run-actions"):
        _button(
            t("Put back {count:,}", count=len(runs)),
            "restore",
            ":material/restore_from_trash:",
            lambda: state.restore(runs),
        )
        with st.popover(t("Delete {count:,} for good", count=len(runs)), icon=":material/delete_forever:"):
            st.write(t("Their records and checkpoints are deleted. This can't be undone."))
            _button(t("Delete"), "delete", None, lambda: state.attempt(lambda: lab().store.catalogue.delete(runs)))


def _tags(chosen: Sequence[RunInfo]) -> None:
    runs = [info.run for info in chosen]
    theirs = sorted({tag for info in chosen for tag in info.labels.tags})
    remove = f"tags-remove {hash(tuple(theirs))}"
    with st.popover(t("Tag"), icon=":material/label:"):
        st.multiselect(t("Add"), lab().store.catalogue.choices().tags, key="tags-add", accept_new_options=True)
        st.multiselect(t("Take away"), theirs, key=remove)
        _button(t("Tag {count:,}", count=len(runs)), "tag", None, lambda: _tag(runs, remove))


def _tag(runs: Sequence[str], remove: str) -> None:
    # What is chosen now: the button may be pressed before it was drawn with the newest choice.
    add, fewer = st.session_state["tags-add"], st.session_state[remove]
    if state.attempt(lambda: lab().store.catalogue.tag(runs, add, fewer)):
        st.session_state["tags-add"] = []
    state.remount()


def _pin(runs: Sequence[str], pinned: bool) -> None:
    state.attempt(lambda: lab().store.catalogue.pin(runs, pinned))
    state.remount()


def _downloads(chosen: Sequence[RunInfo]) -> None:
    if len(chosen) > MOST_RUNS:
        st.caption(t("At most {count} runs can be downloaded at once.", count=MOST_RUNS))
        return
    runs, kinds = ",".join(info.run for info in chosen), dict(_FILES)
    if len(chosen) > 1:
        kinds = {kind: f"{_FILES[kind]} (zip)" for kind in _FILES_OF_MANY}
    elif chosen[0].recorded:
        del kinds["python"]
    links = [
        f'<a href="{base_path()}/live/{runs}/export/{kind}" download>{t(label)}</a>' for kind, label in kinds.items()
    ]
    st.html(f'<p class="gradnorm-links">{t("Download")} {" · ".join(links)}</p>')


def _button(label: str, key: str, icon: str | None, press: Callable[[], object]) -> None:
    def do() -> None:
        press()

    st.button(label, key=key, icon=icon, on_click=do)
