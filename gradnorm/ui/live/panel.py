"""The live panel: one component, mounted once, fed by the server's own socket."""

from __future__ import annotations

import streamlit as st
from streamlit.components import v2

from gradnorm.config.variants import MOST_CONTENDERS, labels
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.lab import lab
from gradnorm.ui.playground import time_travel
from gradnorm.ui.server import base_path

_KEY = "live-panel"

# Sent with each mount, so it only fetches the rest, which the browser keeps. All calls wait for one promise: those of
# several imports may be kept in another order, and on a slow machine an older run would be shown over a newer one.
_JS = """
let loading;
const load = (data) =>
  (loading ??= import(new URL(`${data.base}/live/static/live/panel.js`, document.baseURI).href).catch((error) => {
    loading = undefined;
    throw error;
  }));
export default function (component) {
  load(component.data).then((panel) => panel.mount(component));
  return () => load(component.data).then((panel) => panel.unmount(component.parentElement));
}
"""

_live_panel = v2.component("gradnorm_live_panel", js=_JS, isolate_styles=False)


def live_panel(info: RunInfo | None) -> None:
    """Show a run live beside those it is compared with, or an empty panel.

    A change of the run's state, and a fork, run the page again.
    """
    data = {
        "base": base_path(),
        "run": info.run if info else None,
        # A tuple: Streamlit loads pandas (half a second on the first page) to see that a list is no table.
        "runs": tuple(contenders(info)) if info else (),
        "state": info.state if info else None,
    }
    _live_panel(key=_KEY, data=data, on_state_change=lambda: None, on_fork_change=_fork)


def contenders(info: RunInfo) -> list[dict[str, str]]:
    """Return run and label of the runs that are drawn together: the watched one and the newest others."""
    try:
        family = lab().store.family(info.run)
    except UnknownRunError:  # deleted since it was read
        family = [info]
    others = [member.run for member in family if member.run != info.run]
    shown = {info.run, *others[-(MOST_CONTENDERS - 1) :]}
    drawn = [member for member in family if member.run in shown]
    names = labels([member.spec for member in drawn])
    return [{"run": m.run, "label": _label(m, name)} for m, name in zip(drawn, names, strict=True)]


def _label(info: RunInfo, name: str) -> str:
    """Say of a fork that it is one: with the settings of its parent it would have the same name."""
    return f"{name}, fork at {info.forked_at:,}" if info.forked_at else name


def _fork() -> None:
    wanted = time_travel.asked(st.session_state.get(_KEY, {}).get("fork"))
    if wanted is not None:
        time_travel.fork(*wanted)
