"""The state of one browser tab: its spec and the run it watches. Both are also in the page's address."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar, cast

import streamlit as st

from gradnorm.config.spec import PRESETS, RunSpec, SpecError, changed, preset
from gradnorm.lab.lab import NotHereError
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui import address
from gradnorm.ui.lab import lab
from gradnorm.ui.widgets import renew, sent
from gradnorm.ui.words import on_page, t

Value = TypeVar("Value")

START = "first-race"
_SPEC, _RUN, _FAULT = "gradnorm.config.spec", "gradnorm.run", "gradnorm.fault"
# When a page with the error was first drawn to its end: None while no page shows it, infinity before that end.
_FAULT_DRAWN = "gradnorm.fault drawn"
# For so many seconds an error stays, since the page may draw itself anew at once.
FAULT_STAYS = 5.0
# What else the address holds for a page: a value, and how the query spells it.
_EXTRA, _EXTRA_QUERY = "gradnorm.extra", "gradnorm.extra query"
_LEAVING = "gradnorm.leaving"
# The page that the tab showed last.
_PAGE = "gradnorm.page"


def restore() -> None:
    """Take spec and run from the address: at first, where the page was opened with settings, and at Back and Forward.

    What in it cannot be used is left out, and `fault` says so.
    """
    first = _SPEC not in st.session_state
    if first:
        watch(None)
        st.session_state[_SPEC] = preset(START)
    elif arrived() and st.session_state[_FAULT_DRAWN] is not None:
        tell("")
    said = address.query()
    if not (first or (said and (arrived() or address.went_back()))):
        return
    before = watched()
    st.session_state.pop(_EXTRA, None)
    watch(None)
    run = said.pop("run", None)
    if run is not None:
        open_run(run)
    # Also with a run: they are what the tab showed, with the settings as changed since the run's start.
    found, told = address.read(said)
    _take(found or (spec() if watched() else preset(START)))
    if told:
        tell(" ".join([fault(), *told, t("The page shows what is usual in its place.")]).strip())
    if before is not None and before == watched():
        steer()


def arrived() -> bool:
    """Return whether the page has just been opened: the tab showed another one before, or none."""
    return st.session_state.get(_PAGE) != address.page()


def shown() -> None:
    """Note that the page has been drawn to its end."""
    sent()
    if st.session_state.get(_FAULT_DRAWN) == math.inf:
        st.session_state[_FAULT_DRAWN] = time.monotonic()
    st.session_state[_PAGE] = address.page()


def follow(info: RunInfo | None) -> Mapping[str, Any]:
    """Show what the watched run uses of the live settings, which other tabs may have changed.

    Return what had been asked of the run before the settings were read: what comes later is not shown yet.
    """
    asked = dict(lab().asked(info.run)) if info else {}
    live, flat = _used(info), spec().flat()
    if any(flat[key] != value for key, value in live.items()):
        _take(changed(flat, live))
    return asked


def steer() -> dict[str, Any]:
    """Have the watched run use the live settings that the tab shows; return those that it did not use before."""
    info, flat = run(), spec().flat()
    others = {key: flat[key] for key, value in _used(info).items() if flat[key] != value}
    if info is None or not others:
        return {}
    try:
        lab().retune(info.run, **others)
    except (NotHereError, SpecError, UnknownRunError):
        return {}  # it has just ended: the new value is for the next run
    return others


def _used(info: RunInfo | None) -> Mapping[str, Any]:
    """Return what a run uses of the live settings; nothing of one that takes none from here, or of another kind."""
    shown = spec()
    kind = {"dataset": shown.dataset.name, "method": shown.method.name}
    if info is None or info.recorded or info.ended or any(info.spec.get(key) != name for key, name in kind.items()):
        return {}
    if len(info.tasks) != len(shown.dataset.task_names) or not lab().steers(info.run):
        return {}
    with suppress(SpecError, UnknownRunError):  # records outlive the code that wrote them; or it was just deleted
        return lab().uses(info.run)
    return {}


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
    """Show an error on the page, `text`, when it is next drawn; "" takes it away."""
    st.session_state[_FAULT], st.session_state[_FAULT_DRAWN] = text, None


def fault() -> str:
    """Return the error to show, or "" if there is none.

    It is shown for `FAULT_STAYS` seconds, and until the page is drawn after them; a change that works and another page
    take it away before.
    """
    drawn: float | None = st.session_state.get(_FAULT_DRAWN)
    if drawn is not None and time.monotonic() > drawn + FAULT_STAYS:
        tell("")
    elif drawn is None:
        st.session_state[_FAULT_DRAWN] = math.inf
    return str(st.session_state.get(_FAULT, ""))


def change(changes: Mapping[str, Any]) -> bool:
    """Change keys of the spec, as the user wishes by a widget of each, and return whether that worked.

    changes: new values by key, as in `RunSpec.flat`.  If they make no valid spec, nothing changes and `fault` says why.
    """
    # What the start preset sets is for its own data set: another one begins with what suits it.
    base = {} if "dataset" in changes and spec() == preset(START) else spec().flat()
    try:
        _take(changed(base, changes), by_hand=changes)
    except SpecError as error:
        tell(on_page(error))
        return False
    tell("")
    return True


def choose_preset(name: str) -> None:
    """Take the spec of the preset called `name`. Raises SpecError if there is none."""
    _take(preset(name), by_hand=["preset"])


def _take(new: RunSpec, by_hand: Collection[str] = ()) -> None:
    """Have the controls show `new`: widgets whose values the page changes by this are made anew.

    by_hand: the options that the user has just changed by a widget, which stays.
    """
    before = {**spec().flat(), "preset": preset_name()}
    st.session_state[_SPEC] = new
    now = {**new.flat(), "preset": preset_name()}
    renew(key for key, value in now.items() if key not in by_hand and before.get(key) != value)


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
        watch(None)
        tell(
            t(
                "Run {run} was deleted, in another tab or by a command. Choose one on the page Runs, or start one.",
                run=chosen,
            )
        )
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
    """Watch the run with this id; None watches none. An error that is shown goes."""
    st.session_state[_RUN] = run_id
    tell("")


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
        _take(RunSpec.parse(info.spec))
        st.session_state[_RUN] = run_id
    except StoreError as error:
        tell(str(error))
    except UnknownRunError:
        tell(t("There is no run {run} here. It may have been deleted; Runs lists all.", run=run_id))
    except SpecError as error:
        # Records outlive the code that wrote them: the run can be watched even if its spec is no longer valid.
        st.session_state[_RUN] = run_id
        said = t("This run can be watched, but its settings are not valid in this version.")
        tell(f"{said} {on_page(error)}")


def write_address() -> None:
    """Write spec, run and the page's own value into the address, so that it can be copied."""
    wanted = spec().query()
    chosen = watched()
    if chosen is not None:
        wanted["run"] = chosen
    address.write(wanted | st.session_state.get(_EXTRA_QUERY, {}), arrived=arrived())
