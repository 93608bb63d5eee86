"""The live panel: one component, mounted once, fed by the server's own socket."""

from __future__ import annotations

from streamlit.components import v2

from gradnorm.records import RunInfo
from gradnorm.ui.server import base_path

# Sent with each mount, so it only fetches the rest, which the browser keeps.
_JS = """
const load = (data) => import(new URL(`${data.base}/live/static/live/panel.js`, document.baseURI).href);
export default function (component) {
  load(component.data).then((panel) => panel.mount(component));
  return () => load(component.data).then((panel) => panel.unmount(component.parentElement));
}
"""

_live_panel = v2.component("gradnorm_live_panel", js=_JS, isolate_styles=False)


def live_panel(info: RunInfo | None) -> None:
    """Show a run live, or an empty panel. A change of the run's state runs the page again."""
    data = {
        "base": base_path(),
        "run": info.run if info else None,
        "state": info.state if info else None,
    }
    _live_panel(key="live-panel", data=data, on_state_change=lambda: None)
