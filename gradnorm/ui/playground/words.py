"""What there is to say of the watched run, above its charts: in a room of its own, so that no word pushes them down."""

from __future__ import annotations

import streamlit as st

from gradnorm.runs.records import RunInfo
from gradnorm.ui.playground import server_notice
from gradnorm.ui.playground.notice import notice
from gradnorm.ui.playground.verdict import verdict


def words(info: RunInfo) -> None:
    """Say how the run ended, or that this will be said, and what troubles its tasks, its records or the server."""
    with st.container(horizontal=True, gap="small", key="words"):
        verdict(info)
        notice(info)
        server_notice.notice()
