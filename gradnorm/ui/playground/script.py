"""What the Playground offers for a run that a script records: its knobs, and how to go on from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from gradnorm.runs.faults import StoreError
from gradnorm.runs.knobs import Knob, Steering
from gradnorm.runs.plain import short
from gradnorm.runs.records import RunInfo
from gradnorm.runs.store import UnknownRunError
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.widgets import show
from gradnorm.ui.words import number, t

# How often a page looks for what other pages, or the script itself, have changed.
SECONDS = 2.0
# A knob's pixels, and a slider's stops.
WIDTH, STOPS = 228, 200


def listens(info: RunInfo) -> bool:
    """Whether a script records the run now and takes what a page asks of it."""
    return not info.ended and Steering.of(info) is not None and not lab().store.read_only


def ask(run: str, key: str, value: Any) -> bool:
    """Ask something of the script that records a run; False, with a message shown, if it is refused."""
    try:
        lab().store.wishes.ask(run, key, value)
    except (ValueError, UnknownRunError, StoreError) as error:
        st.toast(plain(str(error)), icon=":material/info:")
        return False
    return True


def script(info: RunInfo | None) -> None:
    """Show the knobs of the script that records the watched run, and its checkpoints; nothing for another run."""
    if info is not None and info.recorded:
        st.fragment(_shown, run_every=None if info.ended else SECONDS)(info.run, listens(info))


def _shown(run: str, listened: bool) -> None:
    """Show what there is of a run. listened: whether the rest of the page was drawn for a script that listens."""
    store = lab().store
    try:
        info = store.info(run)
        steering, asked = Steering.of(info), store.wishes.newest(run)
        steps = store.checkpoints.steps(run)
    except (UnknownRunError, StoreError):  # the page says what is wrong with the home
        return
    if listens(info) != listened:
        st.rerun()  # the buttons are others now
    if listened and steering is not None:
        with st.container(border=True, gap="small", key="knobs"):
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.markdown(t("**The script’s knobs**"), width="content")
                if steering.checkpoints:
                    st.button(
                        t("Keep a checkpoint"),
                        icon=":material/save:",
                        on_click=_keep,
                        args=(run,),
                        key="keep checkpoint",
                    )
                _go_on(info, steps)
            _knobs(info, steering, asked)
    else:
        _go_on(info, steps)


def _knobs(info: RunInfo, steering: Steering, asked: Mapping[str, Any]) -> None:
    """Show the knobs, each at the value that was asked for last."""
    cells = [
        cell
        for name, knob in steering.knobs.items()
        for cell in _cells(info.run, name, knob, asked.get(name, knob.value), info.tasks)
    ]
    with st.container(horizontal=True, gap="medium"):
        for cell in cells:
            with st.container(width=WIDTH):
                cell()
    if not cells:
        st.caption(t("It has none. `recorder.knobs(alpha=0.12)` declares one."))


def _cells(run: str, name: str, knob: Knob, value: Any, tasks: Sequence[str]) -> list[Callable[[], None]]:
    """Return what shows a knob at `value`: a widget, or one for each of several numbers."""
    title = plain({"alpha": "α"}.get(name, name.replace("_", " ")))
    if not isinstance(knob.value, tuple):
        return [partial(_widget, run, name, title, f"knob:{run}:{name}", knob, value, lambda new: new)]
    numbers = list(value)
    named = tasks if len(tasks) == len(numbers) else [str(i + 1) for i in range(len(numbers))]

    def changed(i: int) -> Callable[[Any], Any]:
        return lambda number: [*numbers[:i], number, *numbers[i + 1 :]]

    return [
        partial(_widget, run, name, f"{title}, {plain(of)}", f"knob:{run}:{name}:{i}", knob, numbers[i], changed(i))
        for i, of in enumerate(named)
    ]


def _widget(run: str, name: str, title: str, key: str, knob: Knob, value: Any, changed: Callable[[Any], Any]) -> None:
    """Show one number or switch. changed: makes the knob's whole value of what the widget says."""
    show(key, value)
    report = partial(_turn, run, name, key, changed)
    if knob.kind == "on or off":
        st.toggle(title, value, key=key, on_change=report)
        return
    low, high = knob.range
    if knob.kind == "a whole number":
        st.number_input(title, int(low), int(high), value, step=1, key=key, on_change=report)
        return
    st.slider(title, low, high, value, step=_step(low, high), format="%.4g", key=key, on_change=report)


def _step(low: float, high: float) -> float:
    """Return a slider's step: 1, 2 or 5 times a power of ten, about `STOPS` in the range."""
    grid = [mantissa * 10.0**power for power in range(-12, 13) for mantissa in (1, 2, 5)]
    return min(grid, key=lambda step: abs((high - low) / step - STOPS))


def _turn(run: str, name: str, key: str, changed: Callable[[Any], Any]) -> None:
    value = changed(st.session_state[key])
    if ask(run, name, value):
        st.toast(
            plain(t("{name}: {value} from the script's next step on.", name=name, value=short(value))),
            icon=":material/tune:",
        )


def _keep(run: str) -> None:
    if ask(run, "checkpoint", True):
        st.toast(t("The script keeps a checkpoint at its next step."), icon=":material/save:")


def _go_on(info: RunInfo, steps: Sequence[int]) -> None:
    """Say how a script goes on from a checkpoint: what it trains lives in the script, not here."""
    if not steps:
        return
    with st.popover(t("Fork from a checkpoint"), icon=":material/fork_right:"):
        step = st.selectbox(
            t("After step"), steps[::-1], format_func=lambda step: number(step, ","), key=f"fork:{info.run}"
        )
        st.markdown(t("The network lives in your script, so the fork is a run of your script. Change its recorder to:"))
        arguments = [repr(info.title), f"tasks={list(info.tasks)!r}", f"fork=({info.run!r}, {step})"]
        st.code(f"recorder = Recorder({', '.join(arguments)})\nstate = recorder.restored  # bytes", wrap_lines=True)
        st.caption(
            t(
                "Its steps follow the checkpoint's, and it is drawn beside this run. The checkpoint stays in the home "
                "of the runs, where your script reads it: pages offer no download."
            )
        )
