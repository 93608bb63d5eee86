"""Navigation over `pages/`; run by Streamlit for every page."""

from __future__ import annotations

import streamlit as st

from gradnorm.ui import navigation
from gradnorm.ui.lab import lab
from gradnorm.ui.location import assets


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="GradNorm, live", page_icon=str(assets() / "logo.svg"), layout="wide")
    st.logo(str(assets() / "logo.svg"), size="large")
    st.html(assets() / "style.css")
    shown = [
        navigation.playground(),
        navigation.lesson(),
        navigation.your_data(),
        navigation.gallery(),
        navigation.runs(),
    ]
    page = st.navigation(shown, position="top")
    page.run()
    # The first page is on its way to the browser; now torch may load behind it.
    lab().warm()


if __name__ == "__main__":
    main()
