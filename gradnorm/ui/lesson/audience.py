"""A class on the page: the teacher opens one, students follow it, and their sliders and guesses are counted."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import cast

import streamlit as st

from gradnorm.ui.lesson.classroom import CLASSROOMS, ClassroomError
from gradnorm.ui.lesson.place import CLASS, Place, does
from gradnorm.ui.words import t, tn

_STUDENT = "lesson.student"


def keep_in_step(here: Place) -> None:
    """Tell the class of this tab, if it leads one, which step it is at. A class that is over is forgotten."""
    if here.teaching and not CLASSROOMS.lead(*_led(here), here.step.name):
        here.teaching = ""
        here.fault = t("Your class is over: it had no teacher for hours, or the server was started anew. Open another.")


def lost(here: Place) -> bool:
    """Whether this tab follows a class that is not there."""
    return bool(here.audience) and CLASSROOMS.step(here.audience) is None


def tell(here: Place) -> None:
    """Note this student's slider and guess, if the tab follows a class."""
    if here.audience:
        student = cast("str", st.session_state.setdefault(_STUDENT, uuid.uuid4().hex))
        value = here.settings[here.step.trial.slider.key]
        guess = here.guesses.get(here.step.name)
        CLASSROOMS.put(here.audience, student, here.step.name, value=value, guess=guess)


def votes(here: Place) -> Counter[float]:
    """Return how many students have their slider at each stop; nothing but for the teacher."""
    return CLASSROOMS.values(_led(here)[0], here.step.name) if here.teaching else Counter()


def standings(here: Place) -> None:
    """Show the teacher who is here, and what was guessed."""
    code, _ = _led(here)
    guesses, words = CLASSROOMS.guesses(code, here.step.name), here.step.words
    said = [f"{option}: **{guesses[i]}**" for i, option in enumerate(words.options)]
    with st.container(key="lesson-standings"):
        st.markdown(
            ":material/groups: "
            + tn("{count} page is here.", "{count} pages are here.", CLASSROOMS.here(code))
            + f" {t('Guesses:')} {' · '.join(said)}"
        )


def button(here: Place) -> None:
    """Show the button that opens a class, or what there is to know of the class that this tab leads or follows."""
    if here.audience:
        st.button(
            t("Leave class {code}", code=here.audience[:5]),
            type="tertiary",
            key="lesson-leave",
            on_click=does(here, lambda: _leave(here)),
        )
        return
    with st.popover(t("Class"), type="tertiary", key="lesson-class-menu", icon=":material/groups:"):
        if not here.teaching:
            st.markdown(
                t(
                    "Students open an address of your class on their own devices. Their pages follow your step, and "
                    "the values of their sliders appear as dots on your chart."
                )
            )
            st.button(
                t("Open a class"), type="primary", key="lesson-open-class", on_click=does(here, lambda: _open(here))
            )
            return
        code, _ = _led(here)
        st.markdown(t("Your students open this address:"))
        st.code(_address(code), language=None)
        st.markdown(t("It ends a few hours after you leave. Keep your own address to yourself: whoever has it leads."))
        st.button(t("End the class"), key="lesson-end-class", on_click=does(here, lambda: _end(here)))


def _address(code: str) -> str:
    base = str(st.context.url or "/lesson").partition("?")[0].partition("#")[0]
    # A tab that was opened at another page still has the address of that one.
    return f"{base.rstrip('/').removesuffix('/lesson')}/lesson?{CLASS}={code}"


def _open(here: Place) -> None:
    try:
        here.teaching = "-".join(CLASSROOMS.open(here.step.name))
    except ClassroomError as error:
        here.fault = str(error)


def _end(here: Place) -> None:
    CLASSROOMS.end(*_led(here))
    here.teaching = ""


def _leave(here: Place) -> None:
    here.audience = ""


def _led(here: Place) -> tuple[str, str]:
    """Return code and token of the class that this tab leads."""
    code, _, token = here.teaching.partition("-")
    return code, token
