"""The buttons above the charts: start, pause, step, stop, reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from gradnorm.common.texts import later
from gradnorm.config.options import live_keys
from gradnorm.config.spec import SpecError, methods
from gradnorm.lab.lab import NotHereError
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import CAN_GO_ON, CannotGoOnError
from gradnorm.ui import session
from gradnorm.ui.gallery.test_images import gallery_link
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.playground import script
from gradnorm.ui.playground.by_hand import play_by_hand
from gradnorm.ui.playground.controls import beside
from gradnorm.ui.playground.watch_link import watch_link
from gradnorm.ui.words import on_page, t

# The run of which the page has asked what shall become of it.
_RESETTING = "playground.resetting"
_TRAINS = {
    "queued": later("This run waits in the queue."),
    "paused": later("This run is paused."),
    "running": later("This run trains."),
}


def runbar(info: RunInfo) -> None:
    """Show the buttons that the state of the watched run allows, and messages below them."""
    going = not info.ended
    trained = going and lab().steers(info.run)
    steered = trained or script.listens(info)
    with st.container(gap="small", key="dock"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runbar"):
            _buttons(info, trained, steered)
        beside()
    if trained and st.session_state.get(_RESETTING) == info.run:
        _reset_question(info)
    _notes(info, going, steered)


def _buttons(info: RunInfo, trained: bool, steered: bool) -> None:
    """Show the buttons. trained: whether the run trains here.  steered: whether it can be paused from here."""
    # Another button while a run trains, so that a double click queues no second run.
    start("primary", key=f"start {info.run}" if trained else "start")
    if info.state == "paused":
        _button(t("Resume"), "play_arrow", "pause", _steer(lab().resume, paused=False), not steered)
    elif info.state in CAN_GO_ON:
        _button(t("Continue"), "resume", "pause", _steer(lab().go_on), info.recorded)
    else:
        _button(t("Pause"), "pause", "pause", _steer(lab().pause, paused=True), not steered)
    by_itself = t("A script takes its own steps. Pause it, or turn its knobs.") if steered and not trained else None
    _button(t("Step"), "skip_next", "step", _step, not info.ended and not trained, by_itself)
    _button(t("Stop"), "stop", "stop", _steer(lab().stop, stopped=True), not steered)
    _button(t("Reset"), "restart_alt", "reset", _ask_about_reset if trained else _reset, disabled=False)
    if info.ended and info.steps and _sets_targets(info):
        st.button(
            t("Static"),
            icon=":material/horizontal_rule:",
            on_click=session.once(_static),
            key="static",
            help=t("GradNorm Static: train again from the same start, with the weights fixed at this run's means."),
        )
    if info.ended and len(info.tasks) > 1 and not info.recorded:
        play_by_hand()
    gallery_link(info)
    watch_link(info)


def start(kind: Literal["primary", "tertiary"], key: str = "start") -> None:
    """Show the button that trains the settings, and nothing else."""
    st.button(
        t("Start"),
        icon=":material/play_arrow:",
        type=kind,
        on_click=session.once(_start),
        key=key,
        help=t(
            "Train your settings without a rival. A run that is training goes on, and the new one may have to wait."
        ),
    )


def first_step() -> None:
    """Show the button that takes the first step of a run of the settings."""
    text = t("Take one step with your settings, and pause.")
    st.button(t("Step"), icon=":material/skip_next:", type="tertiary", on_click=_step, key="step", help=text)


def fault() -> None:
    """Show what has gone wrong, if anything has."""
    if text := session.fault():
        st.error(plain(text), icon=":material/error:")


def _notes(info: RunInfo, going: bool, steered: bool) -> None:
    fault()
    if going and info.recorded and steered:
        st.caption(t("A script records this run. It takes what you change at its next step."))
    elif going and info.recorded:
        st.caption(t("A script records this run. You can watch it here but not control it."))
    elif going and not steered:
        st.caption(t("Another process trains this run. You can watch it here but not control it."))
    elif going and info.race is None and _differs(info):
        st.caption(t("Some settings have changed since this run started. They apply to the next run."))


def _differs(info: RunInfo) -> bool:
    """Return whether the controls differ from the run in a setting that is not live."""
    spec = session.spec().settled()
    live = live_keys(spec)
    now = {k: v for k, v in spec.flat().items() if k not in live}
    return now != {k: v for k, v in info.spec.items() if k not in live}


def _button(
    label: str, icon: str, key: str, action: Callable[[], None], disabled: bool, text: str | None = None
) -> None:
    st.button(label, icon=f":material/{icon}:", on_click=action, disabled=disabled, key=key, help=text)


def _start() -> None:
    take_in(paused=False)


def take_in(*, paused: bool) -> str | None:
    """Queue a run of the page's settings, watch it and return its id; None, with an error shown, if it is refused."""
    try:
        run = lab().launch(session.spec(), paused=paused)
    except (SpecError, StoreError) as error:
        session.tell(on_page(error))
        return None
    session.watch(run)
    return run


def _step() -> None:
    info = session.run()
    if info is not None and not info.ended:
        _steer(lab().step)()
        return
    run = take_in(paused=True)
    if run is not None:
        lab().step(run)


def _steer(action: Callable[[str], None], **wish: bool) -> Callable[[], None]:
    """Return what a button does to the watched run. wish: what it asks of a script instead, if one records the run."""

    def act() -> None:
        info = session.run()
        if info is None:
            return
        if info.recorded:
            for key, value in wish.items():
                script.ask(info.run, key, value)
            return
        try:
            action(info.run)
        except (NotHereError, CannotGoOnError, StoreError) as error:
            st.toast(plain(str(error)), icon=":material/info:")

    return act


def _sets_targets(info: RunInfo) -> bool:
    method = methods().get(str(info.spec.get("method")))
    return method is not None and method.sets_targets


def _static() -> None:
    info = session.run()
    if info is None:
        return
    try:
        session.open_run(lab().static(info.run))
    except (SpecError, ValueError, StoreError) as error:
        session.tell(on_page(error))


def _ask_about_reset() -> None:
    st.session_state[_RESETTING] = session.watched()


def _reset_question(info: RunInfo) -> None:
    """Ask what becomes of a run that trains, before the page lets go of it."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key="reset-question"):
        st.markdown(f"{t(_TRAINS[info.state])} {t('What shall become of it?')}", width="content")
        _button(t("Stop it"), "stop", "reset stop", _stop_and_reset, disabled=False)
        _button(t("Let it go on"), "play_arrow", "reset only", _reset, disabled=False)
        _button(t("Cancel"), "close", "reset cancel", _forget_reset, disabled=False)


def _stop_and_reset() -> None:
    _steer(lab().stop)()
    _reset()


def _reset() -> None:
    _forget_reset()
    session.watch(None)


def _forget_reset() -> None:
    st.session_state.pop(_RESETTING, None)
