"""Choose, launch, steer and watch runs live."""

import streamlit as st

from gradnorm.ui import session
from gradnorm.ui.controls import controls
from gradnorm.ui.notice import notice
from gradnorm.ui.panel import live_panel
from gradnorm.ui.runbar import runbar

session.restore()
session.arrive()
with st.sidebar:
    controls()
# Read once: a run that ends in between would leave the buttons and the panel of two minds.
info = session.run()
runbar(info)
notice(info)
live_panel(info)
session.write_address()
