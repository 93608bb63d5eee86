"""A step's trial on the page: its controls, the picture, what is read from it, and the class's dots."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from gradnorm.charts import lesson as charts
from gradnorm.charts.lesson import Look
from gradnorm.config.spec import RunSpec
from gradnorm.ui.figure_words import in_words
from gradnorm.ui.lesson import audience
from gradnorm.ui.lesson.contents import steps
from gradnorm.ui.lesson.place import Place, does, place, write
from gradnorm.ui.lesson.trial import Choice, Control, Picture, Slider
from gradnorm.ui.pictures import camera
from gradnorm.ui.widgets import show
from gradnorm.ui.words import t

# Seconds a stop is shown while the slider moves by itself, and a whole step once it has arrived.
STOP_SECONDS, TOUR_SECONDS = 0.5, 8.0
# Seconds between two looks at the class.
CLASS_SECONDS = 1.0


def trial(here: Place, look: Look) -> None:
    """Show the trial of the step. While something moves by itself, this part of the page is drawn again and again."""
    every = STOP_SECONDS if here.playing else CLASS_SECONDS if here.teaching else None
    st.fragment(_trial, run_every=every)(look)


def _trial(look: Look) -> None:
    here = place()
    if here.playing:
        _advance(here)
    with st.container(horizontal=True, vertical_alignment="bottom", key="lesson-controls"):
        for control in here.step.trial.controls:
            _control(here, control)
        label, icon = (t("Pause"), ":material/pause:") if here.playing else (t("Play"), ":material/play_arrow:")
        if st.button(label, icon=icon, key="lesson-play"):
            play(here)
            _redraw(here)
        # It takes the place of Play in a browser that asks for reduced motion.
        if st.button(t("Next value"), icon=":material/skip_next:", key="lesson-beat", disabled=here.playing):
            beat(here)
            _redraw(here)
    # Only the first run of a server has to wait for torch.
    ready = "torch" in sys.modules
    waiting = (
        t("Training a small network …") if ready else t("Training a small network, after loading PyTorch (once) …")
    )
    with st.spinner(waiting):
        picture = here.step.trial.picture(here.settings, here.stops_tried, look)
    _charts(here, picture, look)
    with st.container(key="lesson-reading"):
        st.markdown(f"{picture.reading} {_best(here.step.trial.slider, picture.scores)}")
    _onward(picture)
    here.acted = False
    if not here.playing:
        write(here)


def _redraw(here: Place) -> None:
    """Draw the whole page anew, at the place where it is by now."""
    here.acted = True
    st.rerun()


def play(here: Place) -> None:
    """Let the slider move by itself, from the start if it is at the end; or stop it."""
    here.playing, here.touring = not here.playing, False
    slider = here.step.trial.slider
    if here.playing and here.settings[slider.key] == slider.stops[-1]:
        here.put(slider.key, slider.stops[0])
    here.since = time.monotonic()


def beat(here: Place) -> None:
    """Move the slider on by one stop, and from the last one to the first."""
    slider = here.step.trial.slider
    place_of = slider.stops.index(here.settings[slider.key])
    here.put(slider.key, slider.stops[(place_of + 1) % len(slider.stops)])
    audience.tell(here)


def _advance(here: Place) -> None:
    """Move on by one stop when its time is over; at the last one stop, or turn the page if all pages are to turn."""
    slider, now = here.step.trial.slider, time.monotonic()
    place_of = slider.stops.index(here.settings[slider.key])
    last = place_of == len(slider.stops) - 1
    # Redrawing takes some time itself, and what comes for another reason is no beat.
    if now - here.since < (TOUR_SECONDS if last and here.touring else 0.8 * STOP_SECONDS):
        return
    here.since = now
    if not last:
        here.put(slider.key, slider.stops[place_of + 1])
    elif here.touring:
        here.go(steps()[here.step.number % len(steps())])
        _redraw(here)
    else:
        here.playing = False
        _redraw(here)


def _control(here: Place, control: Control) -> None:
    # While it moves by itself it is another widget, which can't be moved: what a browser says of it comes too late.
    key = f"lesson-{here.step.name}-{control.key}{'-moving' if here.playing else ''}"
    chosen = here.settings[control.key]
    show(key, chosen)

    def moved() -> None:
        # A choice is None when what is chosen is clicked again.
        value = st.session_state[key]
        here.put(control.key, control.start if value is None else value)
        if control == here.step.trial.slider:
            audience.tell(here)

    common: dict[str, Any] = {
        "key": key,
        "format_func": control.text,
        "on_change": None if here.playing else does(here, moved),
        "disabled": here.playing,
    }
    match control:
        case Slider():
            st.select_slider(t(control.label), control.stops, chosen, **common)
        case Choice():
            st.segmented_control(t(control.label), list(control.names), default=chosen, required=True, **common)


def _charts(here: Place, picture: Picture, look: Look) -> None:
    """Show the figures side by side, and the class where there is one."""
    slider, votes = here.step.trial.slider, audience.votes(here)
    places = [slider.text(stop) for stop in slider.stops]
    counts = {slider.text(stop): votes[stop] for stop in slider.stops if votes[stop]}
    if here.step.trial.across and counts:
        charts.add_votes(picture.figures[0][0], counts, look)
    for column, (figure, alt) in zip(st.columns(len(picture.figures)), picture.figures, strict=True):
        # Without a key, which would make another chart of each figure: this one is moved on.
        column.plotly_chart(in_words(figure), config=camera(f"lesson-{here.step.name}"), alt=alt)
    if here.teaching:
        if counts and not here.step.trial.across:
            strip = charts.class_strip(counts, places, t("your class: {slider}", slider=t(slider.label)), look)
            st.plotly_chart(
                in_words(strip), config=camera("lesson-class"), alt=t("The sliders of your class"), key="lesson-class"
            )
        audience.standings(here)


def _best(slider: Slider, scores: Mapping[float, float]) -> str:
    """Return which of the stops that were tried is the best; "" where there is nothing to win."""
    best = min(scores, key=lambda stop: scores[stop], default=None)
    return "" if best is None else t("Your best so far is {best}.", best=slider.text(best))


def _onward(picture: Picture) -> None:
    if picture.settings:
        with st.container(key="lesson-onward"):
            label = f"{t('Open this in the Playground')} :material/open_in_new:"
            st.markdown(f"[{label}]({_playground(picture.settings)})")


def _playground(settings: Mapping[str, Any]) -> str:
    """Return the address of the Playground with these settings, seen from the lesson's."""
    return f"./?{urlencode(RunSpec.parse(settings).query())}"
