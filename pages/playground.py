"""Choose, launch, steer and watch runs live."""

import streamlit as st

from gradnorm.ui import session
from gradnorm.ui.controls import controls
from gradnorm.ui.panel import live_panel
from gradnorm.ui.runbar import runbar

session.restore()
with st.sidebar:
    controls()
runbar()
live_panel(session.run())
session.write_address()
