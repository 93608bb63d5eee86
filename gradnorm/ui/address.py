"""The page's address: settings are read from it leniently, since links are cut, decorated and typed by hand.

Streamlit writes an address as a new entry of the browser's history, which is right for a change. What a page adds to
the address that it was opened with takes the place of that entry: Back leads to where the visitor came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import streamlit as st
from streamlit.components import v2
from streamlit.runtime.scriptrunner import get_script_run_ctx

from gradnorm.config.spec import RunSpec, SpecError, preset
from gradnorm.ui.words import LANG, on_page, titles

# What the live panel keeps in the address, beside the settings: see assets/live/address.js.
_OF_THE_VIEW = "view."
_OF_STREAMLIT = "embed"

_JS = """
export default function ({ data }) {
  const here = new URLSearchParams(location.search);
  const wanted = new URLSearchParams(data.query);
  const same = here.get("run") === wanted.get("run");
  for (const [key, value] of here)
    if (key === "lang" || key.startsWith("embed") || (same && key.startsWith("view."))) wanted.append(key, value);
  if (`${wanted}` !== `${here}`) history.replaceState(history.state, "", `${location.pathname}?${wanted}`);
}
"""

_replace = v2.component("gradnorm_address", js=_JS, isolate_styles=False)


def query() -> dict[str, str]:
    """Return what the address holds of a page's own: not the language, Streamlit's or the panel's."""
    return {key: values[-1] for key, values in all_values().items() if values}


def all_values() -> dict[str, list[str]]:
    """Return the same with all values of each key."""
    keys = [key for key in st.query_params if key != LANG and not key.startswith((_OF_STREAMLIT, _OF_THE_VIEW))]
    return {key: st.query_params.get_all(key) for key in keys}


def is_meant() -> bool:
    """Return whether the address is what to show, and not what the tab showed last: a link of the page's own is bare.

    What Back and Forward lead to is meant even if it is bare.
    """
    return bool(query()) or went_back()


def went_back() -> bool:
    """Return whether the page is drawn for Back or Forward: the address is right then, and the tab's state is not."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def page() -> str:
    """Return what names the page that is drawn."""
    context = get_script_run_ctx()
    return context.page_script_hash if context is not None else ""


def read(settings: Mapping[str, str]) -> tuple[RunSpec | None, list[str]]:
    """Return the spec of an address, None if it holds no settings, and a sentence for each value that cannot be used.

    settings: all that the address holds. What is no setting is left out: others add to links what they follow.
    """
    known = titles()
    kept = {key: value for key, value in settings.items() if key in known}
    told: list[str] = []
    while kept:
        try:
            return _spec(kept), told
        except SpecError as error:
            told.append(on_page(error))
            del kept[_culprit(kept, error)]
    return None, told


def write(wanted: Mapping[str, str | list[str]], *, arrived: bool) -> None:
    """Write a query into the address.

    arrived: whether the page has just been opened; then the browser's history gets no new entry.
    """
    if all_values() == {key: [value] if isinstance(value, str) else value for key, value in wanted.items()}:
        return
    if arrived:
        _replace(key="address", data={"query": urlencode(wanted, doseq=True)})
        return
    now = dict(st.query_params)
    same = now.get("run") == wanted.get("run")
    kept = {k: value for k, value in now.items() if k == LANG or (same and k.startswith(_OF_THE_VIEW))}
    st.query_params.from_dict({**wanted, **kept})


def _spec(settings: Mapping[str, str]) -> RunSpec:
    named = dict(settings)
    start = named.pop("preset", None)
    return preset(start, named) if start else RunSpec.parse(named)


def _culprit(settings: Mapping[str, str], error: SpecError) -> str:
    """Return the setting to do without: the one that the error names, else the last that makes a difference to it."""
    if error.key in settings:
        return error.key

    def fault_without(key: str) -> str:
        try:
            _spec({other: value for other, value in settings.items() if other != key})
        except SpecError as other:
            return str(other)
        return ""

    late = list(settings)[::-1]
    return next((key for key in late if fault_without(key) != str(error)), late[0])
