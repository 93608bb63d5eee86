"""The pages of the navigation, for whoever links to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from gradnorm.ui.location import site
from gradnorm.ui.words import t

if TYPE_CHECKING:
    from streamlit.navigation.page import StreamlitPage

_PAGES = site() / "pages"


def playground() -> StreamlitPage:
    """Return the page on which runs are watched."""
    return st.Page(_PAGES / "playground.py", title=t("Playground"), icon=":material/tune:", default=True)


def lesson() -> StreamlitPage:
    """Return the page that tells the method step by step."""
    return st.Page(_PAGES / "lesson.py", title=t("Lesson"), icon=":material/school:")


def your_data() -> StreamlitPage:
    """Return the page on which a file becomes tasks."""
    return st.Page(_PAGES / "your_data.py", title=t("Your data"), icon=":material/table_view:")


def gallery() -> StreamlitPage:
    """Return the page that shows predictions beside the ground truth."""
    return st.Page(_PAGES / "gallery.py", title=t("Gallery"), icon=":material/photo_library:")


def studies() -> StreamlitPage:
    """Return the page that starts and shows groups of runs."""
    return st.Page(_PAGES / "studies.py", title=t("Studies"), icon=":material/experiment:")


def runs() -> StreamlitPage:
    """Return the page that lists the runs."""
    return st.Page(_PAGES / "runs.py", title=t("Runs"), icon=":material/list:")


def compare() -> StreamlitPage:
    """Return the page that lays runs side by side."""
    return st.Page(_PAGES / "compare.py", title=t("Compare"), icon=":material/stacked_line_chart:")
