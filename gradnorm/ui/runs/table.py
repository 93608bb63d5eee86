"""The table of runs: rows are ticked; names, tags, notes and pins are changed in place."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import pandas as pd
import streamlit as st

from gradnorm.common.texts import later
from gradnorm.runs.catalogue import Entry, Page
from gradnorm.runs.devices import device_text
from gradnorm.runs.labels import NAME_LENGTH, NOTES_LENGTH, TRASH_DAYS
from gradnorm.runs.titles import title_text
from gradnorm.ui.lab import lab
from gradnorm.ui.runs import state
from gradnorm.ui.server import base_path
from gradnorm.ui.words import t

TICK, TAGS, PIN = "✓", "Tags", "Pin"
_EDITED = (TICK, PIN, "Name", TAGS, "Notes")
# Columns that are text as it is.
_PLAIN = (later("What"), later("State"), later("Group"), later("Device"), later("Ending"))
_MOUNT = "runs.mount"


@dataclass
class _Mount:
    """A table in the browser. ticked: the runs that it began with.  taken: what was typed into it and is stored."""

    key: str
    ticked: frozenset[str] = frozenset()
    taken: dict[int, dict[str, Any]] = field(default_factory=dict)
    now: frozenset[str] = frozenset()


def show_table(page: Page, tags: Sequence[str]) -> list[str]:
    """Show the runs of a page and return those that are ticked. tags: that can be chosen from."""
    runs = [entry.info.run for entry in page.entries]
    # The browser keeps ticks and changes by row number: other rows, or another order, need another table.
    mount = _mount(f"catalogue {state.mounts()} {hash(tuple(runs))}")
    frame = _frame(page.entries, mount.ticked)
    edited = st.data_editor(
        frame,
        hide_index=True,
        width="stretch",
        key=mount.key,
        disabled=[name for name in frame.columns if name not in _EDITED],
        on_change=_take,
        args=(mount, runs),
        column_config=_columns(tags),
    )
    ticked = [run for run, tick in zip(runs, edited[TICK], strict=True) if tick]
    mount.now = frozenset(ticked)
    return ticked


def _mount(key: str) -> _Mount:
    """Return the table with this key; a new one keeps the ticks of the one before."""
    former = cast("_Mount | None", st.session_state.get(_MOUNT))
    if former is None or former.key != key:
        ticked = former.now if former else frozenset[str]()
        st.session_state[_MOUNT] = _Mount(key, ticked)
    return cast("_Mount", st.session_state[_MOUNT])


def _frame(entries: Sequence[Entry], ticked: frozenset[str]) -> pd.DataFrame:
    infos = [entry.info for entry in entries]
    columns: dict[str, list[Any]] = {
        TICK: [info.run in ticked for info in infos],
        "Run": [f"{base_path()}/?run={info.run}" for info in infos],
        "What": [t(title_text(info)) for info in infos],
        "Name": [info.labels.name for info in infos],
        TAGS: [list(info.labels.tags) for info in infos],
        "State": [t(info.state) if info.place is None else t("queued ({place})", place=info.place) for info in infos],
        "Done": [info.steps / info.total if info.total else None for info in infos],
        "Steps": [info.steps for info in infos],
        "Final loss": [entry.loss for entry in entries],
        "Seconds": [info.seconds for info in infos],
        "Started": [datetime.fromtimestamp(info.created) for info in infos],
        "Notes": [info.labels.notes for info in infos],
        PIN: [info.labels.pinned for info in infos],
        "Group": [f"{t(entry.group.kind)} {entry.group.id[-6:]}" if entry.group else "" for entry in entries],
        "Device": [t(device_text(info.device or "")) for info in infos],
        "Ending": [t(info.outcome.message) if info.outcome else "" for info in infos],
    }
    if any(info.labels.trashed is not None for info in infos):
        columns["Deleted on"] = [_deletion(info.labels.trashed) for info in infos]
    return pd.DataFrame(columns)


def _deletion(trashed: float | None) -> datetime | None:
    return None if trashed is None else datetime.fromtimestamp(trashed) + timedelta(days=TRASH_DAYS)


def _columns(tags: Sequence[str]) -> dict[str, Any]:
    config = st.column_config
    return {
        TICK: config.CheckboxColumn(
            width=40, pinned=True, help=t("Tick runs to compare, tag, download or delete them.")
        ),
        "Run": config.LinkColumn(t("Run"), display_text=r"run=(.+)$", help=t("Opens the run in the Playground.")),
        "Name": config.TextColumn(
            t("Name"), max_chars=NAME_LENGTH, help=t("A name of your own. Double-click to change it.")
        ),
        TAGS: config.MultiselectColumn(
            t("Tags"), options=list(tags), accept_new_options=True, help=t("Double-click to change them.")
        ),
        "Notes": config.TextColumn(t("Notes"), max_chars=NOTES_LENGTH, help=t("Double-click to change them.")),
        PIN: config.CheckboxColumn(t("Pin"), help=t("Pinned runs are on top.")),
        "Done": config.ProgressColumn(t("Done"), format="percent", min_value=0.0, max_value=1.0),
        "Steps": config.NumberColumn(t("Steps"), format="localized"),
        "Final loss": config.NumberColumn(
            t("Final loss"),
            format="%.4g",
            help=t("Task-normalised test loss of the last evaluation. It compares runs on the same data."),
        ),
        "Started": config.DatetimeColumn(t("Started"), format="YYYY-MM-DD HH:mm:ss"),
        "Seconds": config.NumberColumn(t("Seconds"), format="%.1f"),
        **{name: t(name) for name in _PLAIN},
        "Deleted on": config.DateColumn(t("Deleted on")),
    }


def _take(mount: _Mount, runs: Sequence[str]) -> None:
    """Store what was typed into the table since the last time."""
    edits = cast("dict[int, dict[str, Any]]", st.session_state[mount.key]["edited_rows"])
    former, mount.taken = mount.taken, copy.deepcopy(dict(edits))
    for row, cells in mount.taken.items():
        for column, value in cells.items():
            if column != TICK and (column not in former.get(row, {}) or former[row][column] != value):
                _store(runs[row], column, value)


def _store(run: str, column: str, value: Any) -> None:
    catalogue = lab().store.catalogue

    def tag() -> None:
        catalogue.tag([run], value or (), set(lab().store.info(run).labels.tags) - set(value or ()))

    actions = {
        "Name": lambda: catalogue.rename(run, value or ""),
        "Notes": lambda: catalogue.note(run, value or ""),
        TAGS: tag,
        PIN: lambda: catalogue.pin([run], bool(value)),
    }
    if not state.attempt(actions[column]):
        state.remount()
