"""Choose, launch, steer and watch runs live."""

import streamlit as st

from gradnorm.ui import session
from gradnorm.ui.live.panel import live_panel
from gradnorm.ui.playground import server_notice
from gradnorm.ui.playground.by_hand import sliders
from gradnorm.ui.playground.controls import controls
from gradnorm.ui.playground.first import first
from gradnorm.ui.playground.run_bar import runbar
from gradnorm.ui.playground.script import script
from gradnorm.ui.playground.words import words

session.restore()
session.arrive()
# Read once: if the run ended in between, buttons and panel would show different states.
info = session.run()
asked = session.follow(info)
with st.sidebar:
    controls()
with st.container(key="head"):
    if info is None:
        first()
        server_notice.notice()
    else:
        # What stood first goes at once: its parts would be seen in the dock for a moment.
        st.empty()
        runbar(info)
        words(info)
        sliders(info)
script(info)
live_panel(info, asked)
session.write_address()
