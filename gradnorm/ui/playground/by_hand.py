"""Weights by hand: a visitor holds the sliders w_i live, against GradNorm from the same start."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from gradnorm.config.options import live_keys
from gradnorm.config.spec import SpecError
from gradnorm.config.variants import by_hand, task_texts
from gradnorm.runs.faults import StoreError
from gradnorm.runs.records import RunInfo
from gradnorm.ui import session
from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain
from gradnorm.ui.widgets import scale_slider
from gradnorm.ui.words import on_page, t

# Seconds that such a race takes: long enough for a hand, short enough for a second try.
SECONDS = 40
# So many sliders fit above the charts.
MOST_TASKS = 10
WIDTH = 228
STOPS = tuple(float(f"{mantissa}e{power}") for power in (-3, -2, -1, 0, 1, 2) for mantissa in (1, 2, 5))


def play_by_hand() -> None:
    """Show the button that starts a race of weights held by hand against GradNorm."""
    st.button(
        t("Play the weights by hand"),
        icon=":material/back_hand:",
        on_click=session.once(_start),
        # Another one for each watched run, as for a race.
        key=f"start by hand {session.watched()}",
        help=t("Hold the sliders yourself, against GradNorm from the same start. Can you beat it?"),
    )


def sliders(info: RunInfo) -> None:
    """Show a slider for each weight of a run whose weights are held by hand; those of a race stay when it is over.

    Were they taken away then, the charts would jump.
    """
    held_now = not info.ended and lab().steers(info.run)
    if info.spec.get("method") != "static" or not (held_now or (info.ended and info.race)):
        return
    spec = session.spec()
    if "weights" not in live_keys(spec) or len(info.tasks) > MOST_TASKS:
        return
    held = [float(w) for w in spec.flat()["weights"]] or [1.0] * len(info.tasks)
    if len(held) != len(info.tasks):
        return
    with st.container(border=True, gap="small", key="by hand"):
        st.markdown(t("**Your weights.** Only their ratios count: they are scaled to sum to the number of tasks."))
        with st.container(horizontal=True, gap="medium"):
            for i, task in enumerate(task_texts(info.spec, info.tasks)):
                with st.container(width=WIDTH):
                    scale_slider(
                        t("w of {task}", task=plain(task)),
                        f"hand:{i}",
                        held[i],
                        _set(held, i),
                        STOPS,
                        disabled=not held_now,
                    )


def _set(held: Sequence[float], i: int) -> Callable[[float], None]:
    return lambda weight: _change([*held[:i], weight, *held[i + 1 :]])


def _change(weights: list[float]) -> None:
    if session.change({"weights": weights}):
        session.steer()


def _start() -> None:
    try:
        specs = by_hand(session.spec(), SECONDS)
        runs = lab().race(specs)
    except (SpecError, StoreError) as error:
        session.tell(on_page(error))
        return
    session.open_run(runs[0])
