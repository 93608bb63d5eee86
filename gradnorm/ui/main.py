"""Navigation over `pages/`; run by Streamlit for every page."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from gradnorm.ui.lab import lab

ROOT = Path(__file__).parents[2]


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="GradNorm, live", page_icon=str(ROOT / "assets" / "logo.svg"), layout="wide")
    st.logo(str(ROOT / "assets" / "logo.svg"), size="large")
    pages = ROOT / "pages"
    st.html(ROOT / "assets" / "style.css")
    page = st.navigation(
        [
            st.Page(pages / "playground.py", title="Playground", icon=":material/tune:", default=True),
            st.Page(pages / "lesson.py", title="Lesson", icon=":material/school:"),
            st.Page(pages / "gallery.py", title="Gallery", icon=":material/photo_library:"),
            st.Page(pages / "runs.py", title="Runs", icon=":material/list:"),
        ],
        position="top",
    )
    page.run()
    # The first page is on its way to the browser; now torch may load behind it.
    lab().warm()


if __name__ == "__main__":
    main()
