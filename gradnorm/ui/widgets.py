"""One widget for each option of a spec, made from the option's declaration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from gradnorm.common.declarations import names_as_text
from gradnorm.config.options import Option
from gradnorm.ui.words import number, t

Changed = Callable[[str, Any], None]

# Where on the page an option may have a widget.
PLACES = ("option", "beside")

# How often all widgets of an option were made anew, and one of them alone.
_TURNS = "gradnorm.turns"
# The names of the widgets that an option has had in this tab.
_NAMES = "gradnorm.names"
# The keys of widgets that were given a value in a run of the page that has not come to its end.
_UNSENT = "gradnorm.unsent"

# Round numbers for scales that span orders of magnitude: 0.001 … 50,000 by 1, 2, 5, and 0.1 … 10 in finer steps.
WIDE = tuple(float(f"{mantissa}e{power}") for power in range(-3, 5) for mantissa in (1, 2, 5))
FINE = (*(float(f"{mantissa}e{power}") for power in (-1, 0) for mantissa in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)), 10.0)


def widget(option: Option, value: Any, changed: Changed, *, disabled: bool = False, place: str = "option") -> None:
    """Show the widget of one option.

    value: what the widget shows; settings are kept in the session's spec, not in widgets.
    changed: called with the option's key and the new value when the user changes it.
    place: where on the page, one of PLACES, for an option that has several widgets.
    """
    name = f"{place}:{option.key}"
    key = key_of(name, option.key)
    seen = _shown(option, value)
    show(key, seen)

    def report() -> None:
        if key != key_of(name, option.key):
            return  # of a widget that `renew` has put another one in the place of
        renew(other for other in drawn(option.key) if other != name)
        typed = st.session_state[key]
        whole = option.kind == "integer" and isinstance(typed, float) and typed.is_integer()
        changed(option.key, int(typed) if whole else typed)

    common: dict[str, Any] = {
        "label": t(option.title),
        "key": key,
        "help": t(option.help),
        "on_change": report,
        "disabled": disabled,
    }
    if option.kind == "choice":
        st.selectbox(options=option.choices, index=option.choices.index(seen), **common)
    elif option.kind == "switch":
        st.toggle(value=seen, **common)
    elif option.kind in ("numbers", "names", "text"):
        st.text_input(value=seen, **common)
    elif "slider" in option.extra:
        low, high, step = option.extra["slider"]
        st.slider(min_value=float(low), max_value=float(max(high, math.ceil(value))), value=seen, step=step, **common)
    elif option.kind == "integer":
        # As a float: of "1e3" a whole-number field reads 1. Without a value of its own it can be left empty.
        low, high = float(option.low or 0), float(option.high or 2**31)
        st.number_input(min_value=low, max_value=high, step=1.0, format="%.0f", value=None, **common)
    else:
        step = value / 10 or None
        st.number_input(min_value=0.0, max_value=option.high, step=step, format="%g", value=None, **common)


def renew(names: Iterable[str]) -> None:
    """Make widgets anew when they are next drawn: all of an option by its key, or one by its place and key.

    A value that the page changes by itself reaches the browser late. What the browser says until then of the old
    widget would be taken for the visitor's wish.
    """
    turns: dict[str, int] = st.session_state.setdefault(_TURNS, {})
    for name in names:
        turns[name] = turns.get(name, 0) + 1


def key_of(name: str, option: str) -> str:
    """Return the key of a widget of this option, which has another one after each `renew`."""
    names: dict[str, set[str]] = st.session_state.setdefault(_NAMES, {})
    names.setdefault(option, set()).add(name)
    turns: dict[str, int] = st.session_state.get(_TURNS, {})
    turn = turns.get(option, 0) + turns.get(name, 0)
    return f"{name} {turn}" if turn else name


def drawn(option: str) -> frozenset[str]:
    """Return the names of the widgets that show an option, or have shown it."""
    names: dict[str, set[str]] = st.session_state.get(_NAMES, {})
    return frozenset(names.get(option, ()))


def show(key: str, value: Any) -> None:
    """Make the widget with this key show `value`. Must be called before the widget is created.

    Give the widget the same value as its default where it can have one. The browser may get a part of the page anew
    before it has drawn it: it then knows the default alone, and would report that as the user's wish.
    A widget that shows it already is left alone: Streamlit sends every assigned value to the browser, where it would
    undo what the user has typed since. It does not send what was assigned in a run that it then cut off: the next one
    assigns it again.
    """
    unsent: set[str] = st.session_state.setdefault(_UNSENT, set())
    if key in unsent or key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
        if is_whole_page():
            unsent.add(key)


def sent() -> None:
    """Note that the page was drawn to its end, so that the browser has all that was assigned."""
    st.session_state[_UNSENT] = set[str]()


def is_whole_page() -> bool:
    """Return whether all of the page is drawn, and not a fragment of it alone."""
    context = get_script_run_ctx()
    return context is not None and not context.fragment_ids_this_run


def scale_slider(
    label: str,
    key: str,
    value: float,
    changed: Callable[[float], None],
    stops: Sequence[float] = WIDE,
    text: str | None = None,
    *,
    disabled: bool = False,
) -> None:
    """Show a slider on a logarithmic scale.

    value: what it shows, > 0; a value between the stops gets one of its own.  changed: called with a new value.
    stops: ascending, > 0.  text: the help.
    """
    grid = sorted({*stops, value})
    show(key, value)
    st.select_slider(
        label,
        grid,
        value,
        key=key,
        format_func=lambda v: number(v, "g"),
        on_change=lambda: changed(st.session_state[key]),
        help=text,
        disabled=disabled,
    )


def _shown(option: Option, value: Any) -> Any:
    if option.kind == "numbers":
        return ", ".join(f"{v:g}" for v in value)
    if option.kind == "names":
        return names_as_text(value)
    return float(value) if option.kind in ("number", "integer") else value
