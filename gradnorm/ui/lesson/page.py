"""The Lesson page: its address, the buttons from step to step, text and trial side by side, presenter's mode."""

from __future__ import annotations

from functools import cache

import streamlit as st

from gradnorm.charts.lesson import Look
from gradnorm.ui.lesson import prose
from gradnorm.ui.lesson.steps import TRIALS
from gradnorm.ui.location import assets
from gradnorm.ui.markdown import plain
from gradnorm.ui.widgets import show

ASSETS = assets()
_LAST, _LIST = "lesson.last", "lesson.list"


@cache
def pages() -> tuple[prose.Prose, ...]:
    """Return the texts of all steps, read once per process. Raises ProseError if a file is malformed."""
    return prose.read(ASSETS / "prose" / "lesson")


def lesson() -> None:
    """Show the step that the address names, `?step=3`; with `present=1` in presenter's mode."""
    step, fault = _place()
    presenting = st.query_params.get("present") == "1"
    _write_address(step, presenting)
    _dress(step, presenting)
    with st.container(key="lesson"):
        _list(step)
        if fault:
            st.warning(plain(fault), icon=":material/signpost:")
        body = st.container()
        # Before the step itself, which may train for a second: the buttons are there at once.
        _turns(step, presenting)
        with body:
            _step(step, Look(dark=st.context.theme.type == "dark", large=presenting))


def _place() -> tuple[int, str]:
    """Return the number of the step to show, from 1, and what is wrong with the address, or ""."""
    wanted = st.query_params.get("step")
    if wanted is None:
        return int(st.session_state.get(_LAST, 1)), ""
    numbers = {str(i + 1): i + 1 for i in range(len(pages()))}
    if wanted in numbers:
        return numbers[wanted], ""
    return 1, f"This lesson has no step {wanted[:20]!r}. Its steps are 1 to {len(numbers)}. This is step 1."


def _write_address(step: int, presenting: bool) -> None:
    wanted = {"step": str(step), **({"present": "1"} if presenting else {})}
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)
    st.session_state[_LAST] = step


def _go(step: int) -> None:
    st.query_params["step"] = str(step)


def _present(on: bool) -> None:
    if on:
        st.query_params["present"] = "1"
    else:
        st.query_params.pop("present", None)


def _dress(step: int, presenting: bool) -> None:
    st.html(ASSETS / "lesson.css")
    if presenting:
        st.html(ASSETS / "lesson-present.css")
    # The step is part of the text, so that the script runs again when the step changes, and only then.
    script = (ASSETS / "lesson.js").read_text(encoding="utf-8")
    st.html(f"<script>/* step {step} */\n{script}</script>", unsafe_allow_javascript=True)


def _list(step: int) -> None:
    """Show all steps by name; a click goes there."""
    show(_LIST, step)

    def chosen() -> None:
        # None when the step that is shown is clicked again.
        _go(st.session_state[_LIST] or step)

    with st.container(key="lesson-steps"):
        st.segmented_control(
            "Steps of the lesson",
            range(1, len(pages()) + 1),
            format_func=lambda i: f"{i} {pages()[i - 1].short}",
            key=_LIST,
            on_change=chosen,
            label_visibility="collapsed",
        )


def _turns(step: int, presenting: bool) -> None:
    """Show the buttons that turn pages; the arrow keys and P press them."""
    last = len(pages())
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="lesson-nav"
    ):
        st.button(
            "Previous", shortcut="Left", key="lesson-previous", disabled=step == 1, on_click=_go, args=(step - 1,)
        )
        st.markdown(f"**{step} / {last}**", width="content")
        st.button(
            "Leave" if presenting else "Present",
            shortcut="P",
            key="lesson-present",
            on_click=_present,
            args=(not presenting,),
            type="tertiary",
        )
        st.button(
            "Next",
            shortcut="Right",
            key="lesson-next",
            type="primary",
            disabled=step == last,
            on_click=_go,
            args=(step + 1,),
        )


def _step(step: int, look: Look) -> None:
    """Show a step's text on the left and its trial on the right; on a phone the question comes last."""
    words = pages()[step - 1]
    left, right = st.columns([5, 7], gap="large")
    with left:
        with st.container(key="lesson-text"):
            st.header(words.title, anchor=False)
            st.markdown(words.text)
            st.info(words.attempt, icon=":material/touch_app:")
        with st.container(key="lesson-question"):
            st.markdown(f"**Question.** {words.question}")
            # Each step has a key of its own, so that opening one answer does not open the next one.
            with st.expander("Answer", key=f"lesson-answer-{step}"):
                st.markdown(words.answer)
    # Last, since it may train for a second; the text is there to read meanwhile.
    with right, st.container(key="lesson-trial"):
        TRIALS[step - 1](look)
