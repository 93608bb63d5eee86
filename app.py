"""The server's face: Streamlit's ASGI app with the live routes beside it.

`streamlit run app.py` finds `app` below. Should the file be run as a plain script, it shows the pages.
"""

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if get_script_run_ctx(suppress_warning=True) is None:
    from gradnorm.ui.server import SCRIPT, lifespan, middleware, routes

    app = st.App(SCRIPT, routes=routes(), lifespan=lifespan, middleware=middleware())
else:
    from gradnorm.ui.main import main

    main()
