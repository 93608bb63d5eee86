"""Navigation over `pages/`; run by Streamlit for every page."""

from __future__ import annotations

import streamlit as st

from gradnorm.runs.faults import StoreError
from gradnorm.ui import navigation, session
from gradnorm.ui.lab import lab
from gradnorm.ui.language_choice import language_choice
from gradnorm.ui.location import assets
from gradnorm.ui.markdown import plain
from gradnorm.ui.words import t


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title=t("GradNorm, live"), page_icon=str(assets() / "logo.svg"), layout="wide")
    st.logo(str(assets() / "logo.svg"), size="large")
    st.html(assets() / "style.css")
    shown = [
        navigation.playground(),
        navigation.lesson(),
        navigation.your_data(),
        navigation.gallery(),
        navigation.studies(),
        navigation.runs(),
        navigation.compare(),
    ]
    page = st.navigation(shown, position="top")
    top = st.container()
    try:
        lab().store.check()
        page.run()
        language_choice()
        session.shown()
        # The first page is on its way to the browser; now torch may load behind it.
        lab().warm()
    except StoreError as error:
        # A home that is damaged, newer or gone: what there is to say is said where the page would be.
        top.error(plain(str(error)), icon=":material/hard_drive:")


if __name__ == "__main__":
    main()
