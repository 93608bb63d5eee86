"""Streamlit's own runner of pages, with presses that come in the midst of a callback."""

import pytest
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.testing.v1 import AppTest

from gradnorm.ui.callbacks import let_callbacks_finish


def page():
    import streamlit as st
    from streamlit.proto.WidgetStates_pb2 import WidgetStates
    from streamlit.runtime.scriptrunner import get_script_run_ctx
    from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

    def press(value):
        """What the browser sends when the slider is moved."""
        context = get_script_run_ctx()
        states = WidgetStates(widgets=context.session_state.get_widget_states())
        states.widgets[0].double_array_value.data[:] = [value]
        context.script_requests.request_rerun(RerunData(widget_states=states))

    def moved():
        begun, ended = st.session_state.setdefault("begun", []), st.session_state.setdefault("ended", [])
        begun.append(st.session_state.alpha)
        if st.session_state.alpha == 0.1:
            press(0.2)
            try:
                st.toast("It is taken.")
            finally:
                press(0.3)
        ended.append(st.session_state.alpha)

    st.slider("α", 0.0, 1.0, 0.0, key="alpha", on_change=moved)


@pytest.fixture
def streamlit_as_it_is(monkeypatch):
    """Streamlit without what an earlier test did to it; as before after the test."""
    name = "_maybe_handle_execution_control_request"
    look = getattr(ScriptRunner, name)
    monkeypatch.setattr(ScriptRunner, name, getattr(look, "__wrapped__", look))


def moved():
    at = AppTest.from_function(page, default_timeout=60).run()
    at.slider[0].set_value(0.1).run()
    assert not at.exception
    return at.session_state


@pytest.mark.usefixtures("streamlit_as_it_is")
def test_streamlit_ends_callbacks_and_forgets_the_newest_press():
    """If this fails Streamlit has been mended: `ui/callbacks.py` can go."""
    state = moved()
    assert 0.1 not in state.ended
    assert state.alpha == 0.2


@pytest.mark.usefixtures("streamlit_as_it_is")
def test_a_callback_runs_to_its_end_and_the_newest_press_holds():
    for _ in range(2):
        let_callbacks_finish()
    state = moved()
    assert state.ended == state.begun == [0.1, 0.3]
    assert state.alpha == 0.3
