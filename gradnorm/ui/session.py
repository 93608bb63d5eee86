"""What one browser tab has chosen: a spec and the run it watches. Both are in its address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import streamlit as st

from gradnorm.config.spec import PRESETS, RunSpec, SpecError, changed, preset
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.lab import lab

Value = TypeVar("Value")

START = "toy-2"
_SPEC, _RUN, _FAULT = "gradnorm.config.spec", "gradnorm.run", "gradnorm.fault"
# What the address holds besides: a value, and its form in the query.
_EXTRA, _EXTRA_QUERY = "gradnorm.extra", "gradnorm.extra query"
_LEAVING = "gradnorm.leaving"
_FOREIGN = ("embed", "race")


def restore() -> None:
    """Take spec and run from the address, once a session; faults are kept for `fault`."""
    if _SPEC in st.session_state:
        return
    st.session_state[_RUN], st.session_state[_FAULT] = None, ""
    st.session_state[_SPEC] = preset(START)
    query = dict(st.query_params)
    run = query.pop("run", None)
    if run is not None:
        open_run(run)
    # A page that shares Streamlit's own parameters with us must not turn them into a fault.
    given = {key: value for key, value in query.items() if not key.startswith(_FOREIGN)}
    if given:
        # Beside a run, too: they are what the tab showed, with α as it was moved since the run's start.
        try:
            start = given.pop("preset", None)
            st.session_state[_SPEC] = preset(start, given) if start else RunSpec.parse(given)
        except SpecError as error:
            shown = "a preset is" if st.session_state[_RUN] is None else "the run's own settings are"
            st.session_state[_FAULT] = f"The address could not be read, so {shown} shown. {error}"


def spec() -> RunSpec:
    """Return the spec that the controls show."""
    return cast("RunSpec", st.session_state[_SPEC])


def extra(keys: Sequence[str], read: Callable[[dict[str, str]], Value]) -> Value:
    """Return what the address says under some keys of its own, read once a session by `read`."""
    if _EXTRA not in st.session_state:
        query = {key: value for key, value in st.query_params.items() if key in keys}
        st.session_state[_EXTRA], st.session_state[_EXTRA_QUERY] = read(query), query
    return cast("Value", st.session_state[_EXTRA])


def set_extra(value: object, query: Mapping[str, str]) -> None:
    """Change what `extra` returns, and its form in the address; empty texts are left out there."""
    st.session_state[_EXTRA] = value
    st.session_state[_EXTRA_QUERY] = {key: text for key, text in query.items() if text}


def tell(text: str) -> None:
    """Have the page say what went wrong."""
    st.session_state[_FAULT] = text


def fault() -> str:
    """Return what was wrong with the address or the last change; empty if nothing was. Told once."""
    text, st.session_state[_FAULT] = str(st.session_state[_FAULT]), ""
    return text


def change(changes: Mapping[str, Any]) -> bool:
    """Change keys of the spec; False, with `fault` set and nothing changed, if that is no valid spec."""
    base = spec().flat()
    try:
        st.session_state[_SPEC] = changed(base, changes)
    except SpecError as error:
        st.session_state[_FAULT] = str(error)
        return False
    return True


def choose_preset(name: str) -> None:
    """Show a preset's spec."""
    st.session_state[_SPEC] = preset(name)


def preset_name() -> str | None:
    """Return the preset that the spec equals, or None."""
    return next((name for name in PRESETS if preset(name) == spec()), None)


def run() -> RunInfo | None:
    """Return the run that this tab watches, as it stands now; None if there is none."""
    chosen = st.session_state.get(_RUN)
    if chosen is None:
        return None
    try:
        return lab().store.info(chosen)
    except UnknownRunError:
        st.session_state[_RUN] = None
        return None


def watch(run: str | None) -> None:
    """Watch another run, or none."""
    st.session_state[_RUN] = run


def leave() -> None:
    """Have the page go and watch: kept until the Playground is there, as a page run may be cut short by the next."""
    st.session_state[_LEAVING] = True


def leaving() -> bool:
    """Return whether the Playground should be shown instead of this page."""
    return bool(st.session_state.get(_LEAVING))


def arrive() -> None:
    """Say that the Playground is shown."""
    st.session_state[_LEAVING] = False


def open_run(run: str) -> None:
    """Watch a run and show its spec; sets `fault` if there is no such run."""
    try:
        info = lab().store.info(run)
        if info.recorded:  # it has no settings to show
            st.session_state[_RUN] = run
            return
        st.session_state[_SPEC] = RunSpec.parse(info.spec)
        st.session_state[_RUN] = run
    except UnknownRunError:
        st.session_state[_FAULT] = f"There is no run {run} here. It may have been deleted; see Runs."
    except SpecError as error:
        # Records outlive the code that made them: the run can be watched though its spec can't be edited.
        st.session_state[_RUN] = run
        st.session_state[_FAULT] = f"The run's settings can no longer be edited. {error}"


def write_address() -> None:
    """Put spec and run into the address, so that it can be copied."""
    wanted = spec().query()
    chosen = st.session_state.get(_RUN)
    if chosen is not None:
        wanted["run"] = chosen
    wanted |= st.session_state.get(_EXTRA_QUERY, {})
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)
