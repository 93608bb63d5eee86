"""The state of one browser tab: its spec and the run it watches. Both are also in the page's address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import streamlit as st

from gradnorm.config.spec import PRESETS, RunSpec, SpecError, changed, preset
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.lab import lab

Value = TypeVar("Value")

START = "first-race"
_SPEC, _RUN, _FAULT = "gradnorm.config.spec", "gradnorm.run", "gradnorm.fault"
# What else the address holds for a page: a value, and how the query spells it.
_EXTRA, _EXTRA_QUERY = "gradnorm.extra", "gradnorm.extra query"
_LEAVING = "gradnorm.leaving"
_NOT_OF_THE_SPEC = ("embed", "race", "study")


def restore() -> None:
    """Take spec and run from the address, once a session.

    An address that can't be read gives the start preset; `fault` then says what is wrong.
    """
    if _SPEC in st.session_state:
        return
    st.session_state[_RUN], st.session_state[_FAULT] = None, ""
    st.session_state[_SPEC] = preset(START)
    query = dict(st.query_params)
    run = query.pop("run", None)
    if run is not None:
        open_run(run)
    # Streamlit's own parameters share the query with ours, and must not be reported as wrong settings.
    settings = {key: value for key, value in query.items() if not key.startswith(_NOT_OF_THE_SPEC)}
    if settings:
        # Also with a run: they are what the tab showed, with α as moved since the run's start.
        try:
            start = settings.pop("preset", None)
            st.session_state[_SPEC] = preset(start, settings) if start else RunSpec.parse(settings)
        except SpecError as error:
            shown = f"the preset {START}" if st.session_state[_RUN] is None else "the run's own settings"
            st.session_state[_FAULT] = f"The settings in the address are not valid. This page shows {shown}. {error}"


def spec() -> RunSpec:
    """Return the spec that this tab's controls show."""
    return cast("RunSpec", st.session_state[_SPEC])


def extra(keys: Sequence[str], read: Callable[[dict[str, str]], Value]) -> Value:
    """Return a page's own value in the address, next to spec and run.

    keys: the query keys that it uses.  read: makes the value from those that are present; called once a session.
    """
    if _EXTRA not in st.session_state:
        query = {key: value for key, value in st.query_params.items() if key in keys}
        st.session_state[_EXTRA], st.session_state[_EXTRA_QUERY] = read(query), query
    return cast("Value", st.session_state[_EXTRA])


def set_extra(value: object, query: Mapping[str, str]) -> None:
    """Set what `extra` returns.

    query: how the address spells it; empty strings are left out of the address.
    """
    st.session_state[_EXTRA] = value
    st.session_state[_EXTRA_QUERY] = {key: text for key, text in query.items() if text}


def tell(text: str) -> None:
    """Show an error on the page, `text`, when it is next drawn."""
    st.session_state[_FAULT] = text


def fault() -> str:
    """Return the error to show, or "" if there is none. Each error is returned once."""
    text, st.session_state[_FAULT] = str(st.session_state[_FAULT]), ""
    return text


def change(changes: Mapping[str, Any]) -> bool:
    """Change keys of the spec and return whether that worked.

    changes: new values by key, as in `RunSpec.flat`.  If they make no valid spec, nothing changes and `fault` says why.
    """
    # What the start preset sets is for its own data set: another one begins with what suits it.
    base = {} if "dataset" in changes and spec() == preset(START) else spec().flat()
    try:
        st.session_state[_SPEC] = changed(base, changes)
    except SpecError as error:
        st.session_state[_FAULT] = str(error)
        return False
    return True


def choose_preset(name: str) -> None:
    """Take the spec of the preset called `name`. Raises SpecError if there is none."""
    st.session_state[_SPEC] = preset(name)


def preset_name() -> str | None:
    """Return the name of the preset that equals the spec, or None."""
    return next((name for name in PRESETS if preset(name) == spec()), None)


def run() -> RunInfo | None:
    """Return the current state of the run that this tab watches, or None if it watches none."""
    chosen = watched()
    if chosen is None:
        return None
    try:
        return lab().store.info(chosen)
    except UnknownRunError:
        st.session_state[_RUN] = None
        return None
    except StoreError as error:
        tell(str(error))
        return None


def watched() -> str | None:
    """Return the id of the run that this tab watches; None if it watches none."""
    return cast("str | None", st.session_state.get(_RUN))


def once(start: Callable[[], object]) -> Callable[[], None]:
    """Return what a button does that starts a run and has the tab watch it: nothing at a second press.

    A busy server may get the second press before it has redrawn the page. That press was meant for the run that was
    watched when the button was drawn.
    """
    shown = watched()

    def press() -> None:
        if watched() == shown:
            start()

    return press


def watch(run_id: str | None) -> None:
    """Watch the run with this id; None watches none."""
    st.session_state[_RUN] = run_id


def leave() -> None:
    """Ask for a switch to the Playground.

    The request is kept until the Playground is drawn, because Streamlit may abort a script run for the next one.
    """
    st.session_state[_LEAVING] = True


def leaving() -> bool:
    """Return whether a switch to the Playground has been asked for."""
    return bool(st.session_state.get(_LEAVING))


def arrive() -> None:
    """Note that the Playground is drawn, which ends the request of `leave`."""
    st.session_state[_LEAVING] = False


def open_run(run_id: str) -> None:
    """Watch the run with this id and show its spec; if there is no such run, `fault` says so."""
    try:
        info = lab().store.info(run_id)
        if info.recorded:  # by somebody's own training loop: there are no settings
            st.session_state[_RUN] = run_id
            return
        st.session_state[_SPEC] = RunSpec.parse(info.spec)
        st.session_state[_RUN] = run_id
    except StoreError as error:
        tell(str(error))
    except UnknownRunError:
        st.session_state[_FAULT] = f"There is no run {run_id} here. It may have been deleted; Runs lists all."
    except SpecError as error:
        # Records outlive the code that wrote them: the run can be watched even if its spec is no longer valid.
        st.session_state[_RUN] = run_id
        st.session_state[_FAULT] = f"This run can be watched, but its settings are not valid in this version. {error}"


def write_address() -> None:
    """Write spec, run and the page's own value into the address, so that it can be copied."""
    wanted = spec().query()
    chosen = watched()
    if chosen is not None:
        wanted["run"] = chosen
    wanted |= st.session_state.get(_EXTRA_QUERY, {})
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)
