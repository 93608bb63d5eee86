"""The list of languages in the page's head."""

from __future__ import annotations

import streamlit as st

from gradnorm.ui.widgets import show
from gradnorm.ui.words import CHOSEN, COOKIE, LANG, language, languages, t

_KEY = "language"


def language_choice() -> None:
    """Show the languages to choose from, and tell the browser which one the page has.

    A cookie keeps what was chosen, or what the address asked for.
    """
    now, names = language(), languages()
    with st.container(key="languages"):
        show(_KEY, now)
        st.selectbox(
            t("Language"),
            list(names),
            key=_KEY,
            format_func=lambda code: names[code],
            placeholder=t("Language"),
            label_visibility="collapsed",
            on_change=_choose,
        )
        keep = f"document.cookie = '{COOKIE}={now}; path=/; max-age=31536000; samesite=lax';"
        script = f"document.documentElement.lang = '{now}'; {keep if CHOSEN in st.session_state else ''}"
        # Not empty, or it would not be drawn.
        st.html(f'<div class="gradnorm-language"></div><script>{script}</script>', unsafe_allow_javascript=True)


def _choose() -> None:
    st.session_state[CHOSEN] = st.session_state[_KEY]
    # What was chosen last counts.
    st.query_params.pop(LANG, None)
