"""The live panel: one component, mounted once, that gets its data over the server's own WebSocket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.components import v2

from gradnorm.config.variants import MOST_CONTENDERS, labels
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.runs.titles import named_alike
from gradnorm.ui.lab import lab
from gradnorm.ui.live import prepared
from gradnorm.ui.playground import time_travel
from gradnorm.ui.server import base_path

_KEY = "live-panel"

# Streamlit sends this script with every mount, so it only imports the rest, which the browser caches. All calls wait
# for one promise: imports of their own could resolve in another order, and draw an older run over a newer one.
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


def live_panel(info: RunInfo | None, asked: Mapping[str, Any]) -> None:
    """Show a run live, beside the runs it is compared with; for None the prepared race.

    The page is run again when the run's state changes, another tab steers it, it is deleted or a fork is asked for.

    asked: of the run, as far as the page's controls show it.
    """
    data = {
        "base": base_path(),
        "run": info.run if info else None,
        # A tuple: given a list or a mapping, Streamlit imports pandas (half a second on the first page) to check for a
        # table.
        "runs": tuple(contenders(info)) if info else prepared.contenders(),
        "prepared": None if info else prepared.NAME,
        "state": info.state if info else None,
        "asked": asked or None,
    }
    _live_panel(
        key=_KEY,
        data=data,
        on_state_change=lambda: None,
        on_asked_change=lambda: None,
        on_fork_change=_fork,
    )


def contenders(info: RunInfo) -> list[dict[str, str]]:
    """Return each run to draw, the watched one and the newest of its family, as many as a race may have.

    Of each `run` and `label`; `team`, the name of the runs that differ from it in nothing but the seed; its `method`.
    """
    try:
        family = lab().store.family(info.run)
    except UnknownRunError:  # deleted since it was read
        family = [info]
    others = [member.run for member in family if member.run != info.run]
    shown = {info.run, *others[-(MOST_CONTENDERS - 1) :]}
    drawn = [member for member in family if member.run in shown]
    names = labels([member.spec for member in drawn])
    teams = labels([{key: value for key, value in member.spec.items() if key != "seed"} for member in drawn])
    return [
        {"run": m.run, "label": _label(m, name), "team": _label(m, team), "method": str(m.spec.get("method"))}
        for m, name, team in zip(drawn, names, teams, strict=True)
    ]


def _label(info: RunInfo, name: str) -> str:
    """Add how α was moved, and the step of a fork: a fork with its parent's settings would have the same name."""
    name = named_alike(name, info.title)
    return f"{name}, fork at {info.forked_at:,}" if info.forked_at else name


def _fork() -> None:
    request = time_travel.fork_request(st.session_state.get(_KEY, {}).get("fork"))
    if request is not None:
        time_travel.fork(*request)
