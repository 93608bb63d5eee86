"""What keeps the server from training or recording runs now, said on the page while it lasts."""

from __future__ import annotations

import streamlit as st

from gradnorm.ui.lab import lab
from gradnorm.ui.markdown import plain

SECONDS = 3.0


@st.fragment(run_every=SECONDS)
def notice() -> None:
    """Say what is wrong; looked at every `SECONDS`."""
    trouble = lab().trouble
    if trouble:
        st.error(plain(trouble), icon=":material/hard_drive:")
