"""The address under which others watch the run of the page."""

from __future__ import annotations

from urllib.parse import urlsplit

import streamlit as st

from gradnorm.runs.records import RunInfo
from gradnorm.ui.guard import is_loopback
from gradnorm.ui.server import base_path
from gradnorm.ui.words import t


def watch_link(info: RunInfo) -> None:
    """Show the button that opens the address for a class, which may be copied."""
    with st.popover(t("Watch link"), type="tertiary", icon=":material/groups:", key="watch-link"):
        st.markdown(t("Whoever opens this address watches the run, on any device, and can change nothing."))
        st.code(address(info.run), language=None, wrap_lines=True)
        if is_loopback(urlsplit(str(st.context.url or "")).hostname or ""):
            st.caption(
                t(
                    "It works on this computer alone. For a class, start the server with "
                    "`gradnorm dashboard --address 0.0.0.0`, and open this page by the computer’s name or number."
                )
            )


def address(run: str) -> str:
    """Return the address of a run's watch page, as the browser of this session reaches the server."""
    here = urlsplit(str(st.context.url or ""))
    server = f"{here.scheme}://{here.netloc}" if here.netloc else ""
    return f"{server}{base_path()}/watch/{run}"
