"""The live panel: one component, mounted once, that gets its data over the server's own WebSocket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.components import v2

from gradnorm.runs.records import RunInfo
from gradnorm.ui.lab import lab
from gradnorm.ui.live import prepared
from gradnorm.ui.live.family import contenders
from gradnorm.ui.live.shelf import shelf
from gradnorm.ui.playground import time_travel
from gradnorm.ui.server import base_path
from gradnorm.ui.words import language

_KEY = "live-panel"

# Streamlit sends this script with every mount, so it only imports the rest, which the browser caches. All calls wait
# for one promise: imports of their own could resolve in another order, and draw an older run over a newer one. The
# words come in the order of the calls, too.
_JS = """
let loading;
const load = ({ base, version }) =>
  (loading ??= import(new URL(`${base}/live/static/${version}/live/panel.js`, document.baseURI).href).catch((error) => {
    loading = undefined;
    throw error;
  }));
export default function (component) {
  const { data, parentElement } = component;
  const then = (act) => load(data).then((panel) => panel.speak(data.language).then(() => act(panel)));
  then((panel) => panel.mount(component));
  return () => then((panel) => panel.unmount(parentElement));
}
"""

_live_panel = v2.component("gradnorm_live_panel", js=_JS, isolate_styles=False)


def live_panel(info: RunInfo | None, asked: Mapping[str, Any]) -> None:
    """Show a run live, beside the runs it is compared with; for None the prepared race.

    The page is run again when the run's state changes, another tab steers it, it is deleted or a fork is asked for.

    asked: of the run, as far as the page's controls show it.
    """
    code = language()
    data = {
        "base": base_path(),
        "version": shelf().version,
        "run": info.run if info else None,
        # A tuple: given a list or a mapping, Streamlit imports pandas (half a second on the first page) to check for a
        # table.
        "runs": tuple(contenders(lab().store, info, code)) if info else prepared.contenders(code),
        "prepared": None if info else prepared.NAME,
        "state": info.state if info else None,
        "asked": asked or None,
        "language": code,
    }
    _live_panel(
        key=_KEY,
        data=data,
        on_state_change=lambda: None,
        on_asked_change=lambda: None,
        on_fork_change=_fork,
    )


def _fork() -> None:
    request = time_travel.fork_request(st.session_state.get(_KEY, {}).get("fork"))
    if request is not None:
        time_travel.fork(*request)
