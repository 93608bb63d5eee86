"""The Lesson page: the bar from step to step, text and trial side by side, presenter's mode."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from gradnorm.charts.lesson import Look
from gradnorm.common.texts import later
from gradnorm.ui.lesson import audience
from gradnorm.ui.lesson.contents import Step, steps
from gradnorm.ui.lesson.place import Place, arrive, does
from gradnorm.ui.lesson.shown import trial
from gradnorm.ui.location import assets
from gradnorm.ui.markdown import plain
from gradnorm.ui.widgets import show
from gradnorm.ui.words import t

ASSETS = assets()
_LIST = "lesson.list"
KEYS = later("← → or a clicker: turn pages · space: play · Enter: answer · ↑ ↓: move a slider · P: present")


def lesson() -> None:
    """Show the step that the address names, `?step=alpha`; with `present=1` in presenter's mode."""
    here = arrive()
    audience.keep_in_step(here)
    _dress(here)
    with st.container(key="lesson"):
        fault, here.fault = here.fault, ""
        if fault:
            st.warning(plain(fault), icon=":material/signpost:")
        if audience.lost(here):
            st.warning(
                t("There is no such class (any more). You can go on by yourself; for another class, open its address."),
                icon=":material/groups:",
            )
        body = st.container()
        # Before the step itself, which may train for a second: the buttons are there at once.
        _bar(here)
        with body:
            _step(here, Look(dark=st.context.theme.type == "dark"))


def _dress(here: Place) -> None:
    st.html(ASSETS / "lesson.css")
    if here.presenting:
        st.html(ASSETS / "lesson-present.css")
    # What the script has to know. It is part of the text, so that the script runs again when it changes, and only then.
    known = {"step": here.step.name, "steps": " ".join(step.name for step in steps()), "audience": here.audience}
    told = " ".join(f'data-{key}="{value}"' for key, value in known.items())
    script = (ASSETS / "lesson.js").read_text(encoding="utf-8")
    st.html(f'<div class="lesson-place" {told}></div><script>{script}</script>', unsafe_allow_javascript=True)


def _bar(here: Place) -> None:
    """Show the buttons that turn pages, and all steps by name; keys press them."""
    number, last = here.step.number, len(steps())
    with st.container(horizontal=True, vertical_alignment="center", key="lesson-nav"):
        _turn(t("Previous"), "lesson-previous", number > 1, does(here, lambda: here.go(steps()[number - 2])))
        _list(here)
        st.markdown(f"**{number} / {last}**", width="content")
        st.button(
            t("Stop the tour") if here.touring else t("Tour"),
            key="lesson-tour",
            on_click=does(here, lambda: _tour(here)),
            type="tertiary",
        )
        audience.button(here)
        st.button(
            t("Leave") if here.presenting else t("Present"),
            key="lesson-present",
            on_click=does(here, lambda: _present(here)),
            type="tertiary",
        )
        _turn(t("Next"), "lesson-next", number < last, does(here, lambda: here.go(steps()[number])))


def _turn(label: str, key: str, possible: bool, go: Callable[[], None]) -> None:
    kind = "primary" if key == "lesson-next" else "secondary"
    st.button(label, key=key, disabled=not possible, on_click=go, type=kind)


def _list(here: Place) -> None:
    """Show all steps by name; a click goes there."""
    show(_LIST, here.step.number)

    def chosen() -> None:
        # None when the step that is shown is clicked again.
        here.go(steps()[(st.session_state[_LIST] or here.step.number) - 1])

    with st.container(key="lesson-steps"):
        st.segmented_control(
            t("Steps of the lesson"),
            range(1, len(steps()) + 1),
            format_func=lambda number: f"{number} {t(steps()[number - 1].words.short)}",
            key=_LIST,
            on_change=does(here, chosen),
            label_visibility="collapsed",
        )


def _present(here: Place) -> None:
    here.presenting = not here.presenting


def _tour(here: Place) -> None:
    here.touring = here.playing = not here.touring
    here.since = 0.0


def _step(here: Place, look: Look) -> None:
    """Show a step's text on the left and its trial on the right; on a phone the question comes last."""
    words = here.step.words
    left, right = st.columns([5, 7], gap="large")
    with left:
        with st.container(key="lesson-text"):
            st.header(words.title, anchor=False)
            with st.container(key="lesson-words"):
                st.markdown(words.text)
                st.info(words.attempt, icon=":material/touch_app:")
        with st.container(key="lesson-question"):
            _question(here, here.step)
        with st.container(key="lesson-keys"):
            st.caption(t(KEYS))
    # Last, since it may train for a second; the text is there to read meanwhile.
    with right, st.container(key="lesson-trial"):
        trial(here, look)


def _question(here: Place, step: Step) -> None:
    """Ask for a guess; the answer is shown after it, or when it is asked for."""
    words, name, key = step.words, step.name, f"lesson-guess-{step.name}"
    st.markdown(f"**{t('Your guess?')}** {words.question}")
    show(key, here.guesses.get(name))

    def guessed() -> None:
        here.guesses[name] = st.session_state[key]
        here.revealed.add(name)
        audience.tell(here)

    def turned() -> None:
        here.revealed ^= {name}

    with st.container(horizontal=True, vertical_alignment="center", key="lesson-options"):
        st.segmented_control(
            t("Your guess"),
            range(len(words.options)),
            format_func=words.options.__getitem__,
            key=key,
            on_change=does(here, guessed),
            label_visibility="collapsed",
            required=name in here.guesses,
        )
        st.button(
            t("Hide the answer") if name in here.revealed else t("Answer"),
            key="lesson-reveal",
            on_click=does(here, turned),
            type="tertiary",
        )
    if name in here.revealed:
        with st.container(key="lesson-answer"):
            guess = here.guesses.get(name)
            verdict = "" if guess is None else t("**Right.**") if guess == words.right else t("**Not so.**")
            st.markdown(f"{verdict} {words.answer}".strip())
